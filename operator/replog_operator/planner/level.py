"""When the log may use what only newer builds understand: after the roll, when every member does.

Decides: that moment. Must not know: what a level brings (docs/on-disk.md).
Read next: roll.py.
"""

from replog_operator.model.steps import RaiseFeatureLevel
from replog_operator.planner.answer import Answer, Do
from replog_operator.planner.facts import Facts
from replog_operator.planner.roll import is_well


def level(facts: Facts) -> Answer:
    """Raise the feature level once no member, and no template that may come back, is older."""
    status, leader, workload = facts.status, facts.leader, facts.seen.workload
    if status is None or leader is None or workload is None or not facts.settled:
        return None
    if workload.good_template != workload.template or facts.seen.template != workload.template:
        return None
    if not all(is_well(facts, pod) for pod in facts.pods.values()):
        return None
    spoken = [member.feature_level_spoken for member in status.members]
    spoken_by_all = min((level for level in spoken if level is not None), default=0)
    if None in spoken or spoken_by_all <= status.feature_level:
        return None
    return Do(RaiseFeatureLevel(leader, spoken_by_all), f"every member speaks {spoken_by_all}")
