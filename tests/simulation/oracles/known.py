"""What clients knew to be in the log, and since when.

Decides: what counts as known: what was acknowledged, and what was read linearizably.
Must not know: what must hold.
Read next: linearizable.py, stale_reads.py.
"""

from collections.abc import Iterator

from tests.simulation.clients.history import History


def known(history: History) -> Iterator[tuple[int, int]]:
    """When which offset was known to be in the log, by an answer (in virtual µs)."""
    for attempt in history.attempts:
        if attempt.ended_us is not None:
            yield attempt.ended_us, attempt.last
    for read in history.reads:
        yield read.ended_us, read.index


class Highest:
    """The highest offset that was known before a moment; moments are asked for in order."""

    def __init__(self, known: list[tuple[int, int]]) -> None:
        """known: sorted."""
        self._known = known
        self._place = 0
        self._highest = -1

    def before(self, moment_us: int) -> int:
        """The highest known offset; -1: none."""
        while self._place < len(self._known) and self._known[self._place][0] < moment_us:
            self._highest = max(self._highest, self._known[self._place][1])
            self._place += 1
        return self._highest
