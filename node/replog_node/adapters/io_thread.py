"""The store behind threads of its own, one of which writes; the event loop waits for none.

What waits together is written together: the writer takes everything in its queue as one
`Store.write`, so one sync, and tells the loop once, of the newest ticket. When nothing was asked
for during IDLE_S after a write, it writes the idle mark.

The write queue is bounded by its askers: a leader's uncommitted bytes, a follower's window.

A write for which there is no room waits for it, and what is behind it too; another thread looks for
room (space.py), and the core sees to it that little comes when there is none.

A read that fails is answered with None, and the reason is told to the log; the node goes on, since
one bad sector of old data would otherwise end it again after each start.

Decides: that merging, and that a failed write is told once and ends the writer's work.
Must not know: why something is written or read.
Read next: ../storage/store.py, ../driver/ports.py.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import Any, Final, Protocol, assert_never

from replog_node.adapters.doors import Notes
from replog_node.adapters.guard import OnFailure, guarded
from replog_node.adapters.io_orders import (
    Adopt,
    Assign,
    Drop,
    Mend,
    Park,
    Read,
    Release,
    Stop,
    Work,
    Write,
)
from replog_node.adapters.snapshot_io import Builder, SnapshotIo, SnapshotListener
from replog_node.adapters.space import SpaceWatch
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Lineage, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import InstallSnapshot, Persist
from replog_node.storage.damage import Damage
from replog_node.storage.errors import (
    ChainBroken,
    LogDamaged,
    NoRoom,
    ReadRefused,
    RepairRefused,
    SnapshotUnusable,
    StorageError,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.merging import merge
from replog_node.storage.reserve import DiskSpace
from replog_node.storage.scrub import REST_S, Scrub
from replog_node.storage.snapshots import snapshot_name
from replog_node.storage.store import SegmentInfo, Store
from replog_node.storage.summary import Hole

IDLE_S: Final = 0.05
"""How long nothing is asked for before the durable mark is written (design section 3, Storage)."""

MERGED_BYTES_MAX: Final = 16 * 1024 * 1024
"""Frames written before anybody is told; further ones wait for the next write."""

OWN_READS_MAX: Final = 1024
"""Reads that may wait beside those for callers: to apply, and one for each follower."""

SCRUB_PAUSE_S: Final = 0.01
"""Between two steps of the scrub at least, so that readers are never behind more than one."""

NOTED_MAX: Final = 1024
"""Segments whose troubles are remembered as told; past it they are forgotten, and told again."""

NO_ROOM_S: Final = 0.1
"""Between two tries of a write for which the disk has no room."""

OnWritten = Callable[[float, int], None]
"""Told of each write that is durable: the seconds that it took, the bytes of its entries."""


class StorageListener(SnapshotListener, Protocol):
    """Who is told, on the event loop (driver.Driver)."""

    def on_persisted(self, ticket: int) -> None:
        """Everything up to this ticket is durable."""

    def on_read(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        """The answer to a read."""

    def on_assigned(self) -> None:
        """The assignment is durable."""

    def on_damage(self, damage: Damage) -> None:
        """What is known to be damaged has changed, or a repair was refused."""

    def on_disk_space(self, space: DiskSpace) -> None:
        """The disk has this much room; told at the start, and when it changes."""

    def on_snapshot_dropped(self, snapshot: SnapshotMeta) -> None:
        """A snapshot turned out to be damaged, and is gone."""

    def on_released(self, base: SnapshotMeta | None, start: Position) -> None:
        """The disk has let go of what lies at or below `start`."""


class IoThread:
    """driver.ports.StoragePort over a store. Use: create, start, …, await close."""

    def __init__(
        self,
        store: Store,
        on_failure: OnFailure,
        *,
        builder: Builder,
        notes: Notes,
        on_written: OnWritten = lambda _seconds, _size_bytes: None,
        callers_max: int = 0,
        scrub_bytes_per_s: int = 0,
    ) -> None:
        """Everything given is called on the loop.

        builder: builds snapshots. on_failure: called once, when the store failed: nothing is
        durable since. notes: hears of reads that fail, once for a segment and its kind of trouble.
        callers_max: how many callers may read at once, as their own bound has it; with
        OWN_READS_MAX it bounds the reads that wait, so that this bound is never the first. Past it
        a read is answered with None at once.
        """
        self._store = store
        self._on_failure = on_failure
        self._notes = notes
        self._noted: set[tuple[str, str]] = set()
        self._on_written = on_written
        self._reads_max = OWN_READS_MAX + callers_max
        self._loop = asyncio.get_running_loop()
        self._writes: SimpleQueue[Write] = SimpleQueue()
        self._postponed: deque[Write] = deque()
        self._reads: SimpleQueue[Read | Stop] = SimpleQueue()
        self._reads_waiting = 0
        self._failed = False
        self._space = SpaceWatch(store, lambda space: self._tell(self._space_found, space))
        self._holes = store.holes
        self._scrub = Scrub(store, scrub_bytes_per_s)
        self._stopping = Event()
        self._snapshots = SnapshotIo(
            store,
            builder,
            notes,
            self._tell,
            lambda name: self._writes.put(Adopt(name)),
            self._found_unreadable,
        )
        self._threads: list[Thread] = []
        self._ended: list[asyncio.Future[None]] = []
        self._listener: StorageListener | None = None

    def start(self, listener: StorageListener) -> None:
        """Begin to work; what was asked for before is done now."""
        self._listener = listener
        for name, work in (
            ("log-writer", self._write_all),
            ("log-reader", self._read_all),
            ("log-space", self._space.run),
        ):
            ended: asyncio.Future[None] = self._loop.create_future()
            self._ended.append(ended)
            thread = Thread(target=self._run, args=(work, ended), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        ended = self._loop.create_future()
        self._ended.append(ended)
        self._snapshots.start(listener, ended, self._on_failure)

    async def close(self) -> None:
        """Do what was asked for, write the idle mark, end the threads. The store stays open.

        What waits for room is not done: nobody was told that it was.
        """
        self._stopping.set()
        self._space.stop()
        self._writes.put(Stop())
        self._reads.put(Stop())
        self._snapshots.stop()
        for ended in self._ended:
            await ended
        for thread in self._threads:
            thread.join()  # each has said that it is at its end
        self._snapshots.join()
        self._threads.clear()

    def write(self, persist: Persist) -> None:
        """See StoragePort."""
        self._writes.put(persist)

    def read(self, request: int, at: Offset, max_bytes: int) -> None:
        """See StoragePort."""
        if self._reads_waiting >= self._reads_max or self._failed:
            self._loop.call_soon(self._answer, request, None)
            return
        self._reads_waiting += 1
        self._reads.put(Read(request, at, max_bytes))

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        """See StoragePort."""
        self._writes.put(Assign(cluster_id, lineage, founding))

    def park(self) -> None:
        """See StoragePort."""
        self._writes.put(Park())

    def install(self, effect: InstallSnapshot) -> None:
        """See StoragePort."""
        self._writes.put(effect)

    def segments(self) -> Sequence[SegmentInfo]:
        """See StoragePort."""
        return self._store.segments()

    def release(self, log_start: Offset) -> None:
        """See StoragePort."""
        self._writes.put(Release(log_start))

    def build(self, up_to: Position) -> None:
        """See StoragePort."""
        self._snapshots.build(up_to)

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        """See StoragePort."""
        self._snapshots.part(snapshot, at, data)

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        """See StoragePort."""
        self._snapshots.read_chunk(request, offset, digest, at, max_bytes)

    def repair(self, hole: Hole, entries: tuple[Entry, ...]) -> None:
        """See StoragePort."""
        self._writes.put(Mend(partial(self._store.repair, hole, entries)))

    def in_order(self, work: Callable[[], None]) -> None:
        """Do this on the writer's thread, after all writes that were asked for before."""
        self._writes.put(Work(work))

    # On the loop.

    def _persisted(self, ticket: int) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_persisted, ticket)

    def _written(self, ticket: int, seconds: float, size_bytes: int) -> None:
        """One word for both who wait: a word to the loop costs a wakeup."""
        self._persisted(ticket)
        self._on_written(seconds, size_bytes)

    def _assigned(self) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_assigned)

    def _damage_told(self, damage: Damage) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_damage, damage)

    def _space_found(self, space: DiskSpace) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_disk_space, space)

    def _released(self, base: SnapshotMeta | None, start: Tail) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_released, base, start.position)

    def _dropped(self, snapshot: SnapshotMeta) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_snapshot_dropped, snapshot)

    def _built(self, snapshot: SnapshotMeta | None) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_built, snapshot)

    def _read_done(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        self._reads_waiting -= 1
        self._answer(request, entries)

    def _answer(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        if self._listener is not None:
            guarded(self._on_failure, self._listener.on_read, request, entries)

    def _note(self, problem: StorageError) -> None:
        """Tell of a read that failed, once for each segment and kind."""
        match problem:
            case LogDamaged(segment=segment):
                event = "log_damaged"
            case ReadRefused(segment=segment):
                event = "read_refused"
            case SnapshotUnusable(name=segment):
                event = "snapshot_damaged"
            case ChainBroken() | RepairRefused() | NoRoom():
                event, segment = "repair_refused", ""
            case _:
                event, segment = "read_failed", ""
        if (event, segment) in self._noted:
            return
        if len(self._noted) >= NOTED_MAX:
            self._noted.clear()
        self._noted.add((event, segment))
        self._notes.note("error", event, segment=segment, detail=problem)

    def _fail(self, problem: BaseException) -> None:
        if not self._failed:
            self._failed = True
            self._on_failure(problem)

    # On the threads.

    def _run(self, work: Callable[[], None], ended: "asyncio.Future[None]") -> None:
        try:
            work()
        except Exception as problem:  # noqa: BLE001 - whatever it is, the thread is dead: tell it
            self._tell(self._fail, problem)
        self._tell(ended.set_result, None)

    def _tell(self, call: Callable[..., object], *args: Any) -> None:
        self._loop.call_soon_threadsafe(call, *args)

    def _write_all(self) -> None:
        unmarked = False
        while True:
            try:
                first = self._next(timeout_s=IDLE_S if unmarked else None)
            except Empty:
                self._store.write_idle_mark()
                unmarked = self._store.untidy  # nobody else may write for long, on a full disk
                continue
            unmarked = True
            if not self._write_what_waits(first):
                self._store.write_idle_mark()
                return

    def _write_what_waits(self, first: Write) -> bool:
        """Carry out `first` and what waits behind it; False after the last there will be."""
        asked: Write | None = first
        while asked is not None:
            match asked:
                case Persist():
                    if not self._write_merged(asked):
                        return False
                    asked = None
                case Assign():
                    if not self._when_there_is_room(partial(self._store.assign, *asked)):
                        return False
                    self._tell(self._assigned)
                    asked = None
                case InstallSnapshot():
                    install = partial(self._store.install, asked.snapshot)
                    if not self._when_there_is_room(install):
                        return False
                    self._tell(self._persisted, asked.ticket)
                    self._tell_damage_if_changed()
                    asked = None
                case Park():
                    if not self._when_there_is_room(self._store.park):
                        return False
                    asked = None
                case Release():
                    self._tell(self._released, *self._release(asked.log_start))
                    self._tell_damage_if_changed()
                    asked = None
                case Adopt():
                    self._tell(self._built, self._adopted(asked.name))
                    asked = None
                case Drop(name=name):
                    self._drop_snapshot(name)
                    asked = None
                case Mend(work=work):
                    self._mend(work)
                    asked = None
                case Work(work=work):
                    work()
                    asked = None
                case Stop():
                    return False
                case _:
                    assert_never(asked)
        return True

    def _write_merged(self, first: Persist) -> bool:
        """Write it and the Persists right behind it at once; False when this is to end."""
        persists, size = [first], _size_bytes(first)
        while size < MERGED_BYTES_MAX:
            try:
                behind = self._next(timeout_s=0)
            except Empty:
                break
            if not isinstance(behind, Persist):
                self._postponed.appendleft(behind)
                break
            persists.append(behind)
            size += _size_bytes(behind)
        began_s = monotonic()
        if not self._write_with_room(persists):
            return False
        if self._store.wants_spare:
            self._space.look_soon()
        self._tell(self._written, persists[-1].ticket, monotonic() - began_s, size)
        return True

    def _next(self, *, timeout_s: float | None) -> Write:
        """What is to be done next; raises Empty when nothing is for so long."""
        if self._postponed:
            return self._postponed.popleft()
        if timeout_s == 0:
            return self._writes.get_nowait()
        return self._writes.get(timeout=timeout_s)

    def _make_room(self) -> None:
        """Do what makes room and waits behind a write that has none; all else keeps its place."""
        waiting, self._postponed = self._postponed, deque()
        with suppress(Empty):
            while True:
                waiting.append(self._writes.get_nowait())
        for asked in waiting:
            match asked:
                case Release():
                    self._tell(self._released, *self._release(asked.log_start))
                case Adopt():
                    self._tell(self._built, self._adopted(asked.name))
                case _:
                    self._postponed.append(asked)

    def _write_with_room(self, persists: list[Persist]) -> bool:
        """Write them at once, or one by one as there is room; False when there was none to the end.

        All together they may need more than one segment has. What they leave is written, not each
        as it came: term and vote, and the cut, may have been done before the room was missing.
        """
        try:
            self._store.write(persists)
        except NoRoom:
            left, ticket = merge(persists), persists[-1].ticket
            parts = [
                Persist(ticket, left.hard_state, left.truncate_to, ()),
                *(Persist(ticket, None, None, (entry,)) for entry in left.entries),
            ]
            one_by_one = (partial(self._store.write, [part]) for part in parts)
            return all(map(self._when_there_is_room, one_by_one))
        return True

    def _when_there_is_room(self, write: Callable[[], None]) -> bool:
        """Try until there is room; False when this is to end before there was."""
        while True:
            try:
                write()
            except NoRoom:
                self._make_room()
                if self._stopping.wait(NO_ROOM_S):
                    return False
            else:
                return True

    def _release(self, log_start: Offset) -> tuple[SnapshotMeta | None, Tail]:
        """Release; without room to say so on the disk nothing goes before the next one."""
        try:
            return self._store.release(log_start)
        except NoRoom:
            return self._store.base, self._store.start
        except SnapshotUnusable as problem:  # it rotted: it is built anew before more is released
            self._found_unreadable(problem)
            return self._store.base, self._store.start

    def _drop_snapshot(self, name: str) -> None:
        """Forget a damaged snapshot, so that it is built anew; one that went meanwhile is gone."""
        for snapshot in self._store.snapshots:
            if name == snapshot_name(snapshot):
                self._store.drop_snapshot(snapshot)
                self._tell(self._dropped, snapshot)

    def _adopted(self, name: str) -> SnapshotMeta | None:
        """The snapshot that this file is, now durable; None when it can't be used."""
        try:
            return self._store.adopt_snapshot(name)
        except (SnapshotUnusable, StoreMisused) as problem:
            self._tell(self._note, problem)
            return None

    def _mend(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (ChainBroken, RepairRefused, NoRoom) as problem:
            self._tell(self._note, problem)
        self._tell_damage()

    def _tell_damage(self) -> None:
        damage = self._store.damage()
        self._holes = damage.holes
        self._tell(self._damage_told, damage)

    def _tell_damage_if_changed(self) -> None:
        """A hole goes with the segments that are released, and with a log that begins anew."""
        if self._holes and self._store.holes != self._holes:
            self._tell_damage()

    def _read_all(self) -> None:
        due_s = monotonic()
        while True:
            try:
                read = self._reads.get(timeout=max(0.0, due_s - monotonic()))
            except Empty:
                due_s = monotonic() + self._scrub_step()
                continue
            if isinstance(read, Stop):
                return
            self._tell(self._read_done, read.request, self._entries(read) or None)

    def _scrub_step(self) -> float:
        """Look at a little of what is stored; returns after how many seconds to go on."""
        try:
            found = self._scrub.step()
        except StorageFailed:  # as in _entries
            return REST_S
        if found.problem is not None:
            self._found_unreadable(found.problem)
        return max(found.wait_s, SCRUB_PAUSE_S)

    def _found_unreadable(self, problem: StorageError) -> None:
        """Tell of it; and if it is damage that isn't known yet, find out how far it goes."""
        self._tell(self._note, problem)
        if isinstance(problem, SnapshotUnusable):
            self._writes.put(Drop(problem.name))
        if not isinstance(problem, LogDamaged):
            return
        if any(hole.start <= problem.offset <= hole.end for hole in self._store.holes):
            return
        try:
            examined = self._store.examine(problem.segment)
        except ReadRefused as refusal:
            self._tell(self._note, refusal)
            return
        if examined is not None:
            self._writes.put(Mend(partial(self._store.damaged, examined)))

    def _entries(self, read: Read) -> tuple[Entry, ...]:
        try:
            return self._store.read(read.at, read.max_bytes)
        except StorageFailed:  # the writer has told it, or the store is being closed
            return ()
        except StorageError as problem:
            self._found_unreadable(problem)
            return ()


def _size_bytes(persist: Persist) -> int:
    return sum(entry.size_bytes for entry in persist.entries)
