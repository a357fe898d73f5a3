"""Equal frames by offset: whoever reads the log is given what is committed there, byte for byte.

Decides: that. Must not know: from where the frames came (memory, disk).
Read next: committed.py.
"""

from itertools import pairwise

from replog_node.model.entries import Entry
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle


class EqualFrames(Oracle):
    """Compares pages with the committed log."""

    name = "equal frames"

    def __init__(self, log: CommittedLog) -> None:
        self._log = log

    def page(self, node: str, at: int, entries: tuple[Entry, ...]) -> None:
        """A member gave a page: what is committed, from the entry that holds `at` on."""
        found = bool(entries) and entries[0].base <= at <= entries[0].last
        if not found and at < self._log.end:
            raise self.broken(f"{node} gave {len(entries)} entries for a page at {at}")
        for before, behind in pairwise(entries):
            if behind.base != before.last + 1:
                raise self.broken(f"{node} gave {behind.base} behind {before.last}")
        for entry in entries:
            if entry.base >= self._log.end:
                continue
            known = self._log.at(entry.base)
            if known is None or known.frame != entry.frame:
                raise self.broken(f"{node} gave an entry at {entry.base} that isn't committed")
