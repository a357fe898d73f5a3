"""Which members there should be, and how the log is told: as one target, whatever changes.

The target is ordinals 0 to n-1 by the members that are there *now*: an ordinal with an empty disk
has a new member, which takes the old one's place in the same single change.

Decides: the target, and when it may be set. Must not know: how the cluster gets there (it does
that by itself), pods, claims (size.py).
Read next: size.py, roll.py.
"""

import hashlib
from collections import Counter

from replog.wire.schemas import ClusterStatus, MemberAddress, MemberStatus
from replog_operator.model.steps import SetTarget
from replog_operator.model.surveys import number_of
from replog_operator.planner.answer import Answer, Do, Hold, names
from replog_operator.planner.facts import Facts
from replog_operator.planner.silence import silences

SERVING = ("member", "unassigned", "stopping")
"""States of members that may be in a target."""


def membership(facts: Facts) -> Answer:
    """The next target, or what a target waits for; None once the members are those wanted."""
    status, leader = facts.status, facts.leader
    if status is None or leader is None:
        return no_leader(facts)
    twins = _twins(facts)
    if twins is not None:
        return twins
    wanted = wanted_members(facts)
    if isinstance(wanted, Hold):
        return wanted
    if _told(facts, status, wanted):
        return None if facts.settled else _under_way(facts, status)
    if status.joint:
        return Hold("ChangeInProgress", "a membership change must end before the next begins")
    absent = [ordinal for ordinal in range(len(wanted)) if ordinal not in facts.seen.answers]
    if 2 * len(absent) >= len(wanted):
        waiting = names(facts.spec.name, absent)
        return Hold("TargetMemberUnavailable", f"{waiting}, most of the target, don't answer")
    return _target(facts, leader, status, wanted)


def no_leader(facts: Facts) -> Hold:
    """Nobody leads: it passes, or too many disks are lost; that is said once all have answered,
    those of disks beyond the pods that there are included.

    A member that begins or ends says that it is one, and nothing yet, or no more, of the others: as
    good as silence, for its disk is there.
    """
    known, answers, workload = facts.known, facts.seen.answers, facts.seen.workload
    pods = 0 if workload is None else workload.replicas
    places = sorted({*range(pods), *facts.held})
    silent = [at for at in places if at not in answers or _says_nothing(answers[at])]
    voters = [m.id for m in known.members if m.role != "learner"] if known is not None else []
    alive = [answer.member for answer in answers.values() if answer.member in voters]
    fenced = [at for at, answer in answers.items() if answer.state == "fenced"]
    if fenced and known is None:
        which = names(facts.spec.name, fenced)
        return Hold(
            "Fenced", f"{which}: fenced until the quorum is recovered, or that is cancelled"
        )
    if silent:
        waiting = f"no answer from {silences(facts, silent)}"
        count = f"{len(alive)} of {len(voters)} voters answer; " if voters else ""
        return Hold("NoLeader", count + waiting)
    if known is None:
        return Hold("QuorumLost", "the log was there before, and no member has any of it now")
    if len(alive) < len(voters) // 2 + 1:
        return Hold("QuorumLost", f"{len(alive)} of {len(voters)} voters have their data")
    return Hold("NoLeader", f"{len(alive)} of {len(voters)} voters answer")


def _says_nothing(answer: ClusterStatus) -> bool:
    return answer.state in ("member", "stopping") and not answer.members


def replaced(facts: Facts) -> bool:
    """Whether an ordinal that stays has another member than the configuration names there."""
    answers = facts.seen.answers
    lost = {member.address for member in facts.strays}
    return any(
        facts.seen.addresses[ordinal] in lost
        for ordinal in range(min(facts.spec.replicas, len(facts.seen.addresses)))
        if ordinal in answers and answers[ordinal].member not in facts.member_ids
    )


def wanted_members(facts: Facts) -> tuple[MemberAddress, ...] | Hold:
    """The target, by ordinal. A silent member that belongs to the log stays in it.

    Not so if its claim was made anew: then another member will answer there, and one change is to
    take both in.
    """
    found, missing = [], []
    for ordinal in range(facts.spec.replicas):
        answer, member = facts.seen.answers.get(ordinal), facts.members.get(ordinal)
        if answer is not None and answer.state not in SERVING:
            code = "Fenced" if answer.state == "fenced" else "Removed"
            return Hold(code, f"{facts.spec.name}-{ordinal} is {_apart(facts, answer)}")
        if answer is not None:
            found.append(MemberAddress(answer.member, facts.seen.addresses[ordinal]))
        elif member is not None and _has_its_disk(facts, ordinal, member):
            found.append(MemberAddress(member.id, facts.seen.addresses[ordinal]))
        else:
            missing.append(ordinal)
    if missing:
        return Hold("MembersSilent", f"no answer from {silences(facts, missing)} yet")
    return tuple(found)


def _apart(facts: Facts, answer: ClusterStatus) -> str:
    """How a member is that takes part in nothing."""
    if answer.state != "fenced":
        return f"{answer.state} for good"
    newest = "" if facts.status is None else facts.status.lineage
    if number_of(answer.lineage) < number_of(newest):
        return f"of a lineage that the log has left: {answer.member} serves nothing any more"
    return "fenced by a survey, until that is cancelled"


def _has_its_disk(facts: Facts, ordinal: int, member: MemberStatus) -> bool:
    claim = facts.claims.get(ordinal)
    return claim is not None and claim.member_id == member.id


def _told(facts: Facts, status: ClusterStatus, wanted: tuple[MemberAddress, ...]) -> bool:
    """Whether the log's own target is this one already."""
    if status.target is None or set(status.target.members) != {member.id for member in wanted}:
        return False
    addresses = {member.id: member.address for member in status.members}
    return all(addresses.get(member.id, member.address) == member.address for member in wanted)


def _under_way(facts: Facts, status: ClusterStatus) -> Hold:
    phase = "both halves must agree" if status.joint else "new members copy the log"
    if not facts.committed and not status.joint:
        phase = "a majority must have its last change"
    code = next(iter(facts.seen.blockers), "ChangeInProgress")
    return Hold(code, f"the log is on its way to {facts.spec.replicas} members: {phase}")


def _target(
    facts: Facts, leader: int, status: ClusterStatus, wanted: tuple[MemberAddress, ...]
) -> Do:
    ids = [member.id for member in wanted]
    new = [member for member in ids if member not in facts.member_ids]
    gone = [member for member in facts.member_ids if member not in ids]
    text = "\n".join([status.cluster_id or "", str(status.configuration_offset), *map(str, wanted)])
    operation = f"target-{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"
    why = "move" if not (new or gone) else "replace" if len(new) == len(gone) else "scale"
    step = SetTarget(leader, wanted, status.configuration_offset, operation, why)
    return Do(step, f"{len(wanted)} members are asked for: {len(new)} join, {len(gone)} leave")


def _twins(facts: Facts) -> Hold | None:
    """One member at two ordinals: a disk was copied, and nobody knows which is the member."""
    counts = Counter(answer.member for answer in facts.seen.answers.values())
    for member, count in counts.items():
        if count > 1:
            at = {ordinal for ordinal, a in facts.seen.answers.items() if a.member == member}
            return Hold(
                "TwinMembers",
                f"{names(facts.spec.name, at)} are one and the same member, {member}",
            )
    return None
