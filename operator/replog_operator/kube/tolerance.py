"""How many members may fail right now, whichever they are, and the log goes on.

Not what the number of members promises but what is true: a member that is down, or has not caught
up, is no help, so it counts as failed already.

Decides: that arithmetic. Must not know: how members are asked.
Read next: children/disruption_budget.py.
"""

from collections.abc import Mapping

from replog.wire.schemas import ClusterStatus, MayStop


def tolerates(leader: ClusterStatus | None, answers: Mapping[str, MayStop]) -> int | None:
    """Count them. leader: what the leader says; answers: of its may-stop, by member.

    None: no leader answers, so nobody knows. A member that wasn't asked about counts by what the
    leader knows it to hold. While both halves of a joint configuration must agree it is 0: which
    of them a failure would stop depends on who fails.
    """
    if leader is None or leader.role != "leader":
        return None
    if leader.joint:
        return 0
    voters = [member for member in leader.members if member.role == "voter"]
    well = sum(_is_well(leader, member.id, answers) for member in voters)
    return max(0, well - (len(voters) // 2 + 1))


def _is_well(leader: ClusterStatus, member: str, answers: Mapping[str, MayStop]) -> bool:
    if member in answers:
        return answers[member].caught_up
    found = next(known for known in leader.members if known.id == member)
    held = -1 if found.match_offset is None else found.match_offset
    return bool(found.alive) and held >= leader.commit_offset
