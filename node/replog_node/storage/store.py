"""The one door to what is durable.

Order within a write: term and vote, then the truncation, then all entries in one write with one
sync. Nothing a caller is told to be durable depends on anything that isn't.

Decides: what is checked before anything is written, and that a failed disk is never used again.
Must not know: who asked, when, in which thread. Calls that change the log come from one thread at
a time; those that say so may come from any, beside them.
Read next: log.py, recovery.py.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState, LogBounds
from replog_node.raft.messages import Incarnation
from replog_node.storage.bounds import EMPTY, bounds_of
from replog_node.storage.damage import Damage
from replog_node.storage.disk import Disk, DiskError
from replog_node.storage.errors import (
    ChainBroken,
    LogDamaged,
    NoRoom,
    ReadRefused,
    RepairRefused,
    SnapshotUnusable,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.hardstate import HardStateFiles, load_hard_state
from replog_node.storage.identity import IDENTITY_NAME, Identity, load_identity, save_identity
from replog_node.storage.kept import KeptSnapshots
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Cut, Log, Random64
from replog_node.storage.merging import check_chain, merge
from replog_node.storage.opening import create_member, open_log, remove_temporary
from replog_node.storage.reader import offset_at_time, read_entries
from replog_node.storage.recovery import begin_log
from replog_node.storage.repair import check_fill
from replog_node.storage.reserve import DiskSpace, Reserve
from replog_node.storage.snapshots import (
    Incoming,
    base_of,
    part_name,
    prove,
    read_meta,
    read_state,
    snapshot_name,
)
from replog_node.storage.start import Start, save_start
from replog_node.storage.summary import Hole, Segment

_REMOVED_AT_ONCE = 8
"""Files removed by a release itself; each further write removes one."""


class Recovered(msgspec.Struct, frozen=True):
    """What a member finds of itself at start; all of it is durable.

    cluster_id, lineage: None while unassigned; then the log is empty. founding: the operation
    with which this member founded its cluster, "" if it joined it. removed: it was, for good.
    snapshot: the newest one, to start from; the log may begin after it or long before it.
    damaged_snapshots: files that were removed because they were damaged.
    holes: damage within the log; while there is any, terms and configurations within it aren't
    known, so `log` is not exact. unproven: how far the log went before it lost its end.
    """

    member: MemberId
    cluster_id: ClusterId | None
    lineage: Lineage | None
    incarnation: Incarnation
    hard_state: HardState
    log: LogBounds
    founding: str = ""
    removed: bool = False
    snapshot: SnapshotMeta | None = None
    damaged_snapshots: tuple[str, ...] = ()
    holes: tuple[Hole, ...] = ()
    unproven: Position | None = None


class SegmentInfo(NamedTuple):
    """A segment's offsets, its bytes that count, and the log time of its last entry.

    An empty one has last == base - 1 and the time of the entry before it.
    """

    base: Offset
    last: Offset
    size_bytes: int
    last_append_time_ms: int


def open_store(
    disk: Disk,
    limits: StoreLimits,
    *,
    new_member_id: Callable[[], MemberId],
    random64: Random64,
) -> "Store":
    """Recover what the directory holds, or make it a new member's, and begin an incarnation.

    Raises LogDamaged, VoteStateLost, IdentityDamaged, FormatUnknown, NoRoom (nothing of the log
    was changed), or StorageFailed; then the disk is the caller's to close. Dying anywhere within
    and opening again is harmless.
    """
    with _failing():
        names = remove_temporary(disk)
        if IDENTITY_NAME not in names:
            create_member(disk, names, new_member_id)
        identity = load_identity(disk)
        hard_state = load_hard_state(disk, identity.member)
        reserve = Reserve(disk, limits)
        reserve.find()
        term = hard_state.state.current_term
        ground, log = open_log(disk, limits, random64, reserve, identity, term)
        kept = KeptSnapshots(disk, ground.found, limits.snapshots_between)
        if log is not None:
            kept.remove_old_parts()
            kept.cover(log.start.position, kept.base(ground.start.base, log.start.position))
        identity = msgspec.structs.replace(identity, incarnation=identity.incarnation + 1)
        save_identity(disk, identity)
        reserve.prepare()
    return Store(
        disk,
        limits,
        random64,
        reserve,
        identity=identity,
        hard_state=hard_state,
        log=log,
        start=ground.start,
        kept=kept,
    )


class Store:
    """One member's durable state, open. After StorageFailed every call raises it again."""

    def __init__(
        self,
        disk: Disk,
        limits: StoreLimits,
        random64: Random64,
        reserve: Reserve,
        *,
        identity: Identity,
        hard_state: HardStateFiles,
        log: Log | None,
        start: Start,
        kept: KeptSnapshots,
    ) -> None:
        """Use open_store."""
        self._disk = disk
        self._limits = limits
        self._random64 = random64
        self._reserve = reserve
        self._identity = identity
        self._hard_state = hard_state
        self._log = log
        self._start = start
        self._kept = kept
        self._released: deque[str] = deque()
        self._proven: SnapshotMeta | None = None
        self._failed: str | None = None
        self.recovered = Recovered(
            member=identity.member,
            cluster_id=identity.cluster_id,
            lineage=identity.lineage,
            incarnation=Incarnation(identity.incarnation, random64()),
            hard_state=hard_state.state,
            log=bounds_of(log, self._kept.newest, self.base),
            founding=identity.founding,
            removed=identity.removed,
            snapshot=self._kept.newest,
            damaged_snapshots=kept.damaged,
            holes=self.holes,
            unproven=self.unproven,
        )

    @property
    def tail(self) -> Tail:
        """What the next entry must follow: the durable end of the log."""
        return EMPTY if self._log is None else self._log.tail

    @property
    def hard_state(self) -> HardState:
        """The durable term and vote."""
        return self._hard_state.state

    @property
    def start(self) -> Tail:
        """What the log's first entry follows; nothing up to it is on the disk any more."""
        return EMPTY if self._log is None else self._log.start

    @property
    def snapshots(self) -> tuple[SnapshotMeta, ...]:
        """The sound snapshots, durable, ascending. Any thread may look."""
        return self._kept.all

    @property
    def base(self) -> SnapshotMeta | None:
        """The newest snapshot from which all retained entries follow, as far as is known here.

        None: there is none, or none is needed since the log begins at its beginning.
        """
        return self._kept.base(self._start.base, self.start.position)

    def write(self, persists: Sequence[Persist]) -> None:
        """Make all of these durable, as if one after the other; on return they are.

        Raises, with nothing written: ChainBroken if entries don't follow the tail, StoreMisused
        for a broken promise, a truncation at no entry's end, or entries before an assignment.
        Raises NoRoom, with none of the entries written: the same call may succeed later.
        Raises StorageFailed when the disk refuses; then some of it may be durable.
        """
        with self._guarded():
            merged = merge(persists)
            if merged.hard_state is not None:
                self._hard_state.check(merged.hard_state)
            cut = self._plan_cut(merged.truncate_to)
            if cut is not None and cut.lost is not None:
                self._assigned().truncate(cut)
                raise StorageFailed(
                    f"the log was to be cut at {cut.lost}, within damage: it ends"
                    f" at {cut.tail.position} now, and goes on from there after a restart"
                )
            check_chain(self.tail if cut is None else cut.tail, merged.entries)
            if merged.hard_state is not None:
                self._hard_state.save(merged.hard_state)
            if cut is not None:
                self._assigned().truncate(cut)
            if merged.entries:
                self._assigned().append(merged.entries)
            self._remove_released(1)

    def write_idle_mark(self) -> None:
        """Say on disk that the whole log is durable, if it doesn't say so yet.

        For when the log has been idle (50 ms): without it a restart can't tell its last block
        from a torn one. Raises StorageFailed.
        """
        with self._guarded():
            if self._log is not None:
                self._log.write_mark()
            self._remove_released(1)

    def read(self, at: Offset, max_bytes: int) -> tuple[Entry, ...]:
        """Return the entry that holds `at`, then those after it while all fit into `max_bytes`.

        Only durable entries, each one proven; nothing if there is none at `at`. Any thread may
        call this beside a write. Raises LogDamaged when the disk no longer gives what it was
        given, ReadRefused when it gives nothing now; neither is the end of the store. Raises
        StorageFailed after a write failed.
        """
        self._check_usable()
        log = self._log
        while log is not None:
            view = log.view
            try:
                return read_entries(
                    self._disk,
                    view,
                    at,
                    max_bytes=max_bytes,
                    read_bytes=self._limits.read_bytes,
                )
            except LogDamaged:
                if log.same_generation(view.generation):
                    raise  # else it was cut off or written anew meanwhile: look again
        return ()

    def offset_at_time(self, time_ms: int) -> Offset | None:
        """Return the first offset of the first entry with this append time or a later one.

        None if there is none yet. Any thread may call this. Raises as `read` does.
        """
        self._check_usable()
        while (log := self._log) is not None:
            view = log.view
            try:
                return offset_at_time(self._disk, view, time_ms, self._limits.read_bytes)
            except LogDamaged:
                if log.same_generation(view.generation):
                    raise
        return None

    def segments(self) -> tuple[SegmentInfo, ...]:
        """Return what there is of the log, ascending. Any thread may call this; nothing is read."""
        if self._log is None:
            return ()
        view = self._log.view
        return tuple(
            SegmentInfo(s.base, s.last, s.summary.end, s.summary.tail.append_time_ms)
            for s in (*view.sealed, view.active)
        )

    @property
    def holes(self) -> tuple[Hole, ...]:
        """What was durable and can't be read, ascending; `repair` fills them."""
        return () if self._log is None else self._log.holes

    @property
    def unproven(self) -> Position | None:
        """How far the log once went, while what it has lost at its end isn't replaced."""
        return None if self._log is None else self._log.unproven

    def bounds(self) -> LogBounds:
        """Return what the core must know of the log; exact when there are no holes."""
        return bounds_of(self._log, self._kept.newest, self.base)

    def damage(self) -> Damage:
        """Return what is known to be damaged now."""
        return Damage(self.holes, self.unproven, self.bounds())

    def examine(self, name: str) -> Segment | None:
        """Read the segment file `name` anew, all of it; None if it is sound.

        For when a read raised LogDamaged, and for scrubbing. Any thread may call this; give what
        it returns to `damaged`. Raises ReadRefused.
        """
        log = self._log
        if log is None:
            return None
        try:
            return log.examine(name)
        except DiskError as problem:
            raise ReadRefused(name, str(problem)) from problem

    def damaged(self, examined: Segment) -> None:
        """Turn what `examine` found into holes: they are served no more. Raises StorageFailed."""
        with self._guarded():
            self._assigned().damaged(examined)

    def repair(self, hole: Hole, entries: Sequence[Entry]) -> None:
        """Fill a hole, or its front, durably; the entries may come from anybody.

        Raises ChainBroken if they don't fit on both sides, RepairRefused if there is no such hole
        (any more), if more of its segment turns out to be damaged (which is a hole then), or if
        the disk is full; then nothing was changed. Raises StorageFailed.
        """
        with self._guarded():
            log = self._assigned()
            if hole not in log.holes:
                raise RepairRefused(f"there is no such hole at offset {hole.start}")
            check_fill(hole, entries)
            log.repair(hole, entries)

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str = "") -> None:
        """Make this member belong to a cluster and lineage, durably and for good.

        founding: the operation, if it founds the cluster.

        Repeating it is harmless; another cluster or lineage raises StoreMisused. The log's first
        segment is made before the identity says that there is one, so that a missing log is
        noticed. Raises NoRoom (nothing has changed), StorageFailed.
        """
        with self._guarded():
            held = self._identity
            if (held.cluster_id, held.lineage) == (cluster_id, lineage):
                return
            if held.cluster_id is not None:
                raise StoreMisused(f"assigned to {held.cluster_id} {held.lineage} already")
            log = begin_log(self._disk, self._limits, self._random64, self._reserve, cluster_id)
            identity = msgspec.structs.replace(
                held, cluster_id=cluster_id, lineage=lineage, founding=founding
            )
            save_start(self._disk, self._start)  # so that a full disk can be trimmed
            save_identity(self._disk, identity)
            self._identity, self._log = identity, log

    def park(self) -> None:
        """Remember durably that the cluster has removed this member. Repeating it is harmless."""
        with self._guarded():
            if not self._identity.removed:
                identity = msgspec.structs.replace(self._identity, removed=True)
                save_identity(self._disk, identity)
                self._identity = identity

    def adopt_snapshot(self, name: str) -> SnapshotMeta:
        """Make a snapshot of a file written by write_snapshot, or fetched whole; durable on return.

        Raises StoreMisused if it isn't of this log, SnapshotUnusable (the state's own digest is
        checked by who reads it, not here), StorageFailed.
        """
        with self._guarded():
            meta = read_meta(self._disk, name)
            self._check_of_this_log(meta)
            self._kept.take(name, meta)
            return meta

    def install(self, meta: SnapshotMeta) -> None:
        """Let the log restart after this snapshot, durably: it takes the place of all entries.

        The snapshot is one that Incoming.finish has proven, or one of `snapshots`. Once it has
        begun, the next start finishes it. Raises StoreMisused if there is no such file or a newer
        snapshot, SnapshotUnusable, StorageFailed.
        """
        with self._guarded():
            log, newest = self._assigned(), self._kept.newest
            fetched = part_name(meta) in self._disk.names()
            if not fetched and meta not in self._kept.all:
                raise StoreMisused(f"there is no snapshot {meta.position} to install")
            if newest is not None and newest.position.offset > meta.position.offset:
                raise StoreMisused(f"{meta.position} is older than the snapshot {newest.position}")
            if fetched:
                prove(self._disk, part_name(meta), meta)
            save_start(self._disk, Start(self._start.base, installing=meta))
            if fetched:
                self._kept.take(part_name(meta), meta)
            self._kept.cover(meta.position, meta)
            log.truncate(Cut(meta.tail, ()))
            self._start = Start(meta.position)
            save_start(self._disk, self._start)
            self._kept.thin(meta, log.start.position)

    def release(self, log_start: Offset) -> tuple[SnapshotMeta | None, Tail]:
        """Let go of what no retained entry needs; returns the base and what the log follows now.

        log_start: the first retained offset, as committed. The base is the newest snapshot that
        ends before it; whole segments up to the base go, some with each of the next writes, and
        snapshots that aren't worth keeping. Without a base nothing goes. Raises SnapshotUnusable,
        with nothing gone, if the base has rotted; StorageFailed.
        """
        with self._guarded():
            log = self._assigned()
            base = base_of(self._kept.all, log_start, log.start.position.offset)
            if base is None:
                return self.base, log.start
            up_to = base.position
            if base != self._proven:
                self._kept.prove(base)
                self._proven = base
            if log.releases(up_to.offset):
                self._kept.cover(up_to, base)
                self._start = Start(max(up_to, self._start.base, key=lambda each: each.offset))
                save_start(self._disk, self._start)
                for segment in log.release(up_to.offset):
                    self._released += (segment.header.name, segment.header.summary_name)
            self._kept.thin(base, log.start.position)
            self._remove_released(_REMOVED_AT_ONCE)
            return base, log.start

    def incoming(self, meta: SnapshotMeta) -> Incoming:
        """Return the part file of a snapshot that is fetched, as long as it is. Raises DiskError.

        It is its caller's alone, in any thread; of two at once the newer one wins.
        """
        self._check_usable()
        return Incoming(self._disk, meta)

    def read_incoming(self, meta: SnapshotMeta) -> bytes:
        """Return the state of a snapshot that Incoming.finish has proven, before it is installed.

        Any thread may call this. Raises SnapshotUnusable, ReadRefused, StorageFailed.
        """
        self._check_usable()
        with _refusing(meta):
            return read_state(self._disk, part_name(meta), meta)

    def drop_snapshot(self, meta: SnapshotMeta) -> None:
        """Forget a snapshot whose file turned out to be damaged. Raises StorageFailed."""
        with self._guarded():
            if meta in self._kept.all:
                self._kept.drop(meta)

    def read_state(self, meta: SnapshotMeta) -> bytes:
        """Return a snapshot's state, proven. Any thread may call this.

        Raises SnapshotUnusable, ReadRefused, StorageFailed.
        """
        self._check_usable()
        with _refusing(meta):
            return self._kept.read_state(meta)

    def read_chunk(self, meta: SnapshotMeta, at: int, max_bytes: int) -> bytes:
        """Return bytes of a snapshot's file from byte `at` on, for another member.

        With the first ones the whole file is proven here; who fetches it proves it once more. Any
        thread may call this. Raises SnapshotUnusable, ReadRefused, StorageFailed.
        """
        self._check_usable()
        with _refusing(meta):
            return self._kept.read_chunk(meta, at, max_bytes)

    @property
    def untidy(self) -> bool:
        """Whether released files are still to be removed, one by each write or idle mark."""
        return bool(self._released)

    @property
    def wants_spare(self) -> bool:
        """Whether the spare was taken, so that `space` should be asked soon."""
        return not self._reserve.ready

    def space(self) -> DiskSpace:
        """Make a spare segment if there is none, and say how much room there is.

        Any one thread may call this beside a write. Raises StorageFailed.
        """
        self._check_usable()
        log = self._log
        with _failing():
            room = self._limits.segment_bytes if log is None else log.room
            newest = self._kept.newest
            return self._reserve.space(room, 0 if newest is None else newest.size_bytes)

    def close(self) -> None:
        """Give files and directory back. What was not marked yet is proven at the next start."""
        self._hard_state.close()
        if self._log is not None:
            self._log.close()
        self._disk.close()
        self._failed = self._failed or "the store is closed"

    def _plan_cut(self, to: Position | None) -> Cut | None:
        if to is None or to == self.tail.position:
            return None
        return self._assigned().plan_cut(to)

    def _check_of_this_log(self, meta: SnapshotMeta) -> None:
        """Raise StoreMisused unless this log has, or had, the entry that the snapshot ends with."""
        held, position = self._identity, meta.position
        if (meta.cluster_id, meta.lineage) != (held.cluster_id, held.lineage):
            raise StoreMisused(f"a snapshot of {meta.cluster_id} {meta.lineage}")
        log = self._assigned()
        within = log.start.position.offset < position.offset
        if position.offset > log.tail.position.offset or (
            within and log.view.term_at(position.offset) != position.term
        ):
            raise StoreMisused(f"the log, up to {log.tail.position}, has no entry {position}")

    def _remove_released(self, count: int) -> None:
        """Remove some of what was released: not all at once, since each takes the disk a while."""
        while self._released and count > 0:
            name = self._released.popleft()
            try:
                self._disk.remove(name)
            except DiskError as problem:
                if not problem.missing:  # a summary may never have been written
                    raise
            count -= 1

    def _assigned(self) -> Log:
        if self._log is None:
            raise StoreMisused("this member is assigned to no cluster, so it has no log")
        return self._log

    def _check_usable(self) -> None:
        if self._failed is not None:
            raise StorageFailed(self._failed)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Refuse when failed; fail for good when the disk refuses or the unforeseen happens."""
        self._check_usable()
        try:
            with _failing():
                yield
        except (ChainBroken, NoRoom, StoreMisused, SnapshotUnusable, RepairRefused):
            raise
        except BaseException as problem:
            self._failed = str(problem) or type(problem).__name__
            raise


@contextmanager
def _refusing(meta: SnapshotMeta) -> Iterator[None]:
    try:
        yield
    except DiskError as problem:
        raise ReadRefused(snapshot_name(meta), str(problem)) from problem


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except DiskError as problem:
        reason = f"the disk is full: {problem}" if problem.full else str(problem)
        raise StorageFailed(reason) from problem
