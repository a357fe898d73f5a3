"""A read from a time begins at the first record that was appended then or later; log time never
falls.

Decides: that. Must not know: how it is looked for.
Read next: committed.py.
"""

from bisect import bisect_left

from replog_node.driver.view import ReadView
from replog_node.model.entries import Entry
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle


class TimeReads(Oracle):
    """Compares what a member found with the committed log."""

    name = "reads from a time"

    def __init__(self, log: CommittedLog) -> None:
        self._log = log

    def found(self, node: str, view: ReadView, time_ms: int, offset: int) -> None:
        """A member says that its view begins here, from that time on."""
        place = bisect_left(self._log.entries, time_ms, key=_time_ms)
        right = view.end_offset
        if place < len(self._log.entries):
            right = min(right, max(self._log.entries[place].base, view.log_start_offset))
        if offset != right:
            raise self.broken(f"{node} begins at {offset} for {time_ms} in {view}, not at {right}")

    def applied(self, node: str, entry: Entry) -> None:
        """A member applies an entry: the last in the log, or one before."""
        before = self._log.entries[-2:-1]
        if entry is self._log.entries[-1] and before and before[0].append_time_ms > _time_ms(entry):
            raise self.broken(f"log time falls at {entry.base}, as {node} applies it")


def _time_ms(entry: Entry) -> int:
    return entry.append_time_ms
