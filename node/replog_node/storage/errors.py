"""How storage says no. Whose fault it is, is the type.

Decides: the kinds of failure. Must not know: who handles them.
Read next: store.py.
"""

from replog_node.model.positions import Offset


class StorageError(Exception):
    """Everything that storage raises."""


class StorageFailed(StorageError):
    """The disk refused something, so what it holds is unknown: the store is unusable for good.

    Nothing is retried in place, an fsync least of all: file systems mark unwritten pages clean
    when it fails (research 3c). Stop acknowledging, end the process, and recover from the bytes.
    """


class NoRoom(StorageError):
    """The file system has no room for what was to be written. Nothing of the log was changed.

    The store goes on, and the same write succeeds once there is room. Term and vote that came with
    it may be durable already.
    """


class LogDamaged(StorageError):
    """Something that was durable can't be read. Nothing was cut; the data is as it was found.

    segment: the file. offset: the first offset that can't be proven.
    """

    def __init__(self, segment: str, offset: Offset, what: str) -> None:
        """Keep where the damage is and a sentence about it."""
        super().__init__(f"{segment}: the log is damaged at offset {offset}: {what}")
        self.segment = segment
        self.offset = offset
        self.what = what


class ReadRefused(StorageError):
    """The disk refused a read (a bad sector, no descriptor left). Nothing is known to be lost.

    The store goes on, and the same read may succeed later. segment: the file.
    """

    def __init__(self, segment: str, what: str) -> None:
        """Keep the file and what the disk said."""
        super().__init__(f"{segment}: {what}")
        self.segment = segment


class VoteStateLost(StorageError):
    """Both copies of term and vote are unreadable: this member must never vote again.

    It might vote twice in one term. Replace it by a member with an empty directory.
    """


class IdentityDamaged(StorageError):
    """Who this member is can't be read, but there is data of it. Nothing was changed."""


class FormatUnknown(StorageError):
    """Sound bytes in a format that this build doesn't know: a newer one wrote them."""


class SnapshotUnusable(StorageError):
    """A snapshot's file is missing, torn or rotten. Nothing of it was used.

    name: the file. Drop it (Store.drop_snapshot); another one or another member's takes its place.
    """

    def __init__(self, name: str, what: str) -> None:
        """Keep the file and a sentence about it."""
        super().__init__(f"{name}: {what}")
        self.name = name
        self.what = what


class ChainBroken(StorageError):
    """The entries to write don't follow the log's tail. Nothing was written."""


class RepairRefused(StorageError):
    """A hole can't be filled now: it is no more, or more is damaged, or there is no room for it.

    Nothing that counts was changed. Look at Store.holes again.
    """


class StoreMisused(StorageError):
    """The caller asked for what can't be right; the text says what. Nothing was written."""
