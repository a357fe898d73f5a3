"""The objects around the members: that they are there, ours, and as the resource wants them.

Decides: their order: what pods need comes before pods; and that a template which was given up stays
so until another one is asked for. Must not know: what is in them (kube/children).
Read next: size.py, roll.py.
"""

from replog_operator.model.observed import TaskKind, Workload
from replog_operator.model.steps import ApplyChildren, ApplyTemplate, MakeWorkload
from replog_operator.planner.answer import Answer, Do, Hold, the
from replog_operator.planner.facts import Facts
from replog_operator.planner.size import first_size, make_claim


def objects(facts: Facts) -> Answer:
    """The next object that is not as it should be."""
    workload = facts.seen.workload
    if workload is not None and workload.foreign:
        return Hold("ForeignObject", f"{workload.name} belongs to somebody else")
    if facts.seen.stale:
        names = facts.seen.stale
        return Do(ApplyChildren(names), f"{', '.join(names)} as the resource wants it")
    if workload is None:
        return _make(facts)
    if workload.terminating:
        return Hold("WorkloadTerminating", f"{workload.name} is being deleted, and then made anew")
    return _template(facts, workload) or _unknown(facts)


def _make(facts: Facts) -> Answer:
    size = first_size(facts)
    for ordinal in range(size):
        if ordinal not in facts.claims and facts.seen.platform.sizes:
            return make_claim(facts, ordinal)
    return Do(MakeWorkload(size), f"{size} pods")


def _template(facts: Facts, workload: Workload) -> Answer:
    wanted = facts.seen.template
    if wanted == workload.template:
        return None
    retry = any(task.kind is TaskKind.RETRY_VERSION for task in facts.seen.tasks)
    if wanted == workload.bad_template and not retry:
        return Hold("BadVersion", "pods of what the resource asks for did not come to be well")
    step = ApplyTemplate(the(workload), wanted, forget_bad=retry)
    return Do(step, "the workload gets the template that the resource asks for")


def _unknown(facts: Facts) -> Answer:
    strange = [pod.name for pod in facts.seen.pods if pod.ordinal is None]
    strange += [claim.name for claim in facts.seen.claims if claim.ordinal is None]
    if not strange:
        return None
    return Hold(
        "UnknownObject", f"{', '.join(strange)}: labelled like this log's, but not made for it"
    )
