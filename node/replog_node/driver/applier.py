"""Applies what is committed, in order, each entry once.

Recent entries come from the core's memory; after a start, or far behind, they come from disk.

Decides: when state moves. Must not know: what the state means (state/), who waits for it.
Read next: ../state/applied.py, driver.py (what follows an advance).
"""

from collections.abc import Callable, Iterable
from typing import Final

from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.model.entries import Entry
from replog_node.model.features import check_spoken
from replog_node.model.positions import Offset, Position
from replog_node.raft.violation import InvariantViolation
from replog_node.state.applied import AppliedState

RETRY_TICKS: Final = 2
"""A read that gave nothing to apply is tried again: the disk may not have got there yet."""

STUCK_AFTER: Final = 10
"""Reads in a row that gave nothing to apply: then somebody should look at the disk."""


class Applier:
    """Moves the applied state towards the commit."""

    def __init__(
        self,
        kernel: Kernel,
        applied: AppliedState,
        read: Callable[[Offset, int], None],
        limits: DriverLimits,
        on_point: Callable[[Position], None],
    ) -> None:
        """on_point: called after each entry with a snapshot point, before the next is applied."""
        self._kernel = kernel
        self._applied = applied
        self._read = read
        self._limits = limits
        self._on_point = on_point
        self._reading = False
        self._pause_ticks = 0
        self._failures = 0

    @property
    def stuck(self) -> bool:
        """Whether the disk doesn't give what is to be applied next, however often it is asked."""
        return self._failures >= STUCK_AFTER

    @property
    def behind(self) -> bool:
        """Whether something committed isn't applied."""
        return self._applied.offset < self._kernel.committed.offset

    def advance(self) -> bool:
        """Apply what is at hand; whether anything moved."""
        moved = False
        while self.behind and not self._reading:
            core = self._kernel.core
            entries = None if core is None else core.recent(Offset(self._applied.offset + 1))
            if entries:
                if not self._apply(entries):
                    raise InvariantViolation(
                        f"{self._kernel.committed} is committed, which is no entry's end here"
                    )
                moved = True
            elif self._pause_ticks:
                break
            else:
                self._reading = True
                self._read(Offset(self._applied.offset + 1), self._limits.apply_bytes)
        return moved

    def on_read(self, entries: tuple[Entry, ...] | None) -> bool:
        """What the disk gave; whether anything moved."""
        self._reading = False
        moved = self._apply(entries or ())
        self._failures = 0 if moved else self._failures + 1
        if not moved:
            self._pause_ticks = RETRY_TICKS
        return moved

    def begin_anew(self) -> None:
        """A snapshot took the place of the state: what was being read isn't needed any more.

        Its answer applies nothing, since it lies at or below the state.
        """
        self._pause_ticks = self._failures = 0

    def tick(self) -> None:
        """Let a pause pass."""
        self._pause_ticks = max(0, self._pause_ticks - 1)

    def _check_spoken(self, entry: Entry) -> None:
        """Raise LevelNotSpoken rather than apply what this build doesn't understand."""
        if entry.configuration is not None:
            what = f"the log from offset {entry.base} on"
            check_spoken(entry.configuration.feature_level, self._kernel.spoken_level, what)

    def _apply(self, entries: Iterable[Entry]) -> bool:
        """Apply those of the entries that are committed and not applied; whether there were any.

        What was read from disk may have been cut off meanwhile and be committed otherwise; the
        term at its place tells (log matching).
        """
        before = self._applied.offset
        for entry in entries:
            if entry.last > self._kernel.committed.offset:
                break
            if self._kernel.term_at(entry.last) != entry.term:
                break
            if entry.last <= self._applied.offset:
                continue
            if entry.base != self._applied.offset + 1:
                raise InvariantViolation(
                    f"entry at {entry.base} to apply after {self._applied.offset}"
                )
            self._check_spoken(entry)
            self._applied.apply(entry)
            if self._applied.point == entry.last:
                self._on_point(entry.position)
        return self._applied.offset > before
