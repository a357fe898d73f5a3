"""Who votes, who learns, and where the membership is going.

Decides: the shape of a configuration entry (thesis section 4.3, design section 3 Membership).
Must not know: how a change is driven (raft/membership.py).
Read next: controls.py.
"""

import msgspec

from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import MemberId


class Member(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A member and the address of its peer listener (host:port) when it was named.

    The address is a hint to find the member: it may change without a membership change. priority:
    when a leader hands over without being told to whom, the highest of those that hold what is
    committed is asked; it never hinders or starts an election.
    """

    id: MemberId
    address: str
    priority: int = 0


class Target(msgspec.Struct, frozen=True):
    """The membership that somebody asked for, and the request's identity.

    operation: idempotency key, unique for ever. epoch/holder: of the operator that asked (an
    older epoch, or the same epoch of another holder, is refused). planned_from: the offset of the
    configuration that the request was planned from; -1 in the founding configuration.
    """

    members: tuple[Member, ...]
    operation: str
    epoch: int
    holder: str
    planned_from: int


class Configuration(msgspec.Struct, frozen=True):
    """The membership as one entry of the log fixes it; it takes effect on append.

    voters: the voters, of the *new* set when joint. outgoing: the old set while joint, else empty.
    learners: members that receive entries and don't count (includes none of the voters).
    target: where the leader is taking the membership. target_reached: this or an earlier
    configuration equalled its target once, so client writes may be admitted for good.
    done: the latest operation ids that were carried out (newest last, bounded), so that a
    repeated request changes nothing. removed: the latest members that a joint change took out
    (newest last, bounded): they are parked for good, so no target may name them again.
    feature_level: in force (features.py); every member speaks it.
    """

    voters: tuple[Member, ...]
    outgoing: tuple[Member, ...] = ()
    learners: tuple[Member, ...] = ()
    target: Target | None = None
    target_reached: bool = False
    done: tuple[str, ...] = ()
    removed: tuple[MemberId, ...] = ()
    feature_level: int = FIRST_LEVEL

    @property
    def joint(self) -> bool:
        """Whether both halves must agree (thesis section 4.3)."""
        return bool(self.outgoing)

    @property
    def members(self) -> tuple[Member, ...]:
        """Every member of either half and the learners, once each, ordered by id."""
        by_id = {m.id: m for m in (*self.outgoing, *self.learners, *self.voters)}
        return tuple(by_id[key] for key in sorted(by_id))

    def voter_ids(self) -> tuple[MemberId, ...]:
        """The ids of `voters`, ordered."""
        return tuple(sorted(m.id for m in self.voters))

    def outgoing_ids(self) -> tuple[MemberId, ...]:
        """The ids of `outgoing`, ordered."""
        return tuple(sorted(m.id for m in self.outgoing))

    def is_voter(self, member: MemberId) -> bool:
        """Whether `member` votes in either half."""
        return any(m.id == member for m in (*self.voters, *self.outgoing))
