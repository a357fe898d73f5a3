"""The store of a simulated member behind a queue: what adapters/io_thread.py does, in virtual time.

One turn of the writer takes what is first in the queue, writes that wait together as one. What has
no room waits for it. What ends the real process ends this one: a disk that fails a write or a sync,
damage where the log is to be cut. What is only told there is only told here: a read that fails, a
build or a fetched piece that comes to nothing, a repair that is refused.

Decides: how long the disk takes. Must not know: faults, clients, invariants.
Read next: node.py, ../../node/replog_node/adapters/io_thread.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from replog_node.adapters.io_thread import IDLE_S, MERGED_BYTES_MAX, NO_ROOM_S, SCRUB_PAUSE_S
from replog_node.adapters.space import LOOK_S, SpaceWatch
from replog_node.driver.building import NothingToFold, build_snapshot
from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import InstallSnapshot, Persist
from replog_node.storage.disk import DiskError
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
from replog_node.storage.scrub import REST_S, Scrub
from replog_node.storage.snapshots import snapshot_name
from replog_node.storage.store import SegmentInfo, Store
from replog_node.storage.summary import Hole
from tests.support.simdisk import Crashed
from tests.support.snapshots import stored_part

if TYPE_CHECKING:
    from tests.simulation.node import SimNode

SCRUB_BYTES_PER_S: Final = 1024 * 1024

Work = Callable[[], None]


class _Job(NamedTuple):
    """Something for the writer; without room it is tried again, before anything behind it.

    makes_room: it is done even while what is before it waits for room.
    """

    work: Work
    makes_room: bool = False


class SimStorage:
    """driver.ports.StoragePort for one process of a member, until `end`."""

    def __init__(self, node: SimNode, store: Store) -> None:
        """Nothing happens before begin()."""
        self.store = store
        self._node = node
        self._world = node.world
        self._clockwork = node.world.clockwork
        self._queue: deque[Persist | _Job] = deque()
        self._writing = False
        self._drained = 0
        self._turns = 0
        self._ended = False
        self._holes = store.holes
        self._scrubbing = False
        self._space = SpaceWatch(
            store, lambda space: node.do(lambda driver: driver.on_disk_space(space))
        )

    def begin(self) -> None:
        """Look how much room there is, now and then again and again."""
        if self.store.unproven is not None:
            self._happens("unproven")
        self._attempt(self._space.look)
        self._after(int(LOOK_S * 1e6), self.begin)

    def end(self) -> None:
        """The process is dead: nothing of it happens any more."""
        self._ended = True
        self._queue.clear()

    # Turns.

    def _after(self, delay_us: int, happen: Work) -> None:
        """Do it after a while, unless the process has died meanwhile."""
        self._clockwork.after(delay_us, lambda: None if self._ended else happen())

    def _soon(self, least_us: int, most_us: int, work: Work) -> None:
        """Do something on the disk after a while."""
        delay_us = self._clockwork.random.randint(least_us, most_us)

        def attempt() -> None:
            self._attempt(work)

        self._after(delay_us, attempt)

    def _attempt(self, work: Work) -> bool:
        """Do something on the disk; False if the process died of it.

        A caller's mistake is no fault of the disk: that is raised.
        """
        try:
            work()
        except Crashed as crash:
            self._node.crashed(str(crash))
        except (StoreMisused, ChainBroken):
            raise
        except (StorageError, DiskError) as problem:
            self._node.failed(problem)
        return not self._ended

    def _ask(self, asked: Persist | _Job) -> None:
        self._queue.append(asked)
        self._write_soon()

    def _write_soon(self) -> None:
        if self._writing or not self._queue:
            return
        self._writing = True
        self._drained = len(self._queue)  # what comes while the disk works waits for its next turn
        random = self._clockwork.random
        delay_us = random.randint(200, 4000)
        if random.random() < self._world.slow_disk:
            delay_us += random.randint(1000, 400_000)
        delay_us += self._node.stalled_us()
        self._after(delay_us, self._turn)

    def _turn(self) -> None:
        """Carry out what is first in the queue; without room, later."""
        first = self._queue.popleft()
        try:
            work = partial(self._write, first) if isinstance(first, Persist) else first.work
            alive = self._attempt(partial(_or_wait, work))
        except _Waits:
            if isinstance(first, _Job):
                self._queue.appendleft(first)
            self._after(int(NO_ROOM_S * 1e6), self._turn)
            self._make_room()
            return
        self._turns += 1
        if alive:
            self._writing = False
            self._write_soon()
            self._mark_when_idle(self._turns)

    def _write(self, first: Persist) -> None:
        """Write it and the Persists right behind it at once; what has no room, one by one."""
        persists, size = [first], _size_bytes(first)
        while (
            len(persists) < self._drained
            and size < MERGED_BYTES_MAX
            and self._queue
            and isinstance(self._queue[0], Persist)
        ):
            behind = self._queue.popleft()
            assert isinstance(behind, Persist)
            persists.append(behind)
            size += _size_bytes(behind)
        ticket = persists[-1].ticket
        for persist in persists:
            self._foretell(persist)
        if any(each.hard_state for each in persists) and any(each.entries for each in persists):
            self._happens("writes both")
        try:
            self.store.write(persists)
        except NoRoom:
            self._queue.extendleft(reversed(self._one_by_one(persists)))
            raise
        self._written(ticket)

    def _foretell(self, persist: Persist) -> None:
        """Tell what is about to be written, for faults that wait for that moment."""
        if persist.truncate_to is not None:
            self._happens("writes truncate")
        if persist.hard_state is not None:
            self._happens("writes vote")
        if persist.entries:
            self._happens("writes entries")
        for configuration in (entry.configuration for entry in persist.entries):
            if configuration is not None:
                self._happens("joint" if configuration.joint else "unjoint")

    def _happens(self, what: str) -> None:
        self._world.triggers.happened(what, self._node)

    def _one_by_one(self, persists: Sequence[Persist]) -> list[_Job]:
        left, ticket = merge(persists), persists[-1].ticket
        parts = [
            Persist(ticket, left.hard_state, left.truncate_to, ()),
            *(Persist(ticket, None, None, (entry,)) for entry in left.entries),
        ]
        jobs = [_Job(partial(self.store.write, [part])) for part in parts]
        return [*jobs, _Job(partial(self._written, ticket))]

    def _written(self, ticket: int) -> None:
        self._node.do(lambda driver: driver.on_persisted(ticket))
        if self.store.wants_spare:
            self._soon(100, 1000, self._space.look)

    def _make_room(self) -> None:
        """Do what makes room and waits behind a write that has none; all else keeps its place."""
        waiting, self._queue = self._queue, deque()
        for asked in waiting:
            if not isinstance(asked, _Job) or not asked.makes_room:
                self._queue.append(asked)
            elif not self._attempt(asked.work):
                return

    def _mark_when_idle(self, turns: int) -> None:
        def mark() -> None:
            idle = turns == self._turns and not self._writing and not self._queue
            if idle and self._attempt(self.store.write_idle_mark) and self.store.untidy:
                self._mark_when_idle(turns)

        self._after(int(IDLE_S * 1e6), mark)

    # driver.ports.StoragePort, what changes the log: one after the other.

    def write(self, persist: Persist) -> None:
        self._world.checks.writing(self._node, persist)
        self._ask(persist)

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        def assign() -> None:
            self.store.assign(cluster_id, lineage, founding)
            self._node.do(lambda driver: driver.on_assigned())

        self._ask(_Job(assign))

    def park(self) -> None:
        self._world.checks.parks(self._node)

        def park() -> None:
            self._happens("parks")
            self.store.park()

        self._ask(_Job(park))

    def install(self, effect: InstallSnapshot) -> None:
        self._world.installed += 1
        self._world.checks.installing(self._node, effect.snapshot)

        def install() -> None:
            self._happens("installs")
            self.store.install(effect.snapshot)
            self._node.do(lambda driver: driver.on_persisted(effect.ticket))
            self._tell_damage_if_changed()

        self._ask(_Job(install))

    def release(self, log_start: Offset) -> None:
        def release() -> None:
            self._happens("releases")
            try:
                base, start = self.store.release(log_start)
                self._world.checks.released(self._node, start.position.offset)
            except NoRoom:
                base, start = self.store.base, self.store.start
            except SnapshotUnusable as problem:
                self._found_unreadable(problem)
                base, start = self.store.base, self.store.start
            self._node.do(lambda driver: driver.on_released(base, start.position))
            self._tell_damage_if_changed()

        self._ask(_Job(release, makes_room=True))

    def repair(self, hole: Hole, entries: tuple[Entry, ...]) -> None:
        self._mend(lambda: self.store.repair(hole, entries))

    def _mend(self, work: Work) -> None:
        def mend() -> None:
            self._happens("mends")
            try:
                work()
            except (ChainBroken, RepairRefused, NoRoom) as problem:
                self._note(problem)
            self._tell_damage()

        self._ask(_Job(mend))

    def _tell_damage(self) -> None:
        damage = self.store.damage()
        self._holes = damage.holes
        if damage.holes:
            self._happens("holed")
        self._node.do(lambda driver: driver.on_damage(damage))

    def _tell_damage_if_changed(self) -> None:
        if self._holes and self.store.holes != self._holes:
            self._tell_damage()

    def _drop(self, name: str) -> None:
        def drop() -> None:
            for snapshot in self.store.snapshots:
                if name == snapshot_name(snapshot):
                    self.store.drop_snapshot(snapshot)
                    self._told_dropped(snapshot)

        self._ask(_Job(drop))

    def _told_dropped(self, snapshot: SnapshotMeta) -> None:
        self._node.do(lambda driver: driver.on_snapshot_dropped(snapshot))

    def build(self, up_to: Position) -> None:
        self._soon(1000, 300_000, lambda: self._build(up_to))

    def _build(self, up_to: Position) -> None:
        """As the helper process does, beside the member: whatever goes wrong is only told."""
        self._happens("builds")
        try:
            name = build_snapshot(self._node.disk, up_to)
        except (StorageError, DiskError, NothingToFold) as problem:
            self._note(problem)
            self._node.do(lambda driver: driver.on_built(None))
            return
        self._ask(_Job(lambda: self._adopt(name), makes_room=True))

    def _adopt(self, name: str) -> None:
        try:
            snapshot = self.store.adopt_snapshot(name)
        except (SnapshotUnusable, StoreMisused) as problem:
            self._note(problem)
            self._node.do(lambda driver: driver.on_built(None))
            return
        self._world.built(self._node, snapshot)
        self._node.do(lambda driver: driver.on_built(snapshot))

    # driver.ports.StoragePort, beside the writer.

    def segments(self) -> Sequence[SegmentInfo]:
        return self.store.segments()

    def read(self, request: int, at: Offset, max_bytes: int) -> None:
        def answer() -> None:
            entries = self._entries(at, max_bytes) or None
            self._node.do(lambda driver: driver.on_read(request, entries))

        self._soon(100, 3000, answer)

    def _entries(self, at: Offset, max_bytes: int) -> tuple[Entry, ...]:
        try:
            return self.store.read(at, max_bytes)
        except StorageFailed:
            return ()
        except StorageError as problem:
            self._found_unreadable(problem)
            return ()

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        def store_part() -> None:
            try:
                size, state = stored_part(self.store, snapshot, at, data)
            except (StorageError, DiskError) as problem:
                self._note(problem)
                return  # whoever wants it asks again
            self._node.do(lambda driver: driver.on_part(snapshot, size, state))

        self._soon(500, 20_000, store_part)

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        def read() -> None:
            data = self._chunk(offset, digest, at, min(max_bytes, self._world.sizes.piece_bytes))
            self._node.do(lambda driver: driver.on_chunk(request, data))

        self._soon(500, 20_000, read)

    def _chunk(self, offset: Offset, digest: bytes, at: int, max_bytes: int) -> bytes | None:
        for snapshot in self.store.snapshots:
            if (snapshot.position.offset, snapshot.digest) == (offset, digest):
                try:
                    return self.store.read_chunk(snapshot, at, max_bytes)
                except StorageError as problem:
                    self._found_unreadable(problem)
        return None

    # Damage.

    def scrub_soon(self) -> None:
        """Let the scrub go round from now on: its time has come at some moment or other."""
        if not self._scrubbing:
            self._scrubbing = True
            scrub = Scrub(self.store, SCRUB_BYTES_PER_S)
            self._soon(1000, 1_000_000, lambda: self._scrub_step(scrub))

    def _scrub_step(self, scrub: Scrub) -> None:
        try:
            found = scrub.step()
        except StorageFailed:
            return
        if found.problem is not None:
            self._found_unreadable(found.problem)
        self._scrubbing = found.wait_s < REST_S
        if self._scrubbing:
            wait_us = max(int(SCRUB_PAUSE_S * 1e6), int(found.wait_s * 1e6))
            self._soon(wait_us, wait_us, lambda: self._scrub_step(scrub))

    def _found_unreadable(self, problem: StorageError) -> None:
        """Tell of it; and if it is damage that isn't known yet, find out how far it goes."""
        self._note(problem)
        self._world.checks.met(self._node, problem)
        if isinstance(problem, SnapshotUnusable):
            self._drop(problem.name)
        if not isinstance(problem, LogDamaged):
            return
        if any(hole.start <= problem.offset <= hole.end for hole in self.store.holes):
            return
        try:
            examined = self.store.examine(problem.segment)
        except ReadRefused as refusal:
            self._note(refusal)
            return
        if examined is not None:
            self._mend(partial(self.store.damaged, examined))

    def _note(self, problem: Exception) -> None:
        self._clockwork.note(self._node.name, "disk", type(problem).__name__, problem)


class _Waits(Exception):
    """There is no room."""


def _or_wait(work: Work) -> None:
    try:
        work()
    except NoRoom as problem:
        raise _Waits from problem


def _size_bytes(persist: Persist) -> int:
    return sum(entry.size_bytes for entry in persist.entries)
