"""Whether this process may write, and in whose name: every write asks here just before it is sent.

The lease says who acts; but a process that was paused, or cut off, believes that it holds the lease
long after another took it. So a renewal grants the right to write only until a moment on this
process's own clock, and past it every write is refused, whatever anybody believes.

Decides: that moment is final: a fence that is closed, or past its time, never opens again for the
epoch that it was opened for. Must not know: how the lease is renewed (election.py), who writes.
Read next: lease.py, election.py.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

Clock = Callable[[], float]
"""Seconds of a clock that is never set."""


def since_boot_s() -> float:
    """The clock for leases. Unlike `time.monotonic` it goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Epoch(NamedTuple):
    """One holding of the lease. number: its leaseTransitions.

    lease: namespace/name. identity: of the process. Members refuse a lower number, and the same
    number of another holder.
    """

    lease: str
    number: int
    identity: str

    @property
    def holder(self) -> str:
        """The holder as members are told: of which lease, and who (model.observed.lease_of)."""
        return f"{self.lease}#{self.identity}"


class Deposed(Exception):
    """The lease is not held for sure any more: nothing may be written, the process must end."""


class Fence:
    """Closed at first. Moments are of the clock that is given."""

    def __init__(self, clock: Clock = since_boot_s) -> None:
        self._clock = clock
        self._epoch: Epoch | None = None
        self._until_s = 0.0

    def extend(self, epoch: Epoch, until_s: float) -> None:
        """A renewal: writes may be sent in the name of this epoch until then."""
        self._epoch = epoch
        self._until_s = until_s

    def close(self) -> None:
        """The lease was lost or given up."""
        self._epoch = None

    def now_s(self) -> float:
        """The clock of its moments."""
        return self._clock()

    def remaining_s(self) -> float:
        """For how long writes may still be sent; 0 or less: not any more."""
        return 0.0 if self._epoch is None else self._until_s - self._clock()

    @property
    def number(self) -> int:
        """Of the epoch in whose name writes may be sent now; 0: of none."""
        return 0 if self._epoch is None or self.remaining_s() <= 0 else self._epoch.number

    def check(self) -> Epoch:
        """The epoch in whose name a write may be sent now. Raises Deposed."""
        epoch = self._epoch
        if epoch is None:
            raise Deposed("the lease is not held")
        past_s = self._clock() - self._until_s
        if past_s >= 0:
            raise Deposed(f"the lease was renewed too long ago, by {past_s:.1f} s")
        return epoch
