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
  it named, and one that was refused was told a record that was the last at some moment of the call:
  there is its place. The fate that a fence tells is an answer like any other.
If these hold, executing the calls in the order of their places gives every answer that was given,
and no call is placed before one that had ended when it began, which is the definition (Herlihy and
Wing). If one doesn't hold, no order does: places are forced by the offsets that clients were told.

Decides: that. Must not know: how reads are confirmed.
Read next: outcomes.py, frames.py.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from tests.simulation.clients.history import Attempt, History
from tests.simulation.oracles.known import Highest
from tests.simulation.oracles.known import known as knowledge
from tests.simulation.oracles.oracle import Oracle

Values = Mapping[bytes, Sequence[int]]


class Linearizable(Oracle):
    """Compares a history with the log."""

    name = "linearizable"

    def check(self, history: History, values: Values) -> None:
        """Compare a history with the offsets of all values."""
        known = sorted(knowledge(history))
        self._appends(history, values, known)
        self._reads(history, known)
        self._conditions(history, values, known)

    def _appends(self, history: History, values: Values, known: list[tuple[int, int]]) -> None:
        begun = sorted(
            (attempt.began_us, values[attempt.values[0]][0], attempt.name)
            for attempt in history.attempts
            if attempt.values[0] in values
        )
        highest = Highest(known)
        for began_us, offset, name in begun:
            if offset <= highest.before(began_us):
                raise self.broken(
                    f"{name} at {offset} began after {highest.before(began_us)} was known"
                )

    def _reads(self, history: History, known: list[tuple[int, int]]) -> None:
        highest = Highest(known)
        for read in sorted(history.reads, key=lambda read: read.began_us):
            if read.index < highest.before(read.began_us):
                raise self.broken(
                    f"{read.node} read up to {read.index} after "
                    f"{highest.before(read.began_us)} was known"
                )

    def _conditions(self, history: History, values: Values, known: list[tuple[int, int]]) -> None:
        """A conditional append lies directly behind the record that it named, or is told another
        one that was the last at some moment of the call."""
        records = sorted(offset for places in values.values() for offset in places)
        conditional = [attempt for attempt in history.attempts if attempt.behind is not None]
        highest = Highest(known)
        begun = {
            values[value][0]: attempt.began_us
            for attempt in history.attempts for value in attempt.values if value in values
        }  # fmt: skip
        for attempt in sorted(conditional, key=lambda attempt: attempt.began_us):
            least = _last_record(records, highest.before(attempt.began_us))
            if attempt.values[0] in values:
                before = _last_record(records, values[attempt.values[0]][0] - 1)
                if before != attempt.behind:
                    raise self.broken(f"{attempt.name} lies behind {before}, not {attempt.behind}")
            if attempt.instead is not None:
                if _last_record(records, attempt.instead) != attempt.instead:
                    raise self.broken(
                        f"{attempt.name} was refused for {attempt.instead}: no record"
                    )
                self._refusal(attempt, attempt.instead, least, begun)

    def _refusal(self, attempt: Attempt, told: int, least: int, begun: Mapping[int, int]) -> None:
        """least: the last record that was known when the call began."""
        if told == attempt.behind or told < least:
            raise self.broken(
                f"{attempt.name} was to follow {attempt.behind}, and was refused for {told}"
                f" although {least} was known"
            )
        if told >= 0 and begun.get(told, 0) > (attempt.refused_us or 0):
            raise self.broken(f"{attempt.name} was refused for {told}, which began later")


def _last_record(records: Sequence[int], upto: int) -> int:
    """The last record at or below an offset; -1: none."""
    place = bisect_right(records, upto)
    return records[place - 1] if place else -1
