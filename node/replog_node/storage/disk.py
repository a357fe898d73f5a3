"""The disk as storage sees it: one flat directory of files, synchronous.

Every durable byte of a member passes through here. Without a sync nothing is durable: a power loss
keeps, loses or tears each unsynced write (per 512 bytes) and each unsynced creation, renaming and
removal on its own, in any combination. Whoever implements this port may do that, and the one for
tests does (tests/support/simdisk.py).

Decides: the primitives, and how they fail. Must not know: what the bytes mean.
Read next: disk_os.py.
"""

from enum import StrEnum
from typing import Protocol


class Sync(StrEnum):
    """What a sync makes true; without it a power loss takes exactly that (docs/on-disk.md).

    Every sync of storage names its reason, so that an error can say which promise is broken, and
    so that a test can leave out one of them and show what is lost
    (tests/unit/storage/test_each_sync.py).
    """

    BLOCK = "entries"
    MARK = "the mark of an idle log"
    SEGMENT = "a new segment's first bytes"
    SEGMENT_NAME = "a new segment's name"
    NEW_VOTE = "a new member's term and vote"
    VOTE = "term and vote"
    RENEWED_VOTE = "term and vote, found at start"
    MEMBER_NAMES = "the names of a new member's files"
    SNAPSHOT = "a snapshot's bytes"
    SNAPSHOT_NAME = "a snapshot's name"
    START = "where the log may begin"
    START_NAME = "the name of where the log may begin"
    REPAIR = "a segment written anew"
    REPAIR_NAME = "the name of a segment written anew"
    IDENTITY = "the identity"
    IDENTITY_NAME = "the identity's name"


class DiskError(Exception):
    """The disk refused. full: for lack of space. missing: because there is no such file."""

    def __init__(self, what: str, *, full: bool = False, missing: bool = False) -> None:
        """Keep what was tried and why it failed."""
        super().__init__(what)
        self.full = full
        self.missing = missing


class File(Protocol):
    """An open file. Everything raises DiskError. `read` may run beside the other calls."""

    def write(self, at: int, data: bytes) -> None:
        """Write all of `data` at byte `at`, growing the file if need be. Not durable yet."""

    def read(self, at: int, length: int) -> bytes:
        """Return up to `length` bytes from `at` on: fewer only at the file's end."""

    def truncate(self, size: int) -> None:
        """Make the file this long; a longer file is zero there. Not durable yet."""

    def allocate(self, size: int) -> None:
        """Make the file at least this long, with its space reserved. Not durable yet."""

    def release(self, at: int) -> None:
        """Give back the space of what is zero from byte `at` on, and keep the length."""

    def size(self) -> int:
        """The file's length in bytes."""

    def sync(self, why: Sync) -> None:
        """Make the file's bytes and length durable (fdatasync). Not its name."""

    def close(self) -> None:
        """Give the file back."""


class Disk(Protocol):
    """One member's data directory, held exclusively. Everything raises DiskError."""

    def names(self) -> tuple[str, ...]:
        """The files' names, ordered."""

    def create(self, name: str, size: int) -> File:
        """Make a file of `size` zero bytes with its space reserved, in place of any other so named.

        Neither name nor bytes are durable yet. For lack of space nothing is made.
        """

    def open(self, name: str) -> File:
        """Open an existing file to read and write."""

    def rename(self, old: str, new: str) -> None:
        """Give a file a new name, atomically in place of what had it. Not durable yet."""

    def remove(self, name: str) -> None:
        """Remove a file's name. Not durable yet."""

    def sync_directory(self, why: Sync) -> None:
        """Make all creations, renamings and removals so far durable."""

    def free_bytes(self) -> int:
        """How many bytes more this process may allocate, as the file system says now."""

    def close(self) -> None:
        """Give the directory back; another process may take it."""
