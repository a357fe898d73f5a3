"""Exactly once: no record lies twice in the log, and a batch lies there whole, or not at all.

A session repeats its batches until it knows their fate, at several members at once, and every
value is unique; so a value that lies twice was appended twice. All answers to the repeats of one
batch name one place, and a session's batches lie in the order in which it numbered them.

Decides: that. Must not know: how repeats are recognized.
Read next: outcomes.py.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from tests.simulation.clients.history import Attempt, History
from tests.simulation.oracles.oracle import Oracle


class ExactlyOnce(Oracle):
    """Looks at the log through the values that clients wrote."""

    name = "exactly once"

    def check(self, history: History, values: Mapping[bytes, Sequence[int]]) -> None:
        """Compare a history with the offsets of all values."""
        last: dict[str, int] = {}
        for attempt in history.attempts:
            base = self._whole(attempt, values)
            if len(set(attempt.told)) > 1:
                raise self.broken(f"{attempt.name} was told several places: {attempt.told}")
            if attempt.session and base is not None:
                if base < last.get(attempt.session, -1):
                    raise self.broken(f"{attempt.name} lies before its predecessor")
                last[attempt.session] = base

    def _whole(self, attempt: Attempt, values: Mapping[bytes, Sequence[int]]) -> int | None:
        """Where a batch begins, if it is there."""
        places = [values.get(value, ()) for value in attempt.values]
        found = [offset for offsets in places for offset in offsets]
        if any(len(offsets) > 1 for offsets in places):
            raise self.broken(f"{attempt.name} is in the log at {found}")
        whole = len(found) in (0, len(places)) and all(b == a + 1 for a, b in pairwise(found))
        if not whole:
            raise self.broken(f"{attempt.name} lies in pieces: {found} of {len(places)}")
        return found[0] if found else None
