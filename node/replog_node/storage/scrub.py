"""Reading everything again, slowly, so that rot is found while other members can still help.

The log from its start to its end, then the snapshots; then a rest, and again. Each step reads a
little in the way that everybody reads, so whatever a reader would notice is noticed here. What the
system has in memory may hide what the disk has lost; a restart of the machine shows it.

Decides: what is looked at next, and how long after that nothing is. Must not know: threads, clocks.
Read next: store.py (examine), ../adapters/io_thread.py (who steps).
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from replog_node.model.positions import Offset
from replog_node.storage.errors import (
    LogDamaged,
    ReadRefused,
    SnapshotUnusable,
    StorageError,
)
from replog_node.storage.store import Store

STEP_BYTES: Final = 256 * 1024
"""Entries read in one step; a single one may be larger."""

REST_S: Final = 3600.0
"""After everything was looked at."""


class Scrubbed(NamedTuple):
    """What one step did: the bytes it read, and what it found damaged or couldn't read, if any.

    wait_s: how long to wait before the next one, so that the rate is kept.
    """

    size_bytes: int
    problem: StorageError | None
    wait_s: float


class Scrub:
    """Goes round a store; `step` may run beside the writer. bytes_per_s: at most; 0 for never."""

    def __init__(self, store: Store, bytes_per_s: int) -> None:
        """Begin at the log's start."""
        self._store = store
        self._bytes_per_s = bytes_per_s
        self._round = self._go_round()

    def step(self) -> Scrubbed:
        """Look at a little more. Raises StorageFailed after the store has failed."""
        if not self._bytes_per_s:
            return Scrubbed(0, None, REST_S)
        for size_bytes, problem in self._round:
            return Scrubbed(size_bytes, problem, size_bytes / self._bytes_per_s)
        self._round = self._go_round()
        return Scrubbed(0, None, REST_S)

    def _go_round(self) -> Iterator[tuple[int, StorageError | None]]:
        yield from self._log()
        for meta in self._store.snapshots:
            try:
                yield len(self._store.read_state(meta)), None
            except (SnapshotUnusable, ReadRefused) as problem:
                if meta in self._store.snapshots:  # else it was let go of meanwhile
                    yield 0, problem

    def _log(self) -> Iterator[tuple[int, StorageError | None]]:
        at = next((Offset(each.base) for each in self._store.segments()), Offset(0))
        while True:
            try:
                entries = self._store.read(at, STEP_BYTES)
            except (LogDamaged, ReadRefused) as problem:
                yield 0, problem
                at = self._behind(at)
                continue
            if not entries:
                first = next((Offset(each.base) for each in self._store.segments()), at)
                if at >= first:
                    return
                at = first  # what was next is released
                continue
            yield sum(entry.size_bytes for entry in entries), None
            at = Offset(entries[-1].last + 1)

    def _behind(self, at: Offset) -> Offset:
        """Where to go on: behind the hole, if it is known by now, else with the next segment."""
        ends = [hole.end for hole in self._store.holes if hole.start <= at <= hole.end]
        bases = [each.base for each in self._store.segments() if each.base > at]
        return Offset(ends[0] + 1) if ends else Offset(min(bases, default=self._end()))

    def _end(self) -> Offset:
        return Offset(self._store.tail.position.offset + 1)
