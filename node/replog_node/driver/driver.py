"""The whole node but for its senses: what comes in, and in which order things happen after it.

Every public method is one turn: step the core, carry out its effects, then settle: apply what is
committed, answer who waited for it, append or send on what still waits, ask for reads.

Decides: that order. Must not know: asyncio, sockets, files, HTTP. No method blocks.
Read next: kernel.py (the core), callers.py (who waits for what), applier.py, leaving.py.
"""

from collections.abc import Callable, Mapping

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, BootstrapRequest, ClusterStatus, Done, Wait
from replog_node.driver.answers import Reply
from replog_node.driver.applier import Applier
from replog_node.driver.callers import Callers
from replog_node.driver.calls import Request
from replog_node.driver.catchup import CatchUp
from replog_node.driver.clockrecords import ClockRecords
from replog_node.driver.fetching import Fetching, Serving
from replog_node.driver.flight import Flight
from replog_node.driver.founding import Founding
from replog_node.driver.health import Health
from replog_node.driver.kernel import FOUNDING_TICKET, Kernel
from replog_node.driver.leaving import Leaving
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import (
    ChunkFetched,
    EntriesFetched,
    FetchChunk,
    FetchEntries,
    Message,
    SnapshotReport,
)
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.pages import Pages
from replog_node.driver.ports import ClockPort, NetworkPort, ObserverPort, StoragePort
from replog_node.driver.reading import DiskReads
from replog_node.driver.repair import Repairs
from replog_node.driver.schedule import Schedule
from replog_node.driver.snapshots import Snapshots
from replog_node.driver.space import Space
from replog_node.driver.standing import Membership, Standing
from replog_node.driver.watchers import Watchers
from replog_node.frames.build import build_entry
from replog_node.model.entries import Entry
from replog_node.model.features import FIRST_LEVEL, check_spoken
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import (
    ConfigurationActive,
    Effect,
    FetchSnapshot,
    HandingOver,
    InstallSnapshot,
    MemberRemoved,
    ReadEntries,
    ReadFailed,
    ReadReady,
    RoleChanged,
    TransferEnded,
)
from replog_node.raft.events import ClockAcknowledged, LogBounds, PeerDown, PeerUp, Received, Tick
from replog_node.raft.handover import LEAVING
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import Envelope
from replog_node.raft.violation import InvariantViolation
from replog_node.state.applied import AppliedState
from replog_node.state.head import HeadState
from replog_node.storage.bounds import level_of
from replog_node.storage.damage import Damage
from replog_node.storage.reserve import DiskSpace
from replog_node.storage.store import Recovered


class Driver:
    """One member. Create it with what the store recovered, then call begin() once."""

    def __init__(
        self,
        recovered: Recovered,
        *,
        storage: StoragePort,
        network: NetworkPort,
        clock: ClockPort,
        observer: ObserverPort,
        limits: DriverLimits,
        core_limits: CoreLimits,
        peer_address: str,
        new_lineage_id: Callable[[], str],
        data_dir: str = "",
        state: AppliedState | None = None,
    ) -> None:
        """state: of recovered.snapshot, if there is one, to go on from.

        core_limits.feature_level: what this build speaks; raises LevelNotSpoken if that is less
        than what was recovered.
        """
        found = level_of(recovered.log, recovered.snapshot)
        check_spoken(found, core_limits.feature_level, "the log on this disk")
        self.clock = clock
        self.applied = applied = AppliedState() if state is None else state
        self.membership = membership = Membership(
            recovered.cluster_id, recovered.lineage, removed=recovered.removed
        )
        self.kernel = kernel = Kernel(
            recovered.member,
            recovered.incarnation,
            framer=build_entry,
            limits=core_limits,
            storage=storage,
            network=network,
            clock=clock,
            on_effect=self._effect,
            flight=Flight(limits.flight_bytes // 2),
        )
        self._recovered = recovered
        self._observer = observer
        self._head = HeadState(applied)
        obstacles = Obstacles(kernel, membership, applied)
        self._callers = Callers(
            kernel, membership, applied, self._head, obstacles, observer, limits
        )
        self.appends = self._callers.appends
        self._watchers = Watchers(limits.watchers)
        self._disk_reads = DiskReads(storage)
        self._pages = Pages(kernel, self._disk_reads)
        self._snapshots = Snapshots(kernel, applied, storage, observer)
        self._fetching = Fetching(kernel, storage, observer, self._fetched)
        self._serving = Serving(kernel, storage)
        self._fetched_state: tuple[SnapshotMeta, bytes] | None = None
        self._advanced_by_install = False
        self._applier = Applier(kernel, applied, self._read_to_apply, limits, self._snapshots.point)
        self._schedule = Schedule(kernel, applied, obstacles, limits, storage.segments)
        self._repairs = Repairs(kernel, self._disk_reads, observer, self._became_whole)
        self._catch_up = CatchUp(kernel, self._callers.reads)
        self._health = Health(
            kernel, membership, applied, self._applier, obstacles, core_limits, data_dir,
            self._snapshots, self._fetching, self._repairs, self._schedule, self._catch_up,
        )  # fmt: skip
        self._clock_records = ClockRecords(kernel, applied, obstacles)
        self._founding = Founding(kernel, membership, recovered, peer_address, new_lineage_id)
        self._leaving = Leaving(
            kernel, membership, self._founding, self._callers, self._watchers, observer
        )
        self._space = Space(kernel, observer)
        self._lost_leadership = False
        self._peers: dict[MemberId, str] = {}

    # What happens to a member.

    def begin(self) -> None:
        """Start on what the disk holds; call it before anything else."""
        self._snapshots.newest = self._recovered.snapshot
        if self._recovered.holes and self.membership.standing is Standing.MEMBER:
            self._repairs.hold(self._recovered.holes, self._recovered.log)
        else:
            self._founding.begin()
        self._settle()

    def tick(self) -> None:
        """One tick of the core's clock has passed."""
        now_s = self.clock.monotonic_s()
        self._space.tell()
        self.kernel.run(Tick(self.clock.wall_ms()))
        self._applier.tick()
        self._callers.reads.tick(now_s)
        self._fetching.tick()
        self._snapshots.tick()
        self._repairs.tick()
        self._catch_up.tick()
        self._settle()
        self._clock_records.tick()
        self._schedule.tick(now_s)
        self._callers.expire(now_s)
        self._health.tick(now_s)

    def receive(self, message: Message) -> None:
        """A message of another member, decoded; those to somebody else are dropped."""
        if message.to != self.kernel.member:
            return
        self._repairs.heard(message.sender)
        if isinstance(message, Envelope):
            self._space.hear(message)
            self.kernel.run(Received(message, self.clock.wall_ms()))
            self._health.hear(message)
        elif isinstance(message, FetchChunk):
            self._serving.asked(message)
        elif isinstance(message, ChunkFetched):
            self._fetching.received(message)
        elif isinstance(message, SnapshotReport):
            self._snapshots.reported(message)
        elif isinstance(message, FetchEntries):
            self._repairs.serve(message)
        elif isinstance(message, EntriesFetched):
            self._repairs.fetched(message)
        else:
            self._callers.receive(message)
        self._settle()

    def on_persisted(self, ticket: int) -> None:
        """The disk has everything up to this ticket."""
        if ticket == FOUNDING_TICKET:
            self._founding.first_entry_persisted()
        else:
            self.kernel.persisted(ticket)
        self._settle()

    def on_read(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        """The disk answered a read."""
        self._disk_reads.answered(request, entries)
        self._settle()

    def on_built(self, snapshot: SnapshotMeta | None) -> None:
        """A snapshot is built and durable, or came to nothing."""
        self._snapshots.built(snapshot)
        self._settle()

    def on_snapshot_dropped(self, snapshot: SnapshotMeta) -> None:
        """A snapshot turned out to be damaged: build it anew."""
        self._snapshots.dropped(snapshot)
        self._settle()

    def on_released(self, base: SnapshotMeta | None, start: Position) -> None:
        """The disk has let go of what no retained entry needs; the log begins after `start`."""
        self._snapshots.released(base, start)
        self._settle()

    def on_part(self, snapshot: SnapshotMeta, size: int, state: bytes | None) -> None:
        """So much of a fetched snapshot is on disk; all of it, if its state comes along."""
        self._fetching.stored(snapshot, size, state)
        self._fetched_state = None  # installed in that turn, or not needed
        self._settle()

    def on_chunk(self, request: int, data: bytes | None) -> None:
        """The disk answered a read for another member's fetch."""
        self._serving.read(request, data)
        self._settle()

    def on_damage(self, damage: Damage) -> None:
        """The disk says which parts of the log are lost: found just now, or left by a repair."""
        self._repairs.told(damage)
        self._repairs.ask()
        self._settle()

    def _became_whole(self, log: LogBounds) -> None:
        """What the start found lost is filled: the member takes part from now on."""
        self._founding.begin(log)

    def on_assigned(self) -> None:
        """The assignment to a cluster is durable."""
        self._founding.assigned()
        self._settle()

    def on_disk_space(self, space: DiskSpace) -> None:
        """The disk has this much room now."""
        self._space.told(space)
        self._settle()

    def peer_up(self, member: MemberId) -> None:
        """A connection to a member was made."""
        self.kernel.run(PeerUp(member))
        self._repairs.connected(member)
        self._settle()

    def peer_down(self, member: MemberId) -> None:
        """The connection to a member is gone."""
        self.kernel.run(PeerDown(member))
        self._callers.lost(member)
        self._repairs.lost(member)
        self._settle()

    def peer_speaks(self, member: MemberId, feature_level: int) -> None:
        """A member said what its build speaks: in each hello, also one that isn't let in.

        Before peer_up, so that a raise never rests on what an earlier process of it said.
        """
        self.kernel.peer_speaks(member, feature_level)

    def acknowledge_clock(self) -> None:
        """Somebody says that this member's clock is right (raft/logtime.py)."""
        self.kernel.run(ClockAcknowledged())
        self._settle()

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        """A member of a cluster greeted this one by its own UUID (Founding.adopt)."""
        self._founding.adopt(cluster_id, lineage, reply)
        self._settle()

    def fence(self, lineage: Lineage) -> None:
        """A newer life of the log exists: this member says nothing more in the old one."""
        self._leaving.fence(lineage)

    def begin_stop(self) -> None:
        """Take nothing new; hand leadership over, if it is held. Calls in flight go on."""
        self._leaving.begin_stop()
        self._settle()

    @property
    def drained(self) -> bool:
        """Whether nobody waits for this member any more and it has handed over what it led."""
        return self._leaving.drained

    def close(self) -> None:
        """Answer everybody who still waits, and stop the core."""
        self._leaving.close()

    # What callers ask for. Each reply comes in this turn or a later one, exactly once.

    def append(self, batch: CheckedBatch, reply: Reply[Appended], *, deadline_s: float) -> None:
        """Append a batch; it waits for flush(), so that what comes together goes together."""
        self._callers.append(batch, reply, deadline_s=deadline_s)

    def read_index(self, reply: Reply[Offset], *, deadline_s: float) -> None:
        """Confirm a linearizable read; it waits for flush(). The reply: an applied offset."""
        self._callers.read_index(reply, deadline_s=deadline_s)

    def flush(self) -> None:
        """Append, send on and ask for what has come since the last turn."""
        self._settle()

    def call(self, request: Request, reply: Reply[object], *, deadline_s: float) -> None:
        """Carry out an admin call, here or at the leader."""
        if self._callers.call(request, reply, deadline_s=deadline_s):
            self._settle()

    def bootstrap(self, request: BootstrapRequest, reply: Reply[Done]) -> None:
        """Found a cluster of this one member."""
        self._founding.bootstrap(request, reply)
        self._settle()

    def read_entries(self, at: Offset, max_bytes: int, reply: Reply[tuple[Entry, ...]]) -> None:
        """Committed entries from the one that holds `at` on: at least one if there is any.

        ApiError storage_failed if the disk doesn't give them; not_ready while what the start found
        damaged is mended.
        """
        if self._repairs.holding:
            detail = "part of this member's log is lost, and fetched from the others first"
            reply(ApiError("not_ready", detail, wait="HoleBeingFilled"))
            return
        self._pages.read(at, max_bytes, reply)

    def watch(self, woken: Callable[[], None]) -> Callable[[], None] | None:
        """Call once, when more is applied or the standing changes.

        Returns what ends the watch, to be called by whoever doesn't wait any more (afterwards it
        does nothing); None when too many wait.
        """
        return self._watchers.watch(woken)

    def status(self, version: str, client_addresses: Mapping[MemberId, str]) -> ClusterStatus:
        """What this member knows."""
        return self._health.status(version, client_addresses)

    def waits(self) -> list[Wait]:
        """What this member waits for, worst first."""
        return self._health.waits()

    def ready(self, what: str) -> str | None:
        """None when "read" or "write" can be served; else the wait that hinders it."""
        return self._health.ready(what)

    @property
    def snapshot(self) -> SnapshotMeta | None:
        """The newest snapshot that this member has."""
        return self._snapshots.newest

    @property
    def snapshot_offset(self) -> int:
        """Where the newest snapshot here ends; -1 without one."""
        newest = self._snapshots.newest
        return -1 if newest is None else newest.position.offset

    @property
    def diverged(self) -> Mapping[MemberId, Offset]:
        """Members whose snapshots differ from another's, and the offset of those."""
        return self._snapshots.comparison.diverged

    @property
    def log_start(self) -> Offset:
        """The first offset that may be read here: the log start, or what a snapshot left of it.

        The latter is higher only for the moment in which a member that began at a snapshot hasn't
        applied the trim yet that made the snapshot its beginning.
        """
        return Offset(max(self.applied.log_start, self.kernel.log_begins_after().offset + 1))

    @property
    def feature_level(self) -> int:
        """The feature level in force, as far as this member has applied the log."""
        configuration = self.applied.configuration
        return FIRST_LEVEL if configuration is None else configuration.feature_level

    @property
    def staleness_ms(self) -> int:
        """How long ago the leader was heard; what was committed since, or is still on its way here,
        may be missing. -1: no leader is known."""
        return self._health.staleness_ms()

    @property
    def confirmed_s(self) -> float | None:
        """Monotonic: what was acknowledged by then is surely applied here; None: not known yet.

        The moment at which this member sent the newest question that a quorum answered.
        """
        return self._callers.reads.confirmed_s

    @property
    def disk_free_bytes(self) -> int:
        """Free bytes of this member's file system, as it was told last; -1: not yet."""
        return -1 if self._space.own is None else self._space.own.free_bytes

    def recording(self, *, build: str, why: str) -> bytes:
        """What the flight recorder holds, as bytes (flight.py); asked of a stopped one, too."""
        return self.kernel.flight.recording(build=build, why=why, at_ms=self.clock.wall_ms())

    # Between a turn's effects and its end.

    def _settle(self) -> None:
        """Everything that follows from what has just happened."""
        if self._lost_leadership:
            self._after_leading()
        if self._applier.advance() or self._advanced_by_install:
            self._advanced_by_install = False
            self._advanced()
        self._callers.admin.flush()
        self._callers.appends.flush()
        self._callers.send_on()
        self._callers.reads.flush()
        self._callers.reads.settle()
        self._snapshots.settle()
        self._connect()
        self._health.note_progress()

    def _after_leading(self) -> None:
        """Head state is a leader's; what others sent here must find the next leader."""
        self._lost_leadership = False
        self._head.drop()
        self._callers.refuse_forwarded()

    def _advanced(self) -> None:
        """More is applied: answer who waited for it."""
        self._head.applied_through(self.applied.offset)
        self._callers.settle(self.applied.offset)
        self._watchers.wake()

    def _fetched(self, snapshot: SnapshotMeta, state: bytes) -> None:
        """Hold the state until the core says in the same turn whether it is needed."""
        self._fetched_state = (snapshot, state)

    def _install(self, snapshot: SnapshotMeta) -> None:
        """The log begins anew at S: what is applied becomes the snapshot's state.

        It may be seen at once, before the disk has it: it is committed, wherever it lies.
        """
        held = self._fetched_state
        if held is None or held[0] != snapshot:
            raise InvariantViolation(f"install {snapshot.position}, which was not fetched")
        self._fetched_state = None
        self.applied.load(held[1])
        self._applier.begin_anew()
        self._snapshots.installed(snapshot)
        self._advanced_by_install = True

    def _read_to_apply(self, at: Offset, max_bytes: int) -> None:
        def apply(entries: tuple[Entry, ...] | None) -> None:
            if self._applier.on_read(entries):
                self._advanced()

        self._disk_reads.ask(at, max_bytes, apply)

    def _connect(self) -> None:
        """Keep connections to whom the core speaks with; the adapters are told of changes only."""
        core = self.kernel.core
        if core is not None or self._repairs.holding:
            peers = core.peers() if core is not None else self._repairs.peers()
            if peers != self._peers:
                self._peers = peers
                self.kernel.network.connect(peers)

    def _effect(self, effect: Effect) -> None:
        """Effects that aren't the kernel's. Nothing here steps the core: that comes after."""
        match effect:
            case ReadReady(context=context, index=index):
                self._callers.reads.ready(context, index)
            case ReadFailed(context=context):
                self._callers.reads.failed(context)
            case TransferEnded():
                self._leaving.transfer_ended()
                self._callers.admin.transfer_ended(effect)
            case HandingOver(to=to, why=why):
                level = "info" if why == LEAVING else "warning"
                self._observer.note(level, "handing_over", to=to, why=why)
            case FetchSnapshot():
                offered, source = effect.snapshot.feature_level, effect.source
                check_spoken(offered, self.kernel.spoken_level, f"the log of {source}")
                self._fetching.want(effect.snapshot, effect.source)
            case InstallSnapshot():
                self._install(effect.snapshot)
                self._fetching.installing(effect.ticket)
            case ConfigurationActive():
                pass  # peers are compared at the end of the turn
            case RoleChanged():
                self._role_changed(effect)
            case MemberRemoved(at=at):
                self._leaving.removed(at)
            case ReadEntries():
                self._pages.read_for(effect)
            case _:
                raise InvariantViolation(f"an effect for nobody: {effect}")

    def _role_changed(self, effect: RoleChanged) -> None:
        if effect.role != "leader":
            self._lost_leadership = True  # whatever comes next in this turn
        self._observer.role(effect.role, effect.term, effect.leader)
