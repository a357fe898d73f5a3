"""What the voters have agreed on.

Decides: given a number per voter (what it holds durably, which round it answered), the highest
that a majority reached; given votes, whether a candidate has won, lost or must wait. For one
majority, and for the two of a joint configuration (thesis 4.3).
Must not know: terms, logs, messages, who leads.
Read next: progress.py (where the numbers come from), leader.py (who asks).
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.positions import MemberId

NOTHING = -1
"""What a voter has reached that never answered."""


class Verdict(StrEnum):
    """How an election stands."""

    WON = "won"
    LOST = "lost"
    OPEN = "open"


class Electorate(msgspec.Struct, frozen=True):
    """Whose agreement counts: `voters`, and `outgoing` too while it isn't empty. Both ordered."""

    voters: tuple[MemberId, ...] = ()
    outgoing: tuple[MemberId, ...] = ()

    @classmethod
    def of(cls, configuration: Configuration | None) -> "Electorate":
        """The electorate of a configuration; of none, the one in which nobody can win."""
        if configuration is None:
            return cls()
        return cls(configuration.voter_ids(), configuration.outgoing_ids())

    @property
    def everyone(self) -> tuple[MemberId, ...]:
        """The voters of both halves, once each, ordered."""
        if not self.outgoing:
            return self.voters
        return tuple(sorted({*self.voters, *self.outgoing}))

    def is_only(self, member: MemberId) -> bool:
        """Whether `member` decides alone."""
        return self.everyone == (member,)

    def reached(self, held: Mapping[MemberId, int]) -> int:
        """The highest number that a majority of each half reached; NOTHING without voters."""
        new = majority_reached(self.voters, held)
        if not self.outgoing:
            return new
        return min(new, majority_reached(self.outgoing, held))

    def agreed(self, members: Collection[MemberId]) -> bool:
        """Whether `members` hold a majority of each half."""
        return self.verdict(dict.fromkeys(members, True)) is Verdict.WON

    def verdict(self, votes: Mapping[MemberId, bool]) -> Verdict:
        """How an election with these votes stands; votes of others than voters don't count."""
        new = majority_verdict(self.voters, votes)
        if not self.outgoing:
            return new
        halves = (new, majority_verdict(self.outgoing, votes))
        if Verdict.LOST in halves:
            return Verdict.LOST
        return Verdict.OPEN if Verdict.OPEN in halves else Verdict.WON


def majority_reached(voters: Sequence[MemberId], held: Mapping[MemberId, int]) -> int:
    """The highest number that a majority of `voters` reached.

    The numbers are sorted whole, every time: a quorum over a partly sorted list once committed
    without one (openraft #1802).
    """
    if not voters:
        return NOTHING
    ordered = sorted((held.get(voter, NOTHING) for voter in voters), reverse=True)
    return ordered[len(voters) // 2]


def majority_verdict(voters: Sequence[MemberId], votes: Mapping[MemberId, bool]) -> Verdict:
    """How an election among `voters` alone stands; nobody wins one without voters."""
    needed = len(voters) // 2 + 1
    granted = sum(1 for voter in voters if votes.get(voter) is True)
    refused = sum(1 for voter in voters if votes.get(voter) is False)
    if granted >= needed:
        return Verdict.WON
    return Verdict.LOST if len(voters) - refused < needed else Verdict.OPEN
