"""The room that the log keeps for when the file system is full.

A spare file of a segment's size, allocated and never written to, waits under a name of its own and
becomes the next segment when the log rolls; another is made then, beside the writer. While that
can't be done, or little is free, the member is *low*; when the active segment is nearly full and
there is no spare, it is *full*. Both are states that pass by themselves, not failures.

A spare whose first sector isn't zero was on its way to become a segment when power failed, and may
still be one under another name: that name counts, and the spare's is removed.

Decides: which file a new segment gets, and what low and full mean.
Must not know: what a segment holds, who admits what.
Read next: log.py (who takes it), ../adapters/io_thread.py (who looks).
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

SMALLEST_SHARE: Final = 64
"""At a start on a full disk the first segment may be smaller: a half, a quarter … down to this."""

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

    @property
    def ready(self) -> bool:
        """Whether there is a spare."""
        return self._ready

    def find(self) -> None:
        """At a start: keep the spare that is there if it is one. Raises DiskError."""
        if SPARE_NAME not in self._disk.names():
            return
        file = self._disk.open(SPARE_NAME)
        try:
            untouched = not any(file.read(0, BLOCK_ALIGNMENT))
            self._ready = untouched and file.size() == self._limits.segment_bytes
        finally:
            file.close()
        if not self._ready:
            self._disk.remove(SPARE_NAME)

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

    def space(self, room: int) -> DiskSpace:
        """Make a spare if need be, and say how much there is; room: bytes left where it writes.

        Raises DiskError.
        """
        spare = self.prepare()
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
        smallest = size if not any_size else size // SMALLEST_SHARE
        while True:
            try:
                return self._disk.create(name, size), size
            except DiskError as problem:
                if not problem.full:
                    raise
                size //= 2
                if size < max(smallest, aligned(least)):
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


def discard(disk: Disk, name: str) -> None:
    """Remove a file that came to nothing; one that can't be removed goes at the next start."""
    with suppress(DiskError):
        disk.remove(name)
