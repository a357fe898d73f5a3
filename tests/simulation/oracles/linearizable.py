"""Linearizable: one order explains every answer, and it agrees with real time.

In general that is hard to decide; here it is not, because the log itself is the order. Values are
unique, so each append that took effect has one place in it, its offset; an append that isn't there
took no effect, and nobody was told that it did (outcomes.py). A read that was told the index R is
placed right behind R. What is left to show, in O(n log n), is that this one order will do:
- real time: whoever begins after something was known lies behind it. Known is what was acknowledged
  (its last offset) or read (its index). So an append that begins later has a higher offset, and a
  read that begins later has no lower index. An append that begins after a read has ended has an
  offset above its index: no read saw the future;
- the answers are those of that order: an acknowledged append is where it was told (outcomes.py), a
  read's pages are the log's (frames.py), a conditional append lies directly behind the record that
  it named. The fate that a fence tells is an answer like any other; it is known from then on.
If these hold, executing the calls in the order of their places gives every answer that was given,
and no call is placed before one that had ended when it began, which is the definition (Herlihy and
Wing). If one doesn't hold, no order does: places are forced by the offsets that clients were told.

Decides: that. Must not know: how reads are confirmed.
Read next: outcomes.py, frames.py.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from tests.simulation.clients.history import History
from tests.simulation.oracles.oracle import Oracle

Values = Mapping[bytes, Sequence[int]]


class Linearizable(Oracle):
    """Compares a history with the log."""

    name = "linearizable"

    def check(self, history: History, values: Values) -> None:
        """Compare a history with the offsets of all values."""
        known = sorted(_known(history))
        self._appends(history, values, known)
        self._reads(history, known)
        self._conditions(history, values)

    def _appends(self, history: History, values: Values, known: list[tuple[int, int]]) -> None:
        begun = sorted(
            (attempt.began_us, values[attempt.values[0]][0], attempt.name)
            for attempt in history.attempts
            if attempt.values[0] in values
        )
        highest = _Highest(known)
        for began_us, offset, name in begun:
            if offset <= highest.before(began_us):
                raise self.broken(
                    f"{name} at {offset} began after {highest.before(began_us)} was known"
                )

    def _reads(self, history: History, known: list[tuple[int, int]]) -> None:
        highest = _Highest(known)
        for read in sorted(history.reads, key=lambda read: read.began_us):
            if read.index < highest.before(read.began_us):
                raise self.broken(
                    f"{read.node} read up to {read.index} after "
                    f"{highest.before(read.began_us)} was known"
                )

    def _conditions(self, history: History, values: Values) -> None:
        """A conditional append lies directly behind the record that it named."""
        records = sorted(offset for places in values.values() for offset in places)
        for attempt in history.attempts:
            if attempt.behind is None or attempt.values[0] not in values:
                continue
            place = bisect_left(records, values[attempt.values[0]][0])
            before = records[place - 1] if place else -1
            if before != attempt.behind:
                raise self.broken(f"{attempt.name} lies behind {before}, not {attempt.behind}")


def _known(history: History) -> Iterator[tuple[int, int]]:
    """When which offset was known to be in the log, by an answer."""
    for attempt in history.attempts:
        if attempt.ended_us is not None:
            yield attempt.ended_us, attempt.last
    for read in history.reads:
        yield read.ended_us, read.index


class _Highest:
    """The highest offset that was known before a moment; moments are asked for in order."""

    def __init__(self, known: list[tuple[int, int]]) -> None:
        self._known = known
        self._place = 0
        self._highest = -1

    def before(self, moment_us: int) -> int:
        while self._place < len(self._known) and self._known[self._place][0] < moment_us:
            self._highest = max(self._highest, self._known[self._place][1])
            self._place += 1
        return self._highest
