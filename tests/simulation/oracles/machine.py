"""State machine safety: what is applied at an offset is the same everywhere (paper, figure 3).

Decides: that. Must not know: what applying changes.
Read next: states.py, committed.py.
"""

from replog_node.model.entries import Entry
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle


class StateMachineSafety(Oracle):
    """Sees every entry that anybody applies; the first to apply one adds it to the log."""

    name = "state machine safety"

    def __init__(self, log: CommittedLog) -> None:
        self._log = log

    def applied(self, node: str, entry: Entry) -> None:
        """A member applies an entry."""
        if entry.base >= self._log.end:
            if entry.base > self._log.end:
                raise self.broken(f"{node} applied {entry.base} although {self._log.end} is next")
            self._log.entries.append(entry)
            return
        known = self._log.at(entry.base)
        if known is None or known.frame != entry.frame:
            raise self.broken(f"{node} applied another entry at {entry.base} than was applied")
