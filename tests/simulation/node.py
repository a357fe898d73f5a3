"""One simulated member: a real driver and a real store over simulated ports.

The storage port is a queue in front of the store, carried out after a delay, writes that wait
together as one, as the real I/O thread does. A crash of the disk in the middle of a write ends the
process; what it leaves is the disk's affair (tests/support/simdisk.py).

Decides: how long the disk takes, and what dies with a process.
Must not know: clients, invariants.
Read next: world.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

from replog_node.driver.building import build_snapshot
from replog_node.driver.driver import Driver
from replog_node.driver.limits import DriverLimits
from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import InstallSnapshot, Persist
from replog_node.raft.limits import CoreLimits
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import ChainBroken, RepairRefused, StorageError
from replog_node.storage.limits import StoreLimits
from replog_node.storage.reserve import DiskSpace
from replog_node.storage.store import SegmentInfo, Store, open_store
from replog_node.storage.summary import Hole
from tests.support.simdisk import Crashed, SimDisk
from tests.support.snapshots import chunk_of, state_of, stored_part

if TYPE_CHECKING:
    from tests.simulation.world import World

TICK_US = 50_000
WALL_BASE_MS = 1_700_000_000_000
CORE = CoreLimits(cache_bytes=16 * 1024)
"""A small cache, so that followers behind are served from disk, too."""
DRIVER = DriverLimits(group_bytes=4096, snapshot_bytes=24 * 1024, retention_bytes=48 * 1024)
STORE = StoreLimits(segment_bytes=16 * 1024, block_bytes=4096, index_rows=8, read_bytes=4096)
PIECE_BYTES = 256
"""A member gives no more of a snapshot at once, so that a transfer can be cut in its middle."""


class SimNode:
    """A member, alive while `driver` is set. life: counts its processes.

    stall_us: how much longer the next write takes; pace: how fast its ticks come (1.0: as meant).
    """

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.member = self._new_id()
        self.disk = SimDisk()
        self.driver: Driver | None = None
        self.life = 0
        self.paused = False
        self.peers: Mapping[MemberId, str] = {}
        self.stall_us = 0
        self.pace = 1.0
        self.skew_ms = world.clockwork.random.randint(-200, 200)
        self._store: Store | None = None
        self._queue: list[Persist | InstallSnapshot] = []
        self._writing = False
        self._postponed: list[Callable[[], None]] = []
        self._mourners: list[Callable[[], None]] = []
        self._flush_due = False
        self._learnt: set[MemberId] = set()
        world.network.nodes[self.member] = self

    def _new_id(self) -> MemberId:
        return MemberId(str(UUID(int=self.world.clockwork.random.getrandbits(128), version=4)))

    def renew(self) -> None:
        """An empty disk, hence another member."""
        self.kill()
        del self.world.network.nodes[self.member]
        self.disk = SimDisk()
        self.member = self._new_id()
        self.world.network.nodes[self.member] = self
        self.start()

    # A process's life.

    def start(self) -> None:
        """Start the process, if it doesn't run; it may die of its disk at once."""
        if self.driver is not None:
            return
        self.life += 1
        random = self.world.clockwork.random
        try:
            self._store = open_store(
                self.disk,
                STORE,
                new_member_id=lambda: self.member,
                random64=lambda: random.getrandbits(64),
            )
            state = state_of(self._store)
        except Crashed:
            self.world.clockwork.note("died opening", self.name)
            self.disk.restart()
            self.world.clockwork.after(200_000, self.start)
            return
        self.driver = Driver(
            self._store.recovered,
            storage=self,
            network=self,
            clock=self,
            observer=self,
            limits=DRIVER,
            core_limits=CORE,
            peer_address=f"{self.name}:1",
            new_lineage_id=lambda: f"{random.getrandbits(64):016x}",
            state=state,
        )
        self.world.started(self)
        self.do(lambda driver: driver.begin())
        self._tick(self.life)

    def kill(self, *, power: bool = False) -> None:
        """End the process; with power, only what was synced stays."""
        if self.driver is not None:
            self.world.ended(self)
        self.driver = None
        self._store = None
        self.life += 1
        self.paused = False
        self._queue.clear()
        self._postponed.clear()
        self._writing = False
        self.peers = {}
        self._learnt = set()
        if power:
            self.disk.lose_power(self.world.clockwork.random)
        else:
            self.disk.restart()
        self.world.network.forget(self.member)

        mourners, self._mourners = self._mourners, []
        for mourn in mourners:
            self.world.clockwork.after(1000, mourn)

    def on_death(self, mourn: Callable[[], None]) -> None:
        """Call this soon after the process has died."""
        self._mourners.append(mourn)

    def flush_soon(self) -> None:
        """Flush at the end of this moment, as the service does."""
        if not self._flush_due:
            self._flush_due = True
            self.world.clockwork.after(0, self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self.do(lambda driver: driver.flush())

    def pause(self, for_us: int) -> None:
        """As SIGSTOP: nothing happens here for a while; then everything at once."""
        if self.driver is None or self.paused:
            return
        self.paused = True
        life = self.life
        self.world.clockwork.after(for_us, lambda: self._resume(life))

    def _resume(self, life: int) -> None:
        if life != self.life:
            return
        self.paused = False
        postponed, self._postponed = self._postponed, []
        for happen in postponed:
            self.world.clockwork.after(0, happen)

    def do(self, turn: Callable[[Driver], None]) -> None:
        """Let the driver have a turn, unless it is dead; later, if it is paused."""
        if self.driver is None:
            return
        if self.paused:
            life = self.life
            self._postponed.append(lambda: self.do(turn) if self.life == life else None)
            return
        turn(self.driver)

    def wants(self, peer: MemberId) -> bool:
        """Whether to be connected with a member: by the configuration, or because it said hello."""
        return peer in self.peers or peer in self._learnt

    def learn(self, peer: MemberId) -> None:
        """A member said hello: its address is known now, so answer on a connection of our own."""
        if peer not in self._learnt:
            self._learnt.add(peer)
            self.world.network.keep(self.member, {peer: ""}, self.life)

    def _tick(self, life: int) -> None:
        if self.life != life or self.driver is None:
            return
        if not self.paused:
            self.do(lambda driver: driver.tick())
        jitter_us = self.world.clockwork.random.randint(-500, 500)
        delay_us = int(TICK_US / self.pace) + jitter_us
        self.world.clockwork.after(delay_us, lambda: self._tick(life))

    def greet(self, other: SimNode, answered: Callable[[bool], None]) -> None:
        """Say hello to another member, by its UUID; it may be adopted by it."""
        driver = self.driver
        if (
            driver is None
            or driver.membership.cluster_id is None
            or driver.membership.lineage is None
        ):
            answered(False)
            return
        cluster_id, lineage = driver.membership.cluster_id, driver.membership.lineage
        other.do(lambda theirs: theirs.adopt(cluster_id, lineage, answered))

    # driver.ports.StoragePort

    def write(self, persist: Persist) -> None:
        self._queue.append(persist)
        self._write_soon()

    def repair(self, hole: Hole, entries: tuple[Entry, ...]) -> None:
        life, store = self.life, self._store

        def fill() -> None:
            if life != self.life or store is None:
                return
            with suppress(ChainBroken, RepairRefused):
                if not self._on_disk(lambda: store.repair(hole, entries)):
                    return
            self.do(lambda driver: driver.on_damage(store.damage()))

        self.world.clockwork.after(2000, fill)

    def _write_soon(self) -> None:
        if self._writing or not self._queue:
            return
        self._writing = True
        life = self.life
        delay_us = self.world.clockwork.random.randint(200, 4000)
        if self.world.clockwork.random.random() < self.world.slow_disk:
            delay_us += self.world.clockwork.random.randint(1000, 400_000)
        delay_us += self.stall_us
        self.stall_us = 0
        self.world.clockwork.after(delay_us, lambda: self._write(life))

    def _write(self, life: int) -> None:
        if life != self.life or self._store is None:
            return
        batch, self._queue = self._queue, []
        store = self._store
        if self._on_disk(lambda: _write_in_order(store, batch)):
            self._writing = False
            self.do(lambda driver: driver.on_persisted(batch[-1].ticket))
            self._look_for_space(life)
            if life == self.life:
                self._write_soon()
                if not self._queue:
                    self.world.clockwork.after(50_000, lambda: self._mark(life))

    def _mark(self, life: int) -> None:
        if life == self.life and self._store is not None and not self._writing:
            self._on_disk(self._store.write_idle_mark)

    def _look_for_space(self, life: int) -> None:
        """Make a spare segment if need be, and tell how much room there is."""
        store, found = self._store, list[DiskSpace]()
        if life != self.life or store is None:
            return
        if self._on_disk(lambda: found.append(store.space())):
            self.do(lambda driver: driver.on_disk_space(found[0]))

    def _on_disk(self, work: Callable[[], None]) -> bool:
        """Let the store work; False if the process died of it."""
        try:
            work()
        except Crashed as crash:
            self.world.clockwork.note("died writing", self.name, str(crash))
            power = self.world.clockwork.random.random() < 0.5
            self.kill(power=power)
            self.world.clockwork.after(
                self.world.clockwork.random.randint(100_000, 2_000_000), self.start
            )
            return False
        return True

    def read(self, request: int, at: Offset, max_bytes: int) -> None:
        life = self.life

        def answer() -> None:
            if life != self.life or self._store is None:
                return
            store = self._store
            found: tuple[Entry, ...] = ()
            try:
                found = store.read(at, max_bytes)
            except Crashed:
                return
            self.do(lambda driver: driver.on_read(request, found or None))

        self.world.clockwork.after(self.world.clockwork.random.randint(100, 3000), answer)

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        life = self.life

        def assign() -> None:
            if life != self.life or self._store is None:
                return
            store = self._store
            if self._on_disk(lambda: store.assign(cluster_id, lineage, founding)):
                self.do(lambda driver: driver.on_assigned())

        self.world.clockwork.after(1000, assign)

    def install(self, effect: InstallSnapshot) -> None:
        self.world.installed += 1
        self._queue.append(effect)
        self._write_soon()

    def segments(self) -> Sequence[SegmentInfo]:
        return () if self._store is None else self._store.segments()

    def release(self, log_start: Offset) -> None:
        def release(store: Store) -> None:
            base, start = store.release(log_start)
            self.do(lambda driver: driver.on_released(base, start.position))

        self._later(1000, release)

    def build(self, up_to: Position) -> None:
        def build(store: Store) -> None:
            try:
                snapshot = store.adopt_snapshot(build_snapshot(self.disk, up_to))
            except (StorageError, DiskError) as problem:
                self.world.clockwork.note("not built", self.name, str(problem))
                self.do(lambda driver: driver.on_built(None))
                return
            self.world.built(self, snapshot)
            self.do(lambda driver: driver.on_built(snapshot))

        self._later(self.world.clockwork.random.randint(1000, 300_000), build)

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        def store_part(store: Store) -> None:
            size, state = stored_part(store, snapshot, at, data)
            self.do(lambda driver: driver.on_part(snapshot, size, state))

        self._later(self.world.clockwork.random.randint(500, 20_000), store_part)

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        def read(store: Store) -> None:
            data = chunk_of(store, offset, digest, at, min(max_bytes, PIECE_BYTES))
            self.do(lambda driver: driver.on_chunk(request, data))

        self._later(self.world.clockwork.random.randint(500, 20_000), read)

    def _later(self, delay_us: int, work: Callable[[Store], None]) -> None:
        """Let the store work after a while, unless the process has died meanwhile."""
        life = self.life

        def happen() -> None:
            if life == self.life and self._store is not None:
                store = self._store
                self._on_disk(lambda: work(store))

        self.world.clockwork.after(delay_us, happen)

    def park(self) -> None:
        life = self.life

        def park() -> None:
            if life == self.life and self._store is not None:
                self._on_disk(self._store.park)

        self.world.clockwork.after(1000, park)

    # driver.ports.NetworkPort

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        self.world.clockwork.note("send", self.name, to, len(message), bulk)
        return self.world.network.send(self.member, to, message)

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        self.peers = dict(peers)
        self.world.network.keep(self.member, peers, self.life)

    # driver.ports.ClockPort

    def wall_ms(self) -> int:
        return WALL_BASE_MS + self.skew_ms + self.world.clockwork.now_us // 1000

    def monotonic_s(self) -> float:
        return self.world.clockwork.now_us / 1e6

    # driver.ports.ObserverPort

    def committed(self, batches: int, records: int, size_bytes: int, waited_s: float) -> None:
        pass

    def duplicate(self) -> None:
        self.world.duplicates += 1

    def forwarded(self, batches: int) -> None:
        self.world.forwarded += batches

    def grouped(self, records: int) -> None:
        pass

    def role(self, role: str, term: int, leader: MemberId | None) -> None:
        self.world.clockwork.note("role", self.name, role, term, leader)
        if role == "leader":
            self.world.led(self, term)

    def note(self, level: str, event: str, **fields: object) -> None:
        self.world.clockwork.note(level, event, self.name, sorted(fields.items()))


def _write_in_order(store: Store, asked: Sequence[Persist | InstallSnapshot]) -> None:
    """What waits together, as the I/O thread does: writes merged, an install by itself."""
    together: list[Persist] = []
    for each in asked:
        if isinstance(each, Persist):
            together.append(each)
            continue
        if together:
            store.write(together)
        together = []
        store.install(each.snapshot)
    if together:
        store.write(together)
