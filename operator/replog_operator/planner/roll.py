"""How pods come to a new template: one at a time, the leader last, each only if the others do.

The first that is renewed is the canary. If it isn't well in time, the last good template comes back
and the canary with it; that template is not tried again until the resource asks for another one.
A pod that ends meanwhile, whatever ended it, comes back with the new template: once a second one
fails with it there may be no leader any more, and nothing is gained by giving them more time.

Decides: who is next, and when to turn round. Must not know: how templates differ.
Read next: level.py, kube/children/pod.py.
"""

from collections.abc import Sequence
from typing import Final

from replog_operator.model.observed import Pod, PodState, Workload
from replog_operator.model.steps import DeletePod, EvictPod, NoteGood, RollBack, Transfer
from replog_operator.planner.answer import Answer, Do, Hold, the
from replog_operator.planner.facts import Facts

STUCK_AFTER_S: Final = 60.0
"""A pod in one of STUCK for so long doesn't come up by itself."""
STUCK: Final = (PodState.PENDING, PodState.IMAGE_ERROR, PodState.CRASH_LOOP, PodState.FAILED)
BROKEN: Final = (PodState.IMAGE_ERROR, PodState.CRASH_LOOP, PodState.FAILED)
"""What a pod that waits for a host or a volume is not."""


def roll(facts: Facts) -> Answer:
    """The next step of a roll; None when every pod is as the workload makes them now."""
    workload = facts.seen.workload
    if workload is None or not workload.revision or workload.replicas == 0:
        return None
    pods = [pod for at, pod in sorted(facts.pods.items()) if at < workload.replicas]
    outdated = [pod for pod in pods if pod.revision != workload.revision]
    updated = [pod for pod in pods if pod.revision == workload.revision]
    well = [pod for pod in updated if is_well(facts, pod)]
    given_up = give_up(facts)
    if given_up is not None:
        return given_up
    if not outdated:
        return _ended(workload, well, len(pods))
    if not facts.spec.leader_last:
        return None
    return _next(facts, outdated, [pod for pod in updated if pod not in well])


def give_up(facts: Facts) -> Answer:
    """The last good template comes back if no pod of the newer one has come to be well.

    While nobody leads, nobody says who is well, and a pod that is ready counts as that.
    """
    workload = facts.seen.workload
    if workload is None or not workload.revision or workload.replicas == 0:
        return None
    if workload.good_template in ("", workload.template):
        return None
    pods = [pod for at, pod in sorted(facts.pods.items()) if at < workload.replicas]
    updated = [pod for pod in pods if pod.revision == workload.revision]
    if not updated or any(_is_well_or_seems_so(facts, pod) for pod in updated):
        return None
    step = RollBack(the(workload), workload.good_template, workload.template)
    if len(updated) > 1 and all(pod.state in BROKEN for pod in updated):
        failed = " and ".join(pod.name for pod in updated)
        return Do(step, f"{failed} fail: the last good template comes back")
    first_s = min(pod.created_s for pod in updated)
    if facts.seen.now_s - first_s <= facts.spec.update_timeout_s:
        return None
    return Do(step, f"{updated[0].name} is not well in time: the last good template comes back")


def unstick(facts: Facts) -> Answer:
    """Pods that don't come up are made anew from a newer template, before all else.

    What does not run can't be missed, and it may be what the others wait for.
    """
    workload = facts.seen.workload
    if workload is None or not workload.revision or not facts.spec.leader_last:
        return None
    for pod in facts.pods.values():
        if pod.revision != workload.revision and _is_stuck(facts, workload, pod):
            return Do(DeletePod(the(pod), "stuck"), f"{pod.name} is stuck and outdated")
    return None


def is_well(facts: Facts, pod: Pod) -> bool:
    """Ready, in the configuration and caught up, by the leader's word."""
    member = None if pod.ordinal is None else facts.members.get(pod.ordinal)
    stop = None if member is None else facts.seen.stops.get(member.id)
    return pod.state is PodState.READY and stop is not None and stop.caught_up


def _ended(workload: Workload, well: Sequence[Pod], pods: int) -> Answer:
    """Every pod is of the workload's template; once all are well, that is the good one."""
    if len(well) < workload.replicas or pods < workload.replicas:
        return None
    if workload.good_template == workload.template:
        return None
    return Do(NoteGood(the(workload), workload.template), "every pod is well with this template")


def _is_well_or_seems_so(facts: Facts, pod: Pod) -> bool:
    return pod.state is PodState.READY if facts.status is None else is_well(facts, pod)


def _next(facts: Facts, outdated: Sequence[Pod], unwell: Sequence[Pod]) -> Answer:
    going = [pod for pod in (*outdated, *unwell) if pod.state is PodState.TERMINATING]
    if going:
        return Hold("MemberRestarting", f"{going[0].name} is being replaced")
    if unwell:
        why = f": {unwell[0].message}" if unwell[0].message else ""
        return Hold("MemberRestarting", f"{unwell[0].name} is renewed and not well yet{why}")
    if not facts.seen.platform.may_roll:
        return Hold("RollQueued", "other logs are being rolled; this one is next in turn")
    return _take(facts, min(outdated, key=lambda pod: _turn(facts, pod)))


def _is_stuck(facts: Facts, workload: Workload, pod: Pod) -> bool:
    """A pod of a template that was given up is given no time; without a leader nobody misses it."""
    lasted_s = facts.seen.now_s - pod.since_s
    given_up = workload.bad_template != "" and workload.template == workload.good_template
    if pod.state in STUCK:
        return given_up or pod.state is PodState.FAILED or lasted_s >= STUCK_AFTER_S
    beginning = (PodState.STARTING, PodState.UNREADY)
    return given_up and facts.status is None and pod.state in beginning


def _turn(facts: Facts, pod: Pod) -> tuple[bool, bool, bool, int]:
    """Unready first, then learners, then followers from the highest ordinal, the leader last."""
    ordinal = -1 if pod.ordinal is None else pod.ordinal
    member = facts.members.get(ordinal)
    is_voter = member is not None and member.role != "learner"
    return (ordinal == facts.leader, pod.state is PodState.READY, is_voter, -ordinal)


def _take(facts: Facts, pod: Pod) -> Answer:
    """Stop this one, if the leader says that the others can do without it."""
    ordinal = -1 if pod.ordinal is None else pod.ordinal
    refusal = _refusal(facts, ordinal)
    if refusal is not None:
        return Hold("MayNotStop", f"{pod.name} may not be stopped now: {refusal}")
    heir = _heir(facts) if ordinal == facts.leader else None
    if facts.leader is not None and heir is not None:
        return Do(Transfer(facts.leader, heir), f"{pod.name} hands over before it is replaced")
    if pod.state is PodState.READY:
        return Do(EvictPod(the(pod), "outdated"), f"{pod.name} is replaced")
    return Do(DeletePod(the(pod), "outdated"), f"{pod.name}, which is not ready, is replaced")


def _refusal(facts: Facts, ordinal: int) -> str | None:
    """Why not. Of one or two voters none can be spared, so there a roll is a short outage."""
    member = facts.members.get(ordinal)
    if member is None:
        return None
    stop = facts.seen.stops.get(member.id)
    if stop is None:
        return "the leader does not say whether it may"
    if stop.may_stop:
        return None
    voters = [other for other in facts.members.values() if other.role != "learner"]
    others = [facts.seen.stops.get(other.id) for other in voters if other.id != member.id]
    if facts.settled and len(voters) <= 2 and all(o is not None and o.caught_up for o in others):
        return None
    return "; ".join(stop.reasons)


def _heir(facts: Facts) -> str | None:
    """Who should lead next: a voter that is well, the one that holds most; None: there is none."""
    fit = [
        member
        for ordinal, member in facts.members.items()
        if ordinal != facts.leader and member.role == "voter" and ordinal in facts.pods
        if is_well(facts, facts.pods[ordinal])
    ]
    best = max(fit, key=lambda member: (member.match_offset or 0, member.id), default=None)
    return None if best is None else best.id
