"""A member's clocks: a wall clock that may be wrong, jump and drift, and one that never goes back.

Decides: how wrong it is. Must not know: who reads it.
Read next: node.py.
"""

from typing import Final

from tests.simulation.clockwork import Clockwork

WALL_BASE_MS: Final = 1_700_000_000_000


class SimClock:
    """driver.ports.ClockPort. skew_ms: how far the wall clock is ahead of the world's time."""

    def __init__(self, clockwork: Clockwork) -> None:
        self._clockwork = clockwork
        self.skew_ms = clockwork.random.randint(-200, 200)
        self._drift = 0.0
        self._since_us = 0

    def drift(self, rate: float) -> None:
        """Run faster by this part of real time, from what the clock shows now."""
        self.skew_ms += self._drifted_ms()
        self._drift, self._since_us = rate, self._clockwork.now_us

    def jump(self, to_skew_ms: int) -> None:
        """Show that much more than the world's time, at once."""
        self._since_us, self.skew_ms = self._clockwork.now_us, to_skew_ms

    def set_right(self) -> None:
        """Show the world's time, and run as it does."""
        self.skew_ms, self._drift = 0, 0.0

    def _drifted_ms(self) -> int:
        return int((self._clockwork.now_us - self._since_us) * self._drift / 1000)

    def wall_ms(self) -> int:
        return WALL_BASE_MS + self._clockwork.now_us // 1000 + self.skew_ms + self._drifted_ms()

    def monotonic_s(self) -> float:
        return self._clockwork.now_us / 1e6
