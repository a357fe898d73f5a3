"""Time: the clocks that the driver reads, and the ticks that it is told of.

Ticks follow monotonic time without drift. After a pause of the process (SIGSTOP, a suspended
machine) only a few are made up for: many at once would make a member that heard nothing campaign
before it has read what waits in its sockets.

Decides: how many. Must not know: what a tick does.
Read next: ../driver/ports.py.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from replog_node.adapters.guard import OnFailure, guarded

CATCH_UP_TICKS: Final = 3
"""Ticks made at once after a pause, the due one included; further ones are left out."""


class SystemClock:
    """driver.ports.ClockPort over the machine's clocks."""

    def wall_ms(self) -> int:
        """See ClockPort."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """See ClockPort."""
        return time.monotonic()


class Timers(Protocol):
    """What of an event loop a ticker needs."""

    def time(self) -> float:
        """Seconds of a clock that never goes back."""

    def call_at(self, when: float, callback: Callable[[], object], /) -> Any:
        """Call at this time; the handle that is returned can cancel()."""


class Ticker:
    """Calls `on_tick` every tick_ms on the event loop, from start() to close()."""

    def __init__(
        self,
        tick_ms: int,
        on_tick: Callable[[], None],
        on_failure: OnFailure,
        timers: Timers | None = None,
    ) -> None:
        """timers: the running event loop, unless given."""
        self._tick_s = tick_ms / 1000
        self._on_tick = on_tick
        self._on_failure = on_failure
        self._timers = asyncio.get_running_loop() if timers is None else timers
        self._due_s = 0.0
        self._handle: Any = None
        self._closed = False

    def start(self) -> None:
        """Make the first tick one tick from now."""
        self._due_s = self._timers.time() + self._tick_s
        self._schedule()

    def close(self) -> None:
        """Make no further tick."""
        self._closed = True
        if self._handle is not None:
            self._handle.cancel()

    def _schedule(self) -> None:
        if not self._closed:
            self._handle = self._timers.call_at(self._due_s, self._fire)

    def _fire(self) -> None:
        late_s = max(0.0, self._timers.time() - self._due_s)
        due = 1 + int(late_s / self._tick_s)
        self._due_s += due * self._tick_s
        for _ in range(min(due, CATCH_UP_TICKS)):
            if not self._closed:
                guarded(self._on_failure, self._on_tick)
        self._schedule()
