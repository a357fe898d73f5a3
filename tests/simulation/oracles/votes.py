"""One vote a term, over all lives of a member, as others hear it (paper 5.2).

A vote that leaves is durable already: a crash right after it must not free the voter.

Decides: that. Must not know: whom to vote for.
Read next: elections.py, promises.py.
"""

from replog_node.raft.messages import CoreMessage, RequestVote, VoteReply
from tests.simulation.oracles.durable import Kept
from tests.simulation.oracles.oracle import Oracle


class OneVote(Oracle):
    """Hears what members send. A candidate's question is its vote for itself."""

    name = "one vote"

    def __init__(self) -> None:
        self._given: dict[tuple[str, int], str] = {}

    def sent(self, member: str, to: str, message: CoreMessage, kept: Kept) -> None:
        """A member sends a message to another one; kept: what is on its disk."""
        match message:
            case VoteReply(granted=True, pre=False):
                self._voted(member, message.term, to, kept)
            case RequestVote(pre=False):
                self._voted(member, message.term, member, kept)
            case _:
                pass

    def _voted(self, member: str, term: int, candidate: str, kept: Kept) -> None:
        given = self._given.setdefault((member, term), candidate)
        if given != candidate:
            raise self.broken(f"{member} voted for {given} and {candidate} in term {term}")
        hard = kept.hard
        there = hard.current_term > term or (hard.current_term, hard.voted_for) == (term, candidate)
        if not there:
            raise self.broken(
                f"{member} votes for {candidate} in term {term}, its disk says {hard}"
            )
