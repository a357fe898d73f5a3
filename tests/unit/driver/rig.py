"""Drivers on real stores in memory, with a hand on everything that happens between them.

Nothing moves by itself: `deliver` lets messages arrive and disks finish, `tick` lets time pass.
A node's disk can be stalled, a node can be cut off, killed and started again.

Decides: how the ports behave. Must not know: what is right.
Read next: the tests beside it.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from msgspec.structs import replace

from replog.wire.batches import CheckedBatch, NewRecord, build_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import BootstrapRequest, MemberAddress, TargetRequest
from replog_node.driver.building import build_snapshot
from replog_node.driver.driver import Driver
from replog_node.driver.limits import DriverLimits
from replog_node.driver.wire import decode
from replog_node.model.entries import Entry
from replog_node.model.features import FEATURE_LEVEL
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import InstallSnapshot, Persist
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import Envelope
from replog_node.storage.errors import ChainBroken, LogDamaged, RepairRefused
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import SegmentInfo, Store, open_store
from replog_node.storage.summary import Hole
from tests.support.simdisk import SimDisk
from tests.support.snapshots import chunk_of, state_of, stored_part

CLUSTER = "00000000-0000-4000-8000-00000000c105"
WALL_MS = 1_700_000_000_000
TICK_S = 0.05
STORE = StoreLimits(segment_bytes=64 * 1024, block_bytes=4096, index_rows=8, read_bytes=4096)


def batch(*values: str, session: tuple[int, int] | None = None) -> CheckedBatch:
    """A batch of these values; session: (producer id, first sequence)."""
    records = [NewRecord(value.encode()) for value in values]
    if session is None:
        return build_batch(records)
    return build_batch(records, producer_id=session[0], producer_epoch=0, base_sequence=session[1])


class Answers(list[Any]):
    """Collects the replies to one call or to several."""

    def __call__(self, result: Any) -> None:
        self.append(result)

    @property
    def codes(self) -> list[str]:
        """The codes of the refusals among them, "ok" for the others."""
        return [answer.code if isinstance(answer, ApiError) else "ok" for answer in self]


class Rig:
    """Some members, and everything on its way between them.

    cut_off: who hears and is heard by nobody; apart: who speak among themselves only;
    dropped: which messages of the core get lost; refused: pairs whose hellos didn't fit.
    """

    def __init__(
        self, members: int = 1, *, limits: DriverLimits | None = None,
        core_limits: CoreLimits | None = None, store_limits: StoreLimits = STORE,
    ) -> None:  # fmt: skip
        self.limits = limits or DriverLimits()
        self.core_limits = core_limits or CoreLimits()
        self.store_limits = store_limits
        self.now_s = 1000.0
        self.mail: deque[tuple[MemberId, MemberId, bytes]] = deque()
        self.delivered: list[bytes] = []
        self.dropped: Callable[[Envelope], bool] | None = None
        self.cut_off: set[MemberId] = set()
        self.apart: set[MemberId] = set()
        self.refused: set[frozenset[MemberId]] = set()
        self.nodes = [Node(self, number) for number in range(members)]
        for node in self.nodes:
            node.start()

    def node(self, member: str) -> "Node":
        """The node with this id."""
        return next(node for node in self.nodes if node.member == member)

    def deliver(self) -> None:
        """Let everything happen that needs no time."""
        moved = True
        while moved:
            moved = False
            while self.mail:
                self._deliver(*self.mail.popleft())
                moved = True
            for node in self.nodes:
                moved = node.work() or moved

    def linked(self, one: MemberId, other: MemberId) -> bool:
        """Whether these two can speak with each other."""
        apart = (one in self.apart) != (other in self.apart)
        refused = frozenset((one, other)) in self.refused
        return not ({one, other} & self.cut_off or apart or refused)

    def _deliver(self, sender: MemberId, to: MemberId, data: bytes) -> None:
        node = self.node(to)
        if node.running is None or node.asleep or not self.linked(sender, to):
            return
        message = decode(data)
        if self.dropped is not None and isinstance(message, Envelope) and self.dropped(message):
            return
        self.delivered.append(data)
        node.running.receive(message)

    def tick(self, count: int = 1) -> None:
        """Let ticks pass everywhere."""
        for _ in range(count):
            self.now_s += TICK_S
            for node in self.nodes:
                if node.running is not None and not node.asleep:
                    node.running.tick()
            self.deliver()

    def found(self, voters: int | None = None) -> "Rig":
        """Found a cluster of all nodes, or of the first few; led by the first."""
        founder = self.nodes[0]
        done = Answers()
        founder.driver.bootstrap(BootstrapRequest(CLUSTER, "found"), done)
        self.deliver()
        lineage = founder.driver.membership.lineage
        assert lineage is not None
        for node in self.nodes[1:]:
            node.driver.adopt(ClusterId(CLUSTER), lineage, lambda _: None)
        self.deliver()
        self.tick(2)
        self.target(self.nodes[:voters], "first")
        self.tick(60)
        assert founder.driver.ready("write") is None, founder.driver.waits()
        return self

    def target(
        self, nodes: list["Node"], operation: str, *, epoch: int = 0, holder: str = "replog"
    ) -> Answers:
        """Ask the first node for this membership, as this operator."""
        members = [MemberAddress(node.member, f"{node.name}:1") for node in nodes]
        at = self.nodes[0].driver.status("", {}).configuration_offset
        answers = Answers()
        self.nodes[0].driver.call(
            TargetRequest(members, operation, at, epoch, holder), answers, deadline_s=self.now_s + 5
        )
        self.deliver()
        return answers


class Node:
    """One member; all ports of its driver.

    speaks: the feature level of its build, from its next start on; stalled: its disk answers
    nothing; asleep: nothing happens to it, and what arrives is lost;
    reads_held: reads are done at once and their answers come when it is unset; installs_held:
    installs are collected in held_installs.
    """

    def __init__(self, rig: Rig, number: int) -> None:
        self.rig = rig
        self.name = f"n{number}"
        self.member = MemberId(str(UUID(int=number + 1)))
        self.disk = SimDisk()
        self.running: Driver | None = None
        self.speaks = FEATURE_LEVEL
        self.stalled = False
        self.asleep = False
        self.reads_held = False
        self.installs_held = False
        self.held_installs: list[InstallSnapshot] = []
        self.wall_ms_ = WALL_MS
        self.persists: deque[Persist] = deque()
        self.reads: deque[tuple[int, Offset, int]] = deque()
        self.read_early: dict[int, tuple[Entry, ...]] = {}
        self.assigns: deque[tuple[ClusterId, Lineage, str]] = deque()
        self.snapshot_work: deque[Callable[[Store], None]] = deque()
        self.parked = False
        self.refused_sends = 0
        self.repairs: deque[tuple[Hole, tuple[Entry, ...]]] = deque()
        self.works: deque[Callable[[], None]] = deque()
        self.peers: Mapping[MemberId, str] = {}
        self.grouped_records: list[int] = []
        self.duplicates = 0
        self.committed_batches = 0
        self.forwarded_batches = 0
        self.notes: list[str] = []
        self.roles: list[str] = []
        self._lives = 0
        self._store: Store | None = None

    @property
    def driver(self) -> Driver:
        """The running driver."""
        if self.running is None:
            raise AssertionError(f"{self.name} does not run")
        return self.running

    @property
    def store(self) -> Store:
        """The running driver's store."""
        if self._store is None:
            raise AssertionError(f"{self.name} does not run")
        return self._store

    def start(self) -> None:
        """Start the process."""
        self._lives += 1
        self._store = open_store(
            self.disk,
            self.rig.store_limits,
            new_member_id=lambda: self.member,
            random64=lambda: self._lives,
        )
        self.running = Driver(
            self._store.recovered,
            storage=self,
            network=self,
            clock=self,
            observer=self,
            limits=self.rig.limits,
            core_limits=replace(self.rig.core_limits, feature_level=self.speaks),
            peer_address=f"{self.name}:1",
            new_lineage_id=lambda: "abc",
            data_dir=f"/data/{self.name}",
            state=state_of(self._store),
        )
        self.running.begin()
        self._greet()

    def _greet(self) -> None:
        """Say hello to all who run, and hear theirs, as each new connection does."""
        for other in self.rig.nodes:
            if other is not self and other.running is not None:
                other.running.peer_speaks(self.member, self.speaks)
                self.driver.peer_speaks(other.member, other.speaks)
                pair = frozenset((self.member, other.member))
                in_force = max(self.driver.feature_level, other.running.feature_level)
                fits = min(self.speaks, other.speaks) >= in_force
                self.rig.refused = self.rig.refused - {pair} if fits else self.rig.refused | {pair}

    def look_at_the_disk(self) -> None:
        """Look how much room there is, as a thread of the real node does now and then."""
        if self._store is not None:
            self.driver.on_disk_space(self._store.space())

    def idle(self) -> None:
        """Let the disk say that everything is durable, as it does when nothing is written."""
        if self._store is not None:
            self._store.write_idle_mark()

    def kill(self) -> None:
        """End the process; what is on its way to the disk is lost."""
        self.running = self._store = None
        self.persists.clear()
        self.reads.clear()
        self.read_early.clear()
        self.assigns.clear()
        self.snapshot_work.clear()
        self.repairs.clear()
        self.works.clear()
        self.disk.restart()
        for node in self.rig.nodes:
            if node.running is not None:
                node.running.peer_down(self.member)

    def work(self) -> bool:
        """Let the disk do everything that is asked of it; whether there was anything."""
        if self.stalled or self._store is None or self.running is None:
            return False
        waiting = self.repairs or (self.reads and not self.reads_held)
        busy = bool(self.assigns or self.persists or self.snapshot_work or waiting or self.works)
        while self.assigns:
            self._store.assign(*self.assigns.popleft())
            self.running.on_assigned()
        if self.persists:
            written = list(self.persists)
            self.persists.clear()
            self._store.write(written)
            self.running.on_persisted(written[-1].ticket)
            self.running.on_disk_space(self._store.space())
        while self.works:
            self.works.popleft()()
        while self.snapshot_work:
            self.snapshot_work.popleft()(self._store)
        while self.repairs:
            with suppress(ChainBroken, RepairRefused):
                self._store.repair(*self.repairs.popleft())
            self.running.on_damage(self._store.damage())
        while self.reads and not self.reads_held:
            request, at, max_bytes = self.reads.popleft()
            found = self.read_early.pop(request, None) or self._read(at, max_bytes)
            self.running.on_read(request, found or None)
        return busy

    def _read(self, at: Offset, max_bytes: int) -> tuple[Entry, ...]:
        """Read as the I/O thread does: what turns out to be damaged is looked at."""
        if self._store is None or self.running is None:
            return ()
        try:
            return self._store.read(at, max_bytes)
        except LogDamaged as damage:
            examined = self._store.examine(damage.segment)
            if examined is not None:
                self._store.damaged(examined)
                self.running.on_damage(self._store.damage())
            return ()

    def append(self, *batches: CheckedBatch, within_s: float = 5.0) -> Answers:
        """Append batches in one turn."""
        answers = Answers()
        for one in batches:
            self.driver.append(one, answers, deadline_s=self.rig.now_s + within_s)
        self.driver.flush()
        return answers

    def read_index(self, within_s: float = 5.0) -> Answers:
        """Ask for a linearizable read."""
        answers = Answers()
        self.driver.read_index(answers, deadline_s=self.rig.now_s + within_s)
        self.driver.flush()
        return answers

    def call(self, request: Any, within_s: float = 5.0) -> Answers:
        """Make an admin call."""
        answers = Answers()
        self.driver.call(request, answers, deadline_s=self.rig.now_s + within_s)
        return answers

    def entries(self, at: int = 0) -> list[Entry]:
        """Committed entries from there on."""
        answers = Answers()
        self.driver.read_entries(Offset(at), 1 << 20, answers)
        self.rig.deliver()
        pages = [page for page in answers if not isinstance(page, ApiError)]
        return [entry for page in pages for entry in page]

    # Ports.

    def write(self, persist: Persist) -> None:
        self.persists.append(persist)

    def read(self, request: int, at: Offset, max_bytes: int) -> None:
        self.reads.append((request, at, max_bytes))
        if self.reads_held and self._store is not None:
            self.read_early[request] = self._store.read(at, max_bytes)

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        self.assigns.append((cluster_id, lineage, founding))

    def in_order(self, work: Callable[[], None]) -> None:
        self.works.append(work)

    def repair(self, hole: Hole, entries: tuple[Entry, ...]) -> None:
        self.repairs.append((hole, entries))

    def park(self) -> None:
        self.parked = True

    def install(self, effect: InstallSnapshot) -> None:
        if self.installs_held:
            self.held_installs.append(effect)
            return
        self.persists_then(
            lambda store: store.install(effect.snapshot),
            lambda: self.driver.on_persisted(effect.ticket),
        )

    def segments(self) -> Sequence[SegmentInfo]:
        return () if self._store is None else self._store.segments()

    def release(self, log_start: Offset) -> None:
        def release(store: Store) -> None:
            base, start = store.release(log_start)
            self.driver.on_released(base, start.position)

        self.snapshot_work.append(release)

    def build(self, up_to: Position) -> None:
        def build(store: Store) -> None:
            snapshot = store.adopt_snapshot(build_snapshot(self.disk, up_to))
            self.driver.on_built(snapshot)

        self.snapshot_work.append(build)

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        self.snapshot_work.append(
            lambda store: self.driver.on_part(snapshot, *stored_part(store, snapshot, at, data))
        )

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        self.snapshot_work.append(
            lambda store: self.driver.on_chunk(
                request, chunk_of(store, offset, digest, at, max_bytes)
            )
        )

    def persists_then(self, write: Callable[[Store], None], told: Callable[[], None]) -> None:
        """Carry out what stands in order with the writes, once those before it are done."""

        def work(store: Store) -> None:
            if self.persists:
                written = list(self.persists)
                self.persists.clear()
                store.write(written)
                self.driver.on_persisted(written[-1].ticket)
            write(store)
            told()

        self.snapshot_work.appendleft(work)

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        if not self.rig.linked(self.member, to) or self.rig.node(to).running is None:
            self.refused_sends += 1
            return False
        self.rig.mail.append((self.member, to, message))
        return True

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        self.peers = peers

    def wall_ms(self) -> int:
        return self.wall_ms_ + int((self.rig.now_s - 1000.0) * 1000)

    def monotonic_s(self) -> float:
        return self.rig.now_s

    def committed(self, batches: int, records: int, size_bytes: int, waited_s: float) -> None:
        self.committed_batches += batches

    def duplicate(self) -> None:
        self.duplicates += 1

    def forwarded(self, batches: int) -> None:
        self.forwarded_batches += batches

    def grouped(self, records: int) -> None:
        self.grouped_records.append(records)

    def role(self, role: str, term: int, leader: MemberId | None) -> None:
        self.roles.append(role)

    def note(self, level: str, event: str, **fields: object) -> None:
        self.notes.append(event)
