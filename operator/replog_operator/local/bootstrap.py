"""How separate members become one log: look at all of them, take one step, look again.

Nothing is remembered between two steps, so it may be cut off anywhere and goes on by itself.

Decides: the next step (a pure function of what the members say). Member 0 founds the cluster, and
only after every member has said that it belongs to none; all else is a target by member ids.
Must not know: processes, HTTP (joining.py carries the steps out).
Read next: joining.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

from replog.wire.schemas import ClusterStatus, MemberAddress


class Found(NamedTuple):
    """Found a cluster of member 0 alone."""


class SetTarget(NamedTuple):
    """Ask the leader, the member of this index, for these members."""

    leader: int
    members: tuple[MemberAddress, ...]
    planned_from: int


class Wait(NamedTuple):
    """Nothing to do now. why: one sentence."""

    why: str


class Stuck(NamedTuple):
    """Only a human can go on. why: one sentence."""

    why: str


class Joined(NamedTuple):
    """All members belong to the log and its leader takes appends."""

    leader: int


Step = Found | SetTarget | Wait | Stuck | Joined


def next_step(seen: Sequence[ClusterStatus | None], addresses: Sequence[str]) -> Step:
    """What to do, given each member's status (None: no answer) and peer address."""
    present = [status for status in seen if status is not None]
    lost = [status.member for status in present if status.state in ("removed", "fenced")]
    clusters = sorted({status.cluster_id for status in present if status.cluster_id is not None})
    for member in {status.member for status in present}:
        twins = [at for at, status in enumerate(seen) if status and status.member == member]
        if len(twins) > 1:
            return Stuck(
                f"{_names(twins)} are one and the same, {member}: a data directory was copied; "
                "empty the copy, and a new member takes its place"
            )
    if len(clusters) > 1:
        return Stuck(f"the data directories belong to different logs: {', '.join(clusters)}")
    if lost:
        return Stuck(f"member {lost[0]} no longer belongs to the log: empty its data directory")
    if not clusters:
        return _unassigned(seen)
    return _assigned(seen, addresses)


def has_newcomer(seen: Sequence[ClusterStatus | None], addresses: Sequence[str]) -> bool:
    """Whether a log that is there should take in a member that belongs to none.

    So it is where a member's directory was lost while all of them ran: it comes back as a new one.
    Of a target that somebody else has set, only this is undone.
    """
    new = any(status is not None and status.state == "unassigned" for status in seen)
    return new and isinstance(next_step(seen, addresses), SetTarget)


def _unassigned(seen: Sequence[ClusterStatus | None]) -> Step:
    silent = [index for index, status in enumerate(seen) if status is None]
    if silent:
        return Wait(f"no answer from {_names(silent)} yet")
    return Found()


def _assigned(seen: Sequence[ClusterStatus | None], addresses: Sequence[str]) -> Step:
    leader = _leader(seen)
    if leader is None:
        return Wait("no leader yet")
    index, known = leader
    silent = [number for number, status in enumerate(seen) if status is None]
    if known.target is None or len(known.target.members) < len(seen):
        if silent:
            return Wait(f"no answer from {_names(silent)} yet")
        return _target(index, known, seen, addresses)
    present = {status.member for status in seen if status is not None}
    if not silent and set(known.target.members) != present:
        return _target(index, known, seen, addresses)
    if not known.target.reached:
        return Wait(f"{len(seen)} members are joining")
    return Joined(index) if known.admitting else Wait("the leader is getting ready")


def _target(
    index: int,
    known: ClusterStatus,
    seen: Sequence[ClusterStatus | None],
    addresses: Sequence[str],
) -> Step:
    if known.joint:
        return Wait("a membership change is under way")
    members = tuple(
        MemberAddress(status.member, address)
        for status, address in zip(seen, addresses, strict=True)
        if status is not None
    )
    return SetTarget(index, members, known.configuration_offset)


def _leader(seen: Sequence[ClusterStatus | None]) -> tuple[int, ClusterStatus] | None:
    """Who says that it leads; of several, the one of the highest term."""
    leaders = [
        (status.term, index, status)
        for index, status in enumerate(seen)
        if status is not None and status.role == "leader" and status.state == "member"
    ]
    if not leaders:
        return None
    _, index, status = max(leaders, key=lambda found: found[0])
    return index, status


def _names(indexes: Sequence[int]) -> str:
    return ", ".join(f"member-{index}" for index in indexes)
