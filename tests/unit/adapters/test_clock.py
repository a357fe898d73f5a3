"""Ticks keep time, and make up for a pause only a little."""

from collections.abc import Callable

import pytest

from replog_node.adapters.clock import CATCH_UP_TICKS, SystemClock, Ticker


class Handle:
    cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class HandTimers:
    """An event loop's clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.due: tuple[float, Callable[[], object], Handle] | None = None

    def time(self) -> float:
        return self.now_s

    def call_at(self, when: float, callback: Callable[[], object], /) -> Handle:
        handle = Handle()
        self.due = (when, callback, handle)
        return handle

    def move_to(self, now_s: float) -> None:
        """Let time pass, calling what is due at its time."""
        while self.due is not None and self.due[0] <= now_s and not self.due[2].cancelled:
            when, callback, _ = self.due
            self.due = None
            self.now_s = max(self.now_s, when)
            callback()
        self.now_s = now_s

    def leap_to(self, now_s: float) -> None:
        """Stop the process until then."""
        self.now_s = now_s
        self.move_to(now_s)


class Counting:
    def __init__(self) -> None:
        self.timers = HandTimers()
        self.ticks = 0
        self.failures: list[BaseException] = []
        self.ticker = Ticker(50, self.tick, self.failures.append, self.timers)
        self.ticker.start()

    def tick(self) -> None:
        self.ticks += 1


def test_ticks_come_at_their_rate_without_drift() -> None:
    counting = Counting()
    counting.timers.move_to(100.0 + 1000 * 0.05 + 0.01)
    assert counting.ticks == 1000


def test_after_a_pause_only_a_few_ticks_are_made_up_for() -> None:
    counting = Counting()
    counting.timers.leap_to(110.0)
    assert counting.ticks == CATCH_UP_TICKS
    counting.timers.move_to(110.12)
    assert counting.ticks == CATCH_UP_TICKS + 2


def test_a_late_tick_does_not_delay_the_next() -> None:
    counting = Counting()
    counting.timers.leap_to(100.09)
    assert counting.ticks == 1
    counting.timers.move_to(100.101)
    assert counting.ticks == 2


def test_a_closed_ticker_is_silent() -> None:
    counting = Counting()
    counting.ticker.close()
    assert counting.timers.due is not None
    assert counting.timers.due[2].cancelled
    counting.timers.move_to(200.0)
    assert counting.ticks == 0


def test_a_tick_that_fails_is_told_to_the_node() -> None:
    counting = Counting()

    def fail() -> None:
        raise RuntimeError("broken")

    ticker = Ticker(50, fail, counting.failures.append, counting.timers)
    ticker.start()
    with pytest.raises(RuntimeError):
        counting.timers.move_to(101.0)
    assert [str(failure) for failure in counting.failures] == ["broken"]


def test_the_system_clock_counts_milliseconds_since_1970_and_never_back() -> None:
    clock = SystemClock()
    assert 1_700_000_000_000 < clock.wall_ms() < 5_000_000_000_000
    assert clock.monotonic_s() <= clock.monotonic_s()
