"""Log matching: entries of one term and offset are one entry, with one history (paper, figure 3).

Looked at when a member gives entries to its disk: whatever it gets later, it got there.

Decides: that. Must not know: from whom the entries came.
Read next: chains.py, completeness.py.
"""

from replog_node.raft.effects import Persist
from tests.simulation.oracles.chains import Chains, Link
from tests.simulation.oracles.oracle import Oracle


class LogMatching(Oracle):
    """Fills the chains, and knows which of them ends at each term and offset."""

    name = "log matching"

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._known: dict[tuple[int, int], bytes] = {}

    def writing(self, node: str, persist: Persist) -> None:
        """A member is about to write entries behind the end of its log, or where it cuts it."""
        chain = self._chains.parent(node, persist)
        for entry in persist.entries:
            known = self._known.setdefault((entry.term, entry.last), entry.chain)
            if known != entry.chain:
                raise self.broken(f"{node} writes another history up to {entry.position}")
            parent = chain if entry.base else b""
            link = self._chains.add(entry, chain)
            if link != Link(parent, entry.base, entry.last, entry.term):
                raise self.broken(f"{node} writes {entry.position} behind another entry: {link}")
            before = self._chains.link(parent)
            if before is not None and (before.last + 1 != entry.base or before.term > entry.term):
                raise self.broken(f"{node} writes {entry.base} of {entry.term} behind {before}")
            chain = entry.chain
        self._chains.tips[node] = chain
