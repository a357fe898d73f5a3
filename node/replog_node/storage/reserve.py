"""The room that the log keeps for when the file system is full.

A spare file of a segment's size, allocated and never written to, waits under a name of its own and
becomes the next segment when the log rolls; another is made then, beside the writer. While that
can't be done, or little is free, the member is *low*; when the active segment is nearly full and
there is no spare, it is *full*. Both are states that pass by themselves, not failures.

A spare whose first sector isn't zero was on its way to become a segment when power failed, and may
still be one under another name: that name counts, and the spare's is removed.

Decides: which file a new segment gets, and what low and full mean.
Must not know: what a segment holds, who admits what.
Read next: log.py (who takes it), ../adapters/../adapters/space.py (who looks).
"""

from contextlib import suppress
from typing import Final

import msgspec

from replog_node.storage.blocks import BLOCK_ALIGNMENT, aligned
from replog_node.storage.disk import Disk, DiskError, File
from replog_node.storage.errors import NoRoom
from replog_node.storage.limits import StoreLimits

SPARE_NAME: Final = "spare"
"""The file's name; no other file is called so."""

SNAPSHOT_SPARE_NAME: Final = "spare.snapshot"
"""The room of a snapshot, without which nothing could be trimmed away on a full disk."""

SNAPSHOT_SPARE_BYTES: Final = 256 * 1024
"""The least of it; or twice the newest snapshot, for what has grown since."""

SMALLEST_BYTES: Final = 64 * 1024
"""At a start on a full disk the first segment may be smaller: a half, a quarter … down to this, or
to what must be in it."""

_LOOK_BYTES: Final = 1024 * 1024
RECOVERED_SHARE: Final = 8
"""A member is low until an eighth more than the limit is free: else it would flicker around it."""


class DiskSpace(msgspec.Struct, frozen=True):
    """How much room a member has. Bytes as the file system tells them to this user.

    low: less than the soft limit is free, or there is no spare. tight: low, and the active segment
    has less room than may be on its way: what comes may take the spare. full: tight, and there is
    no spare: nothing more must be taken.
    """

    free_bytes: int
    low: bool
    full: bool
    tight: bool = False


class Reserve:
    """The spare of one data directory. `prepare` and `space` may run beside the writer."""

    def __init__(self, disk: Disk, limits: StoreLimits) -> None:
        """Know of none yet."""
        self._disk = disk
        self._limits = limits
        self._ready = False
        self._low = False
        self._snapshot_bytes = 0

    @property
    def ready(self) -> bool:
        """Whether there is a spare."""
        return self._ready

    def find(self) -> None:
        """At a start: keep the spares that are there if they are such. Raises DiskError."""
        names = self._disk.names()
        if SPARE_NAME in names:
            self._ready = self._untouched(SPARE_NAME) == self._limits.segment_bytes
            if not self._ready:
                self._disk.remove(SPARE_NAME)
        if SNAPSHOT_SPARE_NAME in names:
            self._snapshot_bytes = self._untouched(SNAPSHOT_SPARE_NAME) or 0
            if not self._snapshot_bytes:
                self._disk.remove(SNAPSHOT_SPARE_NAME)

    def _untouched(self, name: str) -> int | None:
        """The size of a spare that was never written to; None of another."""
        file = self._disk.open(name)
        try:
            return None if any(file.read(0, BLOCK_ALIGNMENT)) else file.size()
        finally:
            file.close()

    def prepare(self) -> bool:
        """Make a spare if there is none; whether there is one now. Raises DiskError but for space.

        Not durable: a power loss may take it, and the next start makes another.
        """
        if self._ready:
            return True
        try:
            self._disk.create(SPARE_NAME, self._limits.segment_bytes).close()
        except DiskError as problem:
            if problem.full:
                return False
            raise
        self._ready = True
        return True

    def prepare_for_snapshot(self, newest_bytes: int) -> None:
        """See to it that the next snapshot has room, if the newest one is so large.

        Raises DiskError but for space.
        """
        wanted = max(SNAPSHOT_SPARE_BYTES, aligned(2 * newest_bytes))
        held = SNAPSHOT_SPARE_NAME in self._disk.names()
        self._snapshot_bytes *= held
        if held and 2 * self._snapshot_bytes > wanted:
            return
        try:
            file = self._open_for_snapshot(held=held)
            try:
                file.allocate(wanted)
            finally:
                file.close()
        except DiskError as problem:
            if not problem.full and not problem.missing:
                raise
        else:
            self._snapshot_bytes = wanted

    def _open_for_snapshot(self, *, held: bool) -> File:
        if held:
            return self._disk.open(SNAPSHOT_SPARE_NAME)
        return self._disk.create(SNAPSHOT_SPARE_NAME, 0)

    def space(self, room: int, newest_bytes: int = 0) -> DiskSpace:
        """Make the spares if need be, and say how much there is.

        room: bytes left where it writes. newest_bytes: of the newest snapshot. Raises DiskError.
        """
        spare = self.prepare()
        self.prepare_for_snapshot(newest_bytes)
        free = self._disk.free_bytes()
        limit = self._limits.soft_limit_bytes
        self._low = not spare or free < limit + (limit // RECOVERED_SHARE if self._low else 0)
        tight = self._low and room < self._limits.margin_bytes
        return DiskSpace(free, self._low, tight and not spare, tight)

    def allot(self, name: str, least: int, *, any_size: bool) -> tuple[File, int]:
        """Return an allocated file of this name, and its size: a segment's, or more for `least`.

        The spare, if it is large enough. any_size: at a start, when there must be one, less than a
        segment will do on a full disk. Raises NoRoom, with nothing changed, and DiskError.
        """
        size = max(self._limits.segment_bytes, aligned(least))
        if self._ready and size == self._limits.segment_bytes and self._take(name):
            return self._disk.open(name), size
        smallest = max(min(size // 8, SMALLEST_BYTES), aligned(least)) if any_size else size
        while True:
            try:
                return self._disk.create(name, size), size
            except DiskError as problem:
                if not problem.full:
                    raise
                size //= 2
                if size < smallest:
                    raise NoRoom(f"the disk is full: {problem}") from problem

    def _take(self, name: str) -> bool:
        """Give the spare this name; False if somebody removed it.

        Only then is it ready no more: prepare must not make one where this one lies.
        """
        try:
            self._disk.rename(SPARE_NAME, name)
        except DiskError as problem:
            if not problem.missing and not problem.full:
                raise
            if problem.full:  # the directory itself can't grow
                raise NoRoom(f"the disk is full: {problem}") from problem
            self._ready = False
            return False
        self._ready = False
        return True


def create_in_spare(disk: Disk, name: str, size: int) -> File:
    """Make a file of this size, of the snapshot's spare if the disk is full. Raises DiskError."""
    try:
        return disk.create(name, size)
    except DiskError as problem:
        if not problem.full or SNAPSHOT_SPARE_NAME not in disk.names():
            raise
    disk.rename(SNAPSHOT_SPARE_NAME, name)
    file = disk.open(name)
    try:
        file.allocate(size)
        file.truncate(size)
    except DiskError:
        file.close()
        discard(disk, name)  # the next look makes a spare of it again
        raise
    return file


def give_back_unused(disk: Disk, name: str) -> None:
    """Give the file system what a segment has allocated and never written: its zeros at the end.

    Its length stays what it is, so nothing of it looks lost. The room for a snapshot goes, too: it
    comes back when there is room, and without a segment there is no member. Raises DiskError.
    """
    discard(disk, SNAPSHOT_SPARE_NAME)
    file = disk.open(name)
    try:
        end = file.size()
        while end > 0:
            start = max(0, end - _LOOK_BYTES)
            written = len(file.read(start, end - start).rstrip(b"\0"))
            if written:
                file.release(aligned(start + written))
                return
            end = start
    finally:
        file.close()


def discard(disk: Disk, name: str) -> None:
    """Remove a file that came to nothing; one that can't be removed goes at the next start."""
    with suppress(DiskError):
        disk.remove(name)
