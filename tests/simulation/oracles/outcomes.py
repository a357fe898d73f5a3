"""Definite answers: whatever is told as certain is so, for ever.

An acknowledged append lies where it was told, an append of which it was told that it didn't happen
is nowhere, and so is one of which a fence says so. Only `unknown` may be either.

Decides: that. Must not know: why an outcome was unknown.
Read next: exactly_once.py, linearizable.py.
"""

from collections.abc import Mapping, Sequence

from tests.simulation.clients.history import Attempt, History
from tests.simulation.oracles.oracle import Oracle


class DefiniteAnswers(Oracle):
    """Compares what was told with the log."""

    name = "definite answers"

    def check(self, history: History, values: Mapping[bytes, Sequence[int]]) -> None:
        """Compare a history with the offsets of all values."""
        for attempt in history.attempts:
            self._attempt(attempt, [o for v in attempt.values for o in values.get(v, ())])

    def _attempt(self, attempt: Attempt, found: list[int]) -> None:
        name, told = attempt.name, attempt.told
        if attempt.outcome == "applied" and not found:
            raise self.broken(f"{name} was acknowledged at {told}, and the log doesn't have it")
        if told and (set(told) != {found[0]} or attempt.offset != found[0]):
            raise self.broken(f"{name} was told {told}, the log has it at {found}")
        if attempt.outcome == "none" and found:
            raise self.broken(f"{name} was told none, the log has it at {found}")
        if attempt.resolved is not None and attempt.resolved != bool(found):
            raise self.broken(f"{name} was resolved as {attempt.resolved}, the log has {found}")
