"""The snapshots that a member has: taking one in, and letting go of those that are of no more use.

While the log begins after a snapshot, two sound files stand for what is before it: two snapshots,
or one and its copy; and neither is newer than the base, since others begin with nothing newer. So
one rotten file costs nothing.

Decides: which files there are. Must not know: segments, who asked.
Read next: snapshots.py, store.py.
"""

from collections.abc import Iterable

from replog_node.model.positions import ORIGIN, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage.disk import Disk, DiskError, Sync
from replog_node.storage.errors import SnapshotUnusable
from replog_node.storage.snapshots import (
    Found,
    base_of,
    copy_name,
    is_part,
    is_snapshot,
    part_offset,
    prove,
    read_piece,
    read_state,
    snapshot_name,
    which_to_keep,
    write_copy,
)


class KeptSnapshots:
    """The sound snapshots. `all` is replaced whole, so any thread may look at it.

    damaged: the files that the start removed.
    """

    def __init__(self, disk: Disk, found: Found, between: int = 0) -> None:
        """Go on with what a start found; between: see which_to_keep."""
        self._disk = disk
        self._between = between
        self.all = found.snapshots
        self.damaged = found.damaged

    @property
    def newest(self) -> SnapshotMeta | None:
        """The newest one, which is the best to start from."""
        return self.all[-1] if self.all else None

    def base(self, given_up: Position, start: Position) -> SnapshotMeta | None:
        """What others begin with, as far as is known here: the first retained offset may be higher.

        given_up: up to where segments were released. start: what the log's first entry follows.
        """
        log_start = max(given_up.offset + 1, 0 if self.newest is None else self.newest.log_start)
        return base_of(self.all, Offset(log_start), start.offset)

    def take(self, name: str, meta: SnapshotMeta) -> None:
        """Give a durable file the name of a snapshot, durably. Raises DiskError."""
        self._disk.rename(name, snapshot_name(meta))
        self._disk.sync_directory(Sync.SNAPSHOT_NAME)
        others = [each for each in self.all if each.position.offset != meta.position.offset]
        self.all = tuple(sorted((*others, meta), key=lambda each: each.position.offset))

    def drop(self, meta: SnapshotMeta) -> None:
        """Remove a damaged snapshot; its copy takes its place if there is one. Raises DiskError.

        One whose file is sound stays: of two readers that met the damage, the second comes when
        the copy is in its place already.
        """
        if self._sound(snapshot_name(meta), meta):
            return
        if self._sound(copy_name(meta), meta):
            self._disk.rename(copy_name(meta), snapshot_name(meta))
            self._disk.sync_directory(Sync.SNAPSHOT_NAME)
            return
        self.all = tuple(each for each in self.all if each != meta)
        self._remove(snapshot_name(meta))

    def _sound(self, name: str, meta: SnapshotMeta) -> bool:
        try:
            prove(self._disk, name, meta)
        except SnapshotUnusable:
            return False
        return True

    def prove(self, meta: SnapshotMeta) -> None:
        """See that it is as it was written, before older ones go because of it.

        Raises SnapshotUnusable, DiskError.
        """
        prove(self._disk, snapshot_name(meta), meta)

    def cover(self, start: Position, base: SnapshotMeta | None) -> None:
        """Make sure that two sound files stand for what is before `start`, durably.

        base: what others begin with; None while it isn't known, then newer ones count, too.
        Nothing to do for a log that begins at its beginning. Raises DiskError; SnapshotUnusable
        if the only snapshot turns out to be damaged.
        """
        self._copy_only(self.all, start, base)

    def _copy_only(
        self, metas: Iterable[SnapshotMeta], start: Position, base: SnapshotMeta | None
    ) -> SnapshotMeta | None:
        """Return the snapshot that stands alone for what is before `start`, after copying it."""
        last = None if base is None else base.position.offset
        covering = [
            meta
            for meta in metas
            if start.offset <= meta.position.offset
            and (last is None or meta.position.offset <= last)
        ]
        if start == ORIGIN or len(covering) != 1:
            return None
        if copy_name(covering[0]) not in self._disk.names():
            write_copy(self._disk, covering[0], snapshot_name(covering[0]), copy_name(covering[0]))
            self._disk.sync_directory(Sync.SNAPSHOT_NAME)
        return covering[0]

    def thin(self, base: SnapshotMeta, start: Position) -> None:
        """Remove what isn't worth keeping, and copies of what no longer needs one; see cover.

        Nothing is synced: what comes back at a start goes again.
        """
        held = [meta.position.offset for meta in self.all]
        kept = which_to_keep(held, base.position.offset, self._between)
        left = tuple(meta for meta in self.all if meta.position.offset in kept)
        only = self._copy_only(left, start, base)
        self.all = left
        names = {snapshot_name(meta) for meta in left}
        if only is not None:
            names.add(copy_name(only))
        for name in self._disk.names():
            if is_snapshot(name) and name not in names:
                self._disk.remove(name)

    def remove_old_parts(self) -> None:
        """Remove what was being fetched and is no newer than what is there."""
        newest = -1 if self.newest is None else self.newest.position.offset
        for name in self._disk.names():
            if is_part(name) and part_offset(name) <= newest:
                self._disk.remove(name)

    def read_state(self, meta: SnapshotMeta) -> bytes:
        """Return the state's bytes, proven; of the copy if need be. Any thread may call this.

        Raises SnapshotUnusable when neither is sound, DiskError.
        """
        try:
            return read_state(self._disk, snapshot_name(meta), meta)
        except (SnapshotUnusable, DiskError) as problem:
            try:
                return read_state(self._disk, copy_name(meta), meta)
            except SnapshotUnusable:
                raise problem from None

    def read_chunk(self, meta: SnapshotMeta, at: int, max_bytes: int) -> bytes:
        """Return bytes of the snapshot's file; before the first ones, all of it is proven.

        Any thread may call this. Raises SnapshotUnusable, DiskError.
        """
        name = snapshot_name(meta)
        if at == 0:
            prove(self._disk, name, meta)
        return read_piece(self._disk, name, at, max_bytes)

    def _remove(self, name: str) -> None:
        if name in self._disk.names():
            self._disk.remove(name)
