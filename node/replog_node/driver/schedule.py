"""The leader's housekeeping: snapshot points by size, trims by retention.

Decides: when a record of that kind is due. Must not know: how snapshots are built, what releases.
Read next: retention.py, snapshots.py.
"""

from collections.abc import Callable, Sequence
from typing import Final

from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.retention import retention_trim
from replog_node.model.controls import ClockAdvanced, Control, LogTrimmed, SnapshotPoint
from replog_node.model.entries import Payload
from replog_node.model.positions import Offset
from replog_node.state.applied import AppliedState
from replog_node.storage.store import SegmentInfo

LOOK_S: Final = 1.0
"""Between two looks at what retention gives up."""

CLOCKS_APART_MS: Final = 60_000
"""Voters' clocks further apart than this disagree: nothing is given up for its age then. Well above
what heartbeats and paused processes make of clocks that agree."""

CLOCK_S: Final = 60.0
"""Between two clock records for retention's sake: log time may not reach what the clock says."""


class Schedule:
    """Proposes, one record at a time: nothing while the one before isn't applied."""

    def __init__(
        self,
        kernel: Kernel,
        applied: AppliedState,
        obstacles: Obstacles,
        limits: DriverLimits,
        segments: Callable[[], Sequence[SegmentInfo]],
    ) -> None:
        self._kernel = kernel
        self._applied = applied
        self._obstacles = obstacles
        self._limits = limits
        self._segments = segments
        self._proposed = Offset(-1)
        self._looked_s = 0.0
        self._clock_s = -CLOCK_S
        self.held = ""
        """Why nothing is given up for its age now; empty when nothing hinders it."""

    def tick(self, now_s: float) -> None:
        """As a leader that may append: propose what is due."""
        if self._obstacles.to_control() is not None:
            self.held = ""
            return
        if self._proposed > self._applied.offset:
            return
        if self._applied.bytes_since_point >= self._limits.snapshot_bytes:
            self._propose(SnapshotPoint("size"))
        elif now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._retain(now_s)

    def _retain(self, now_s: float) -> None:
        limits = self._limits
        if not limits.retention_bytes and not limits.retention_age_ms:
            return
        segments = self._segments()
        self.held = self._clocks_disagree() if limits.retention_age_ms else ""
        trim = retention_trim(
            segments,
            self._applied.log_start,
            self._applied.log_time_ms,
            retention_bytes=limits.retention_bytes,
            retention_age_ms=0 if self.held else limits.retention_age_ms,
        )
        if trim is not None:
            before = Offset(min(trim.log_start, self._kernel.committed.offset + 1))
            self._propose(LogTrimmed(before, trim.cause))
        elif not self.held and self._time_is_due(segments) and now_s - self._clock_s >= CLOCK_S:
            self._clock_s = now_s
            self._propose(ClockAdvanced())

    def _clocks_disagree(self) -> str:
        """Log time may be wrong then, and what is given up doesn't come back."""
        core = self._kernel.core
        apart_ms = 0 if core is None else core.clocks_apart_ms
        return f"the voters' clocks lie {apart_ms} ms apart" if apart_ms > CLOCKS_APART_MS else ""

    def _time_is_due(self, segments: Sequence[SegmentInfo]) -> bool:
        """Whether something is too old by the clock, which log time only learns by a record."""
        age_ms = self._limits.retention_age_ms
        if not age_ms or len(segments) < 2:
            return False
        return segments[0].last_append_time_ms + age_ms < self._kernel.clock.wall_ms()

    def _propose(self, control: Control) -> None:
        self._proposed = self._kernel.propose(Payload((control,))).last
