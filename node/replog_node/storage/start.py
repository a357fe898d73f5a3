"""Where the log may begin: what this member has given up, on purpose.

Without it a lost first segment could not be told from a released one. `base` is the end of the
newest snapshot up to which segments were released; from then on they are superseded, whether or
not their files are gone yet. `installing` is a snapshot that takes the place of the whole log:
it is said here before anything of the log is touched, and the next start finishes what a crash
left undone.

Decides: the file `start`. Must not know: why a log is trimmed, who sent a snapshot.
Read next: recovery.py, store.py.
"""

from typing import Final

import msgspec

from replog_node.model.positions import ORIGIN, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage import checked
from replog_node.storage.blocks import aligned
from replog_node.storage.disk import Disk, DiskError, Sync

START_NAME: Final = "start"
_KIND: Final = b"RLst"


class Start(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the file says. base: ORIGIN while nothing was given up. installing: see above.

    known: False when the file is there and can't be read; then a sound snapshot that covers the
    log's start is believed instead.
    """

    base: Position = ORIGIN
    installing: SnapshotMeta | None = None
    known: bool = True

    def allows(self, first: Offset) -> bool:
        """Whether a log may begin with this offset because of what was released."""
        return not self.known or first <= self.base.offset + 1


def load_start(disk: Disk) -> Start:
    """Return what the file says, written again: files are removed because of it, and what was read
    may be in the page cache only. Raises FormatUnknown, NoRoom, DiskError.
    """
    start = read_start(disk)
    if start.known and start != Start():
        save_start(disk, start)
    return start


def read_start(disk: Disk) -> Start:
    """Return what the file says; nothing is written. Raises FormatUnknown, DiskError."""
    try:
        return checked.unpack(_KIND, checked.read_whole(disk, START_NAME), Start, START_NAME)
    except checked.Unsound:
        return Start(known=False)
    except DiskError as problem:
        if problem.missing:
            return Start()
        raise


def save_start(disk: Disk, start: Start) -> None:
    """Write the file, durably. Raises DiskError."""
    data = checked.pack(_KIND, start)
    sectors = data.ljust(aligned(len(data)), b"\0")
    checked.replace(disk, START_NAME, sectors, Sync.START)
    disk.sync_directory(Sync.START_NAME)
