"""What a damaged disk serves is true: each entry as it was, or a refusal that names the damage.

Nothing that was durable in a sealed segment goes missing in silence either: it is served, or lies
in a hole that the store knows.

Decides: that. Must not know: what was damaged, and how (../autopsy.py).
Read next: frames.py, unharmed.py.
"""

from collections.abc import Iterable, Mapping

from replog_node.model.entries import Entry
from tests.simulation.oracles.oracle import Oracle


class ServedTrue(Oracle):
    """Knows a log as it was before its disk was damaged, by the base of each entry."""

    name = "a damaged disk serves the truth"

    def __init__(self, node: str, log: Mapping[int, Entry]) -> None:
        self._node = node
        self._log = log

    def served(self, what: str, entries: Iterable[Entry]) -> None:
        """With this damage somebody was given these."""
        for entry in entries:
            known = self._log.get(entry.base)
            if known is None or (known.frame, known.chain) != (entry.frame, entry.chain):
                raise self.broken(f"{self._node}, {what}: {entry.base} is not what was written")

    def missing(
        self, what: str, entries: Iterable[Entry], holes: Iterable[tuple[int, int]], sealed: range
    ) -> None:
        """That was all, with these holes (first, last); no offset of `sealed` is missing."""
        known = {offset for first, last in holes for offset in range(first, last + 1)}
        for entry in entries:
            known.update(range(entry.base, entry.last + 1))
        lost = [offset for offset in sealed if offset not in known]
        if lost:
            raise self.broken(f"{self._node}, {what}: {lost[0]} is gone, and nothing says so")
