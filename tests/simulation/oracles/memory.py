"""What a member never forgets, however its process or machine dies: term, vote, and its log as far
as that is committed.

What is lost to a disk that rots, and known to be lost, is another matter: a member that says so
takes no part with it.

Decides: that. Must not know: how it died.
Read next: durable.py, monotonic.py.
"""

from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.durable import Kept
from tests.simulation.oracles.oracle import Oracle


class NothingForgotten(Oracle):
    """Compares what a process finds with what the one before it had."""

    name = "nothing forgotten"

    def __init__(self, chains: Chains, commits: Commits) -> None:
        self._chains = chains
        self._commits = commits

    def restarted(self, node: str, left: Kept, found: Kept, *, damaged: bool) -> None:
        """A process has found this on its disk; damaged: and knows that the log's end is lost."""
        old, new = left.hard, found.hard
        if new.current_term < old.current_term:
            raise self.broken(f"{node} was in term {old.current_term}, found {new.current_term}")
        same = new.current_term == old.current_term
        if same and old.voted_for not in (None, new.voted_for):
            raise self.broken(f"{node} had voted for {old.voted_for}, found {new.voted_for}")
        if found.start.position.offset < left.start.position.offset:
            raise self.broken(f"{node}'s log began behind {left.start}, now {found.start}")
        self._no_later_term(node, found)
        if not damaged:
            self._log(node, left, found)

    def _no_later_term(self, node: str, found: Kept) -> None:
        """Term and vote are written first: else it might vote again in its last entry's term."""
        last, term = found.tail.position, found.hard.current_term
        if last.term > term:
            raise self.broken(f"{node} has an entry of term {last.term}, and found term {term}")

    def _log(self, node: str, left: Kept, found: Kept) -> None:
        """What it had of the committed log must be there."""
        chain = self._commits.upto(left.tail.position.offset)
        link = None if chain is None else self._chains.link(chain)
        if chain is None or link is None or not self._chains.holds(left.tail.chain, chain):
            return
        if found.start.position.offset >= link.last:
            return
        if not self._chains.holds(found.tail.chain, chain):
            raise self.broken(
                f"{node} had the committed log up to {link.last}, and found one that ends at "
                f"{found.tail.position}"
            )
