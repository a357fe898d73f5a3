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

from replog_node.adapters.book import AddressBook
from replog_node.driver.driver import Driver
from replog_node.model.configuration import Configuration
from replog_node.model.features import FEATURE_LEVEL, LevelNotSpoken
from replog_node.model.positions import MemberId
from replog_node.state.applied import AppliedState
from replog_node.storage.bounds import level_of
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import StorageError
from replog_node.storage.store import open_store
from tests.simulation.clock import SimClock
from tests.simulation.storage import SimStorage
from tests.support.simdisk import Crashed, SimDisk
from tests.support.snapshots import state_of

if TYPE_CHECKING:
    from tests.simulation.world import World

TICK_US = 50_000


class SimNode:
    """A member, alive while `driver` is set. life: counts its processes.

    pace: how fast its ticks come (1.0: as meant); held: it stays as it is, dead or paused, until it
    is healed; speaks: the feature level of its build; configurations: what it went by when it died.
    """

    def __init__(
        self,
        world: World,
        name: str,
        *,
        member: MemberId | None = None,
        disk: SimDisk | None = None,
    ) -> None:
        """member, disk: of one that was there before; else a new one with an empty disk."""
        self.world = world
        self.name = name
        self.member = self._new_id() if member is None else member
        self.disk = SimDisk() if disk is None else disk
        self.book = AddressBook()
        self.clock = SimClock(world.clockwork)
        self.held = False
        self.speaks = FEATURE_LEVEL
        self.configurations: tuple[Configuration, ...] = ()
        self._moves = 0
        self.driver: Driver | None = None
        self.life = 0
        self.paused = False
        self.peers: Mapping[MemberId, str] = {}
        self.pace = 1.0
        self._stall: tuple[int, Callable[[], None]] | None = None
        self._on_pause: Callable[[], None] | None = None
        self._on_crash: Callable[[], None] | None = None
        self.storage: SimStorage | None = None
        self._postponed: list[Callable[[], None]] = []
        self._mourners: list[Callable[[], None]] = []
        self._flush_due = False
        self._learnt: set[MemberId] = set()
        if member is None:
            self.join()

    def join(self) -> None:
        """Be there for the others."""
        self.world.network.nodes[self.member] = self

    def leave(self) -> None:
        """Be there no more."""
        self.kill()
        self.world.network.nodes.pop(self.member, None)

    @property
    def address(self) -> str:
        """Where its listener is."""
        return f"{self.name}:{1 + self._moves}"

    def move(self) -> None:
        """Have another address from the next start on."""
        self._moves += 1

    @property
    def leads(self) -> bool:
        """Whether it believes to lead."""
        return self.driver is not None and self.driver.kernel.leading

    def able(self) -> Driver | None:
        """The driver, if it can be asked something now."""
        return None if self.paused else self.driver

    def _new_id(self) -> MemberId:
        return MemberId(str(UUID(int=self.world.clockwork.random.getrandbits(128), version=4)))

    def renew(self) -> SimNode:
        """An empty disk, hence another member. Returns the one that it was, not running."""
        self.leave()
        relic = SimNode(self.world, f"{self.name}-relic", member=self.member, disk=self.disk)
        relic.speaks = self.speaks
        self.disk = SimDisk()
        self.member = self._new_id()
        self.configurations = ()
        self.join()
        self.start()
        return relic

    # A process's life.

    def start(self) -> None:
        """Start the process, if it doesn't run; it may die of its disk at once."""
        if self.driver is not None or self.held:
            return
        self.life += 1
        random = self.world.clockwork.random
        try:
            store = open_store(
                self.disk,
                self.world.sizes.store(),
                new_member_id=lambda: self.member,
                random64=lambda: random.getrandbits(64),
            )
            state = state_of(store)
        except Crashed:
            self.world.clockwork.note(self.name, "died-opening")
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
        self.driver = self._new_driver(self.storage, state)
        self.world.started(self)
        self.storage.begin()
        self.do(lambda driver: driver.begin())
        self._tick(self.life)

    def _new_driver(self, storage: SimStorage, state: AppliedState) -> Driver:
        random = self.world.clockwork.random
        return Driver(
            storage.store.recovered,
            storage=storage,
            network=self,
            clock=self.clock,
            observer=self,
            limits=self.world.sizes.driver(),
            core_limits=self.world.sizes.core(self.speaks),
            peer_address=self.address,
            new_lineage_id=lambda: f"{random.getrandbits(64):016x}",
            state=state,
        )

    def kill(self, *, power: bool = False) -> None:
        """End the process; with power, only what was synced stays."""
        if self.driver is not None:
            self.world.ended(self)
            self._remember()
        self.driver = None
        if self.storage is not None:
            self.storage.end()
        self.storage = None
        self.life += 1
        self.paused = False
        self._postponed.clear()
        self.peers = {}
        self._learnt = set()
        self.book = AddressBook()
        self._stall = self._on_pause = self._on_crash = None
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
        self.world.clockwork.note(self.name, "can't-start", type(problem).__name__, problem)
        self.world.checks.met(self, problem)
        self.disk.restart()
        self._start_again()

    def change_build(self, speaks: int) -> None:
        """Stop it, and start it a moment later as a build that speaks this feature level."""
        self.kill()
        self.speaks = speaks
        self._start_again()

    def too_old(self, level: int) -> None:
        """Its build refused to go on, with a sentence; an operator installs one that speaks it."""
        self.world.clockwork.note(self.name, "too-old", self.speaks, level)
        self.world.builds_refused += 1
        self.change_build(level)

    def _start_again(self) -> None:
        delay_us = self.world.clockwork.random.randint(100_000, 2_000_000)
        self.world.clockwork.after(delay_us, self.start)

    def crashed(self, what: str) -> None:
        """The process died in the middle of a call of the disk, alone or with its machine."""
        self.world.clockwork.note(self.name, "died-writing", what)
        if self._on_crash is not None:
            self._on_crash()
        self.kill(power=self.world.clockwork.random.random() < 0.5)
        self._start_again()

    def failed(self, problem: Exception) -> None:
        """The store can't go on: the process ends with exit code 1, and is started again."""
        self.world.clockwork.note(self.name, "failed", type(problem).__name__, problem)
        self.kill()
        self._start_again()

    def known_configurations(self) -> tuple[Configuration, ...]:
        """What it goes by, or went by when it died."""
        self._remember()
        return self.configurations

    def _remember(self) -> None:
        """Of its log the last configuration that it knows to be committed, and all after that: of
        those a power loss may leave any."""
        core = None if self.driver is None else self.driver.kernel.core
        if self.driver is None or core is None:
            return
        committed = self.driver.kernel.committed.offset
        held = core._s.log.configurations
        newer = [configuration for offset, configuration in held if offset > committed]
        settled = [configuration for offset, configuration in held if offset <= committed]
        if held:
            self.configurations = (*settled[-1:], *newer)

    def crash_within(self, operations: int, on_effect: Callable[[], None]) -> None:
        """Die at one of the next disk operations."""
        if self.driver is not None:
            self.disk.crash_at = self.disk.operations + operations
            self._on_crash = on_effect

    def stall(self, for_us: int, on_effect: Callable[[], None]) -> None:
        """Let the next write take so much longer."""
        self._stall = (for_us, on_effect)

    def stalled_us(self) -> int:
        """How much longer the write that begins now takes."""
        stall, self._stall = self._stall, None
        if stall is None:
            return 0
        stall[1]()
        return stall[0]

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

    def pause(self, for_us: int, on_effect: Callable[[], None]) -> None:
        """As SIGSTOP: nothing happens here for a while; then everything at once."""
        if self.driver is None or self.paused:
            return
        self.paused, self._on_pause = True, on_effect
        life = self.life
        self.world.clockwork.after(for_us, lambda: self._resume(life))

    def _resume(self, life: int) -> None:
        if life != self.life or self.held:
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
            if self._on_pause is not None:
                self._on_pause()
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

    def learn(self, other: SimNode) -> None:
        """A member said hello: its address is known now, so answer on a connection of our own."""
        self._learnt.add(other.member)
        self.world.network.keep(self.member, {other.member: ""}, self.life)

    def _tick(self, life: int) -> None:
        if self.life != life or self.driver is None:
            return
        if not self.paused:
            self.do(lambda driver: driver.tick())
        jitter_us = self.world.clockwork.random.randint(-500, 500)
        delay_us = int(TICK_US / self.pace) + jitter_us
        self.world.clockwork.after(delay_us, lambda: self._tick(life))

    # driver.ports.NetworkPort

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        self.world.sent(self, to, message)
        self.world.checks.sent(self, to, message)
        return self.world.network.send(self.member, to, message)

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        self.peers = dict(peers)
        self.book.configure(peers)
        self.world.network.keep(self.member, peers, self.life)

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
        self.world.clockwork.note(self.name, "role", role, term, self.world.name_of(leader))
        if role == "leader":
            self.world.led(self, term)

    def note(self, level: str, event: str, **fields: object) -> None:
        self.world.notes[event] += 1
        told = (f"{key}={value}" for key, value in sorted(fields.items()))
        self.world.clockwork.note(self.name, event, *told)
