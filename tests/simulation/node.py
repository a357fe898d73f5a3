"""One simulated member: a real driver and a real store over simulated ports.

A crash of the disk in the middle of a write ends the process, and so does a disk that fails; what
that leaves is the disk's affair (tests/support/simdisk.py).

Decides: what dies with a process, and when it starts again.
Must not know: clients, invariants.
Read next: storage.py, world.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec.structs import replace

from replog_node.driver.driver import Driver
from replog_node.driver.limits import DriverLimits
from replog_node.model.features import FEATURE_LEVEL, FIRST_LEVEL, LevelNotSpoken
from replog_node.model.positions import MemberId
from replog_node.raft.limits import CoreLimits
from replog_node.storage.bounds import level_of
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import StorageError
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import open_store
from tests.simulation.storage import SimStorage
from tests.support.simdisk import Crashed, SimDisk
from tests.support.snapshots import state_of

if TYPE_CHECKING:
    from tests.simulation.world import World

TICK_US = 50_000
WALL_BASE_MS = 1_700_000_000_000
CORE = CoreLimits(cache_bytes=16 * 1024)
"""A small cache, so that followers behind are served from disk, too."""
DRIVER = DriverLimits(group_bytes=4096, snapshot_bytes=24 * 1024, retention_bytes=48 * 1024)
STORE = StoreLimits(
    segment_bytes=16 * 1024, block_bytes=4096, index_rows=8, read_bytes=4096,
    soft_limit_bytes=24 * 1024, margin_bytes=8 * 1024,
)  # fmt: skip


class SimNode:
    """A member, alive while `driver` is set. life: counts its processes.

    stall_us: how much longer the next write takes; pace: how fast its ticks come (1.0: as meant);
    speaks: the feature level of its build.
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
        self.speaks = FEATURE_LEVEL
        self.skew_ms = world.clockwork.random.randint(-200, 200)
        self.storage: SimStorage | None = None
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
            store = open_store(
                self.disk,
                STORE,
                new_member_id=lambda: self.member,
                random64=lambda: random.getrandbits(64),
            )
            state = state_of(store)
        except Crashed:
            self.world.clockwork.note("died opening", self.name)
            self.disk.restart()
            self.world.clockwork.after(200_000, self.start)
            return
        except (StorageError, DiskError) as problem:
            self._refused(problem)
            return
        level = level_of(store.recovered.log, store.recovered.snapshot)
        if level > self.speaks:
            self.too_old(level)
            return
        self.storage = SimStorage(self, store)
        self.driver = Driver(
            store.recovered,
            storage=self.storage,
            network=self,
            clock=self,
            observer=self,
            limits=DRIVER,
            core_limits=replace(CORE, feature_level=self.speaks),
            peer_address=f"{self.name}:1",
            new_lineage_id=lambda: f"{random.getrandbits(64):016x}",
            state=state,
        )
        self.world.started(self)
        self.storage.begin()
        self.do(lambda driver: driver.begin())
        self._tick(self.life)

    def kill(self, *, power: bool = False) -> None:
        """End the process; with power, only what was synced stays."""
        if self.driver is not None:
            self.world.ended(self)
        self.driver = None
        if self.storage is not None:
            self.storage.end()
        self.storage = None
        self.life += 1
        self.paused = False
        self._postponed.clear()
        self.peers = {}
        self._learnt = set()
        if power:
            random = self.world.clockwork.random
            self.disk.lose_power(random, kept=random.choice((0.0, 0.1, 0.5, 0.5, 0.9, 1.0)))
        else:
            self.disk.restart()
        self.world.network.forget(self.member)

        mourners, self._mourners = self._mourners, []
        for mourn in mourners:
            self.world.clockwork.after(1000, mourn)

    def _refused(self, problem: Exception) -> None:
        """The data can't be used, or not now: the process ends with exit code 3 or 1 (app.py)."""
        self.world.clockwork.note("can't start", self.name, type(problem).__name__, str(problem))
        self.disk.restart()
        self._start_again()

    def change_build(self, speaks: int) -> None:
        """Stop it, and start it a moment later as a build that speaks this feature level."""
        self.kill()
        self.speaks = speaks
        self._start_again()

    def too_old(self, level: int) -> None:
        """Its build refused to go on, with a sentence; an operator installs one that speaks it."""
        self.world.clockwork.note("build too old", self.name, self.speaks, level)
        self.world.builds_refused += 1
        self.change_build(level)

    def _start_again(self) -> None:
        delay_us = self.world.clockwork.random.randint(100_000, 2_000_000)
        self.world.clockwork.after(delay_us, self.start)

    def crashed(self, what: str) -> None:
        """The process died in the middle of a call of the disk, alone or with its machine."""
        self.world.clockwork.note("died writing", self.name, what)
        self.kill(power=self.world.clockwork.random.random() < 0.5)
        self._start_again()

    def failed(self, problem: Exception) -> None:
        """The store can't go on: the process ends with exit code 1, and is started again."""
        self.world.clockwork.note("failed", self.name, type(problem).__name__, str(problem))
        self.kill()
        self._start_again()

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
        try:
            turn(self.driver)
        except LevelNotSpoken as refusal:
            self.too_old(refusal.level)
            return
        self.world.checks.stepped(self)

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
        if other.driver is not None and not self.understands(other):
            driver.peer_speaks(other.member, other.speaks)
            answered(False)
            return
        cluster_id, lineage = driver.membership.cluster_id, driver.membership.lineage
        other.do(lambda theirs: theirs.adopt(cluster_id, lineage, answered))

    def understands(self, other: SimNode) -> bool:
        """Whether each speaks what is in force in the other's log, as hellos ask (hello.py)."""
        drivers = (self.driver, other.driver)
        in_force = (driver.feature_level for driver in drivers if driver is not None)
        return min(self.speaks, other.speaks) >= max(in_force, default=FIRST_LEVEL)

    # driver.ports.NetworkPort

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        self.world.clockwork.note("send", self.name, to, len(message), bulk)
        self.world.checks.sent(self, to, message)
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
