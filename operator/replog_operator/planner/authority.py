"""Whether this operator may tell the log anything: only if its epoch is the newest one there.

A holder commits its epoch before its first write, so that a predecessor which sleeps and wakes is
refused by the log itself, whatever it believes of its lease.

Decides: who gives way to whom. Must not know: leases (kube/lease.py).
Read next: membership.py.
"""

from replog.wire.schemas import ClusterStatus, MemberAddress, TargetStatus
from replog_operator.model.observed import Observed, TaskKind, lease_of
from replog_operator.model.plan import Plan
from replog_operator.model.steps import SetTarget
from replog_operator.planner.answer import Answer, Do, Hold
from replog_operator.planner.facts import Facts


def authority(facts: Facts) -> Answer:
    """What stands before any call to the leader; None: go on."""
    status, seen = facts.status, facts.seen
    if status is None or facts.leader is None or status.target is None:
        return None
    if (status.target.epoch, status.target.holder) == (seen.operator.epoch, seen.operator.holder):
        return None
    refusal = _refusal(status.target, seen)
    if refusal is not None:
        return refusal
    return None if status.joint else _claim(facts.leader, status, status.target, seen)


def newer_epoch(made: Plan, seen: Observed) -> int | None:
    """The highest epoch that members know, where the plan waits because of it; else None.

    Who is in charge must have one above it, as after a lease or a directory's notes were lost.
    """
    if all(wait.code != "NewerOperator" for wait in made.waits):
        return None
    targets = [answer.target for answer in seen.answers.values() if answer.target]
    return max((target.epoch for target in targets), default=0)


def _refusal(target: TargetStatus, seen: Observed) -> Hold | None:
    if target.epoch == 0:
        return None
    lease, ours = lease_of(target.holder), seen.operator.lease
    if lease != ours and not _acknowledged(seen, lease):
        return Hold("OtherOperator", f"the log is in the care of {lease}, and this is {ours}")
    if target.epoch >= seen.operator.epoch:
        return Hold(
            "NewerOperator",
            f"the log has the epoch {target.epoch} of {target.holder}, and this is "
            f"{seen.operator.epoch}",
        )
    return None


def _acknowledged(seen: Observed, lease: str) -> bool:
    return any(
        task.kind is TaskKind.ACKNOWLEDGE_OPERATOR and task.subject == lease for task in seen.tasks
    )


def _claim(leader: int, status: ClusterStatus, target: TargetStatus, seen: Observed) -> Answer:
    """The same target once more, which changes the epoch alone."""
    known = {member.id: (member.address, member.priority) for member in status.members}
    if any(member not in known for member in target.members):
        return None  # a learner is not recorded yet: the next pass sees it
    members = tuple(MemberAddress(member, *known[member]) for member in target.members)
    operation = f"claim-{seen.operator.epoch}-{seen.operator.holder}"
    step = SetTarget(leader, members, status.configuration_offset, operation, "claim")
    return Do(step, f"the log learns that epoch {seen.operator.epoch} is in charge")
