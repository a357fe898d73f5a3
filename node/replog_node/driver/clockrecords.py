"""Time moves only through entries, so when something is due and nobody writes, the leader does.

Decides: when a clock record is written: a producer session's end has come by the wall clock and
log time hasn't passed it.
Must not know: what else may expire.
Read next: ../raft/logtime.py.
"""

from typing import Final

from replog_node.driver.kernel import Kernel
from replog_node.driver.obstacles import Obstacles
from replog_node.model.controls import ClockAdvanced
from replog_node.model.entries import Payload
from replog_node.state.applied import AppliedState

PAUSE_MS: Final = 1000
"""At most one clock record in this time, however slowly log time follows."""


class ClockRecords:
    """Writes clock records while this member leads."""

    def __init__(self, kernel: Kernel, applied: AppliedState, obstacles: Obstacles) -> None:
        self._kernel = kernel
        self._applied = applied
        self._obstacles = obstacles
        self._last_ms = 0

    def tick(self) -> None:
        """Write one if it is due."""
        due_ms = self._applied.next_expiry_ms
        now_ms = self._kernel.clock.wall_ms()
        if due_ms is None or due_ms > now_ms or 0 <= now_ms - self._last_ms < PAUSE_MS:
            return  # a clock that was set back is no reason to wait until it comes there again
        if self._obstacles.to_control() is None:
            self._last_ms = now_ms
            self._kernel.propose(Payload((ClockAdvanced(),)))
