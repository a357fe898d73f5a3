"""How many pods there are, and what becomes of the disks at the edge.

Growing comes before a membership change, shrinking after it. A disk is given up only where the
committed configuration lacks its member, and deleted only to make room for a new one.

Decides: replicas, and when a claim is made, retired or deleted. Must not know: who is a member why
(membership.py), sizes (volumes.py).
Read next: membership.py.
"""

from typing import Final

from replog_operator.model.observed import Claim, TaskKind, Workload
from replog_operator.model.steps import DeleteClaim, DeletePod, MakeClaim, RetireClaim, SetReplicas
from replog_operator.planner.answer import Answer, Do, Hold, names, the
from replog_operator.planner.facts import Facts
from replog_operator.planner.founding import cluster_of

ORDINALS_MAX: Final = 64
"""A configuration has no more members (MEMBERS_MAX of replog.wire.schemas)."""


def first_size(facts: Facts) -> int:
    """Pods while nobody can say who is a member: as many as are wanted or may hold data.

    Above those none is begun on a disk that was retired: whether that may go, only a leader can
    tell. Below them it is: there are no pods without those of all lower ordinals, and who was
    removed neither votes nor is voted for.
    """
    if facts.spec.hibernate:
        return 0
    running = 0 if facts.seen.workload is None else facts.seen.workload.replicas
    needed = 1 + max(facts.held, default=-1)
    retired = [at for at in facts.claims if at >= max(running, needed)]
    return min(max(facts.spec.replicas, needed), *retired, ORDINALS_MAX)


def sleep(facts: Facts) -> Answer:
    """Hibernation: no pod runs; claims, and with them the size, stay."""
    workload = facts.seen.workload
    if workload is None or workload.replicas == 0:
        return None
    return Do(SetReplicas(the(workload), 0), "spec.hibernate: all pods end, their claims stay")


def grow(facts: Facts) -> Answer:
    """The next step to as many pods as are wanted, or as are needed to find the log's quorum."""
    workload = facts.seen.workload
    if workload is None or workload.terminating:
        return None
    if facts.status is None:
        return _leaderless(facts, workload)
    needed = max(facts.spec.replicas, 1 + max(facts.members, default=-1))
    for ordinal in range(workload.replicas, needed):
        answer = _ready_to_run(facts, ordinal)
        if answer is not None:
            return answer
    return _raise(facts, workload, needed)


def _leaderless(facts: Facts, workload: Workload) -> Answer:
    needed = first_size(facts)
    for ordinal in range(workload.replicas, needed):
        if ordinal not in facts.claims and facts.seen.platform.sizes:
            return make_claim(facts, ordinal)
    return _raise(facts, workload, needed)


def _raise(facts: Facts, workload: Workload, needed: int) -> Answer:
    if needed <= workload.replicas:
        return None
    return Do(SetReplicas(the(workload), needed), f"from {workload.replicas} to {needed} pods")


def _ready_to_run(facts: Facts, ordinal: int) -> Answer:
    """What comes before a pod of this ordinal may start; None: nothing."""
    claim = facts.claims.get(ordinal)
    if claim is None:
        return make_claim(facts, ordinal) if facts.seen.platform.sizes else None
    if claim.terminating:
        return Hold("ClaimTerminating", f"{claim.name} is being deleted")
    if claim.member_id in facts.member_ids or _was_made_empty(claim):
        return None
    if not (claim.retired or claim.member_id or _acknowledged(facts, claim)):
        return Hold("UnknownData", f"nobody knows whose data {claim.name} holds")
    return give_up(facts, claim)


def give_up(facts: Facts, claim: Claim) -> Answer:
    """Delete a disk whose member the committed configuration lacks, in two steps."""
    if not facts.committed:
        return Hold("ChangeInProgress", f"{claim.name} waits until the membership is committed")
    if claim.member_id and not claim.retired:
        return Do(RetireClaim(the(claim)), f"{claim.name} holds data of a removed member")
    why = "a new member is to begin with an empty disk"
    return Do(DeleteClaim(the(claim), why), f"{claim.name} is deleted: {why}")


def make_claim(facts: Facts, ordinal: int) -> Do:
    """The claim of an ordinal, before its pod."""
    step = MakeClaim(ordinal, cluster_of(facts), facts.spec.delete_data)
    return Do(step, f"a claim for {facts.spec.name}-{ordinal}")


def rejoin(facts: Facts) -> Answer:
    """A disk that may not be a member's, where one is wanted again: it goes, and a new one begins.

    It is a removed member's, or was retired before the log was turned round: were its member taken
    in, nobody would look for it while nobody leads. Or a person gave it up: that of a member which
    a recovery went on without.
    """
    for ordinal in range(facts.spec.replicas):
        claim, pod = facts.claims.get(ordinal), facts.pods.get(ordinal)
        if not (facts.is_removed(ordinal) or _is_spent(facts, ordinal) or _left(facts, ordinal)):
            continue
        if claim is not None and not claim.terminating:
            answer = facts.seen.answers.get(ordinal)
            member = claim.member_id or ("" if answer is None else answer.member)
            return give_up(facts, claim._replace(member_id=member))
        if pod is not None and pod.state != "terminating":
            return Do(
                DeletePod(the(pod), "its disk is given up"), f"{pod.name} lets go of its disk"
            )
        return Hold("ClaimTerminating", f"the disk of {facts.spec.name}-{ordinal} is being deleted")
    return None


def _is_spent(facts: Facts, ordinal: int) -> bool:
    """Whether the disk there was retired, and is no member's."""
    claim = facts.claims.get(ordinal)
    return claim is not None and claim.retired and ordinal not in facts.members


def _left(facts: Facts, ordinal: int) -> bool:
    """Whether the disk there is of one that was a member and is none, and a person gave it up."""
    claim, answer = facts.claims.get(ordinal), facts.seen.answers.get(ordinal)
    if claim is None or not _acknowledged(facts, claim):
        return False
    fenced = answer is not None and answer.state == "fenced"
    ids = {claim.member_id, "" if answer is None else answer.member} - {""}
    return (bool(claim.member_id) or fenced) and not ids & facts.member_ids


def shrink(facts: Facts) -> Answer:
    """After the members have gone: their disks are noted as retired, then their pods go."""
    workload, wanted = facts.seen.workload, facts.spec.replicas
    if workload is None or workload.replicas <= wanted or not facts.settled:
        return None
    for ordinal in range(wanted, workload.replicas):
        answer = _leave(facts, ordinal)
        if answer is not None:
            return answer
    leaving = names(facts.spec.name, range(wanted, workload.replicas))
    return Do(SetReplicas(the(workload), wanted), f"{leaving} end: their members are removed")


def _leave(facts: Facts, ordinal: int) -> Answer:
    claim, answer = facts.claims.get(ordinal), facts.seen.answers.get(ordinal)
    if ordinal in facts.members:
        return Hold("ChangeInProgress", f"{facts.spec.name}-{ordinal} still is a member")
    if claim is None or claim.retired or claim.terminating:
        return None
    if not claim.cluster_id and answer is None and not _acknowledged(facts, claim):
        return Hold("UnknownData", f"nobody knows whose data {claim.name} holds")
    return Do(RetireClaim(the(claim)), f"the member of {claim.name} is removed")


def _was_made_empty(claim: Claim) -> bool:
    return bool(claim.cluster_id) and not claim.member_id and not claim.retired


def _acknowledged(facts: Facts, claim: Claim) -> bool:
    return any(
        task.kind is TaskKind.ACKNOWLEDGE_DATA and task.subject == claim.name
        for task in facts.seen.tasks
    )
