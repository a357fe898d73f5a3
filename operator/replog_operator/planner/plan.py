"""plan(spec, observed): what to do with a log now, and what is waited for. Pure, total, forgetful.

It remembers nothing, so it goes on after a crash between any two writes; it asks for at most one
step a lane, so that what comes next is planned from what then is so.

Decides: the lanes, what goes before what within one, and what stops everything.
Must not know: platforms.
Read next: founding.py, membership.py, size.py, roll.py, volumes.py, objects.py, tasks.py.
"""

from collections.abc import Callable, Sequence
from typing import Final

from replog_operator.model.observed import Observed
from replog_operator.model.plan import Lane, LaneStep, Plan, Wait
from replog_operator.model.spec import LogSpec
from replog_operator.planner.answer import Answer, Do, Hold
from replog_operator.planner.authority import authority
from replog_operator.planner.facts import Facts, facts
from replog_operator.planner.founding import founding, is_new
from replog_operator.planner.level import level
from replog_operator.planner.membership import membership, no_leader, replaced
from replog_operator.planner.objects import objects
from replog_operator.planner.roll import give_up, roll, unstick
from replog_operator.planner.size import grow, rejoin, shrink, sleep
from replog_operator.planner.tasks import tasks
from replog_operator.planner.volumes import volumes

Part = Callable[[Facts], Answer]

_LED: Final[tuple[Part, ...]] = (
    authority, grow, unstick, rejoin, membership, shrink, roll, level,
)  # fmt: skip
"""Of a log that has a leader, in this order: each only when those before have nothing to do."""


def plan(spec: LogSpec, seen: Observed) -> Plan:
    """The next step of each lane, or why it waits."""
    if spec.deleting:
        return Plan()
    known = facts(spec, seen)
    if len(known.cluster_ids) > 1:
        evidence = f"there are data of clusters {', '.join(sorted(known.cluster_ids))}"
        return Plan((), (Wait(Lane.REPAIR, "ClusterIDMismatch", evidence),))
    answers = (
        (_lane(known), _members(known)),
        (Lane.VOLUMES, volumes(known)),
        (Lane.OBJECTS, objects(known)),
        (Lane.TASKS, tasks(known)),
    )
    return _suspended(spec, _collected(answers))


def _lane(known: Facts) -> Lane:
    """What goes on with the members is repair while one of them has lost its disk."""
    return Lane.REPAIR if replaced(known) else Lane.MEMBERS


def _members(known: Facts) -> Answer:
    """Founding, growing, changing, shrinking, rolling: one of them at a time, in this order."""
    if known.seen.workload is None or known.seen.workload.foreign:
        return None
    if known.spec.hibernate:
        return sleep(known)
    if known.status is not None:
        return _first(known, _LED)
    begin = founding if is_new(known) else no_leader
    return _first(known, (grow, give_up, unstick, begin))


def _first(known: Facts, parts: Sequence[Part]) -> Answer:
    for part in parts:
        answer = part(known)
        if answer is not None:
            return answer
    return None


def _collected(answers: Sequence[tuple[Lane, Answer]]) -> Plan:
    steps = [LaneStep(lane, *answer) for lane, answer in answers if isinstance(answer, Do)]
    holds: dict[Hold, Lane] = {}
    for lane, answer in answers:
        if isinstance(answer, Hold):
            holds.setdefault(answer, lane)  # what holds several lanes is told once
    return Plan(tuple(steps), tuple(Wait(lane, *hold) for hold, lane in holds.items()))


def _suspended(spec: LogSpec, found: Plan) -> Plan:
    """A suspended log is looked at, and nothing of it is changed."""
    if not spec.suspend:
        return found
    would = "; ".join(step.why for step in found.steps) or "there is nothing to do"
    return Plan(
        (), (Wait(Lane.OBJECTS, "Suspended", f"spec.suspend is set; {would}"), *found.waits)
    )
