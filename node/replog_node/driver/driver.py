"""The whole node but for its senses: what comes in, and in which order things happen after it.

Every public method is one turn: step the core, carry out its effects, then settle: apply what is
committed, answer who waited for it, append or send on what still waits, ask for reads.

Decides: that order. Must not know: asyncio, sockets, files, HTTP. No method blocks.
Read next: kernel.py, appends.py, forwards.py, reads.py, applier.py, admin.py, founding.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, assert_never

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, BootstrapRequest, ClusterStatus, Done, Wait
from replog_node.driver.admin import Admin
from replog_node.driver.answers import Reply
from replog_node.driver.appends import Appends, Waiting
from replog_node.driver.applier import Applier
from replog_node.driver.calls import Call, Calls, Request
from replog_node.driver.clockrecords import ClockRecords
from replog_node.driver.forwards import Forwards
from replog_node.driver.founding import Founding
from replog_node.driver.kernel import FOUNDING_TICKET, Kernel
from replog_node.driver.ledger import Ledger
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import (
    ForwardAdmin,
    ForwardAdminResult,
    ForwardAppends,
    ForwardResults,
    Message,
)
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.ports import ClockPort, NetworkPort, ObserverPort, StoragePort
from replog_node.driver.reading import DiskReads
from replog_node.driver.reads import Read, Reads
from replog_node.driver.standing import Membership, Standing
from replog_node.driver.status import cluster_status
from replog_node.driver.waits import Facts, Waits
from replog_node.frames.build import build_entry
from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset
from replog_node.raft.effects import (
    ConfigurationActive,
    Effect,
    MemberRemoved,
    ReadEntries,
    ReadFailed,
    ReadReady,
    Reason,
    Rejected,
    RoleChanged,
    TransferEnded,
)
from replog_node.raft.events import (
    ClockAcknowledged,
    EntriesRead,
    PeerDown,
    PeerUp,
    Received,
    Tick,
    TransferRequested,
)
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries, Envelope, Heartbeat
from replog_node.raft.violation import InvariantViolation
from replog_node.state.applied import AppliedState
from replog_node.state.head import HeadState
from replog_node.storage.store import Recovered

_OF_LEADER: Final = (AppendEntries, Heartbeat)


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
    ) -> None:
        self.recovered = recovered
        self.clock = clock
        self.applied = AppliedState()
        self.membership = Membership(
            recovered.cluster_id, recovered.lineage, removed=recovered.removed
        )
        self.kernel = Kernel(
            recovered.member,
            recovered.incarnation,
            framer=build_entry,
            limits=core_limits,
            storage=storage,
            network=network,
            clock=clock,
            on_effect=self._effect,
        )
        self._observer = observer
        self._limits = limits
        self._head = HeadState(self.applied)
        self._ledger = Ledger()
        obstacles = Obstacles(self.kernel, self.membership, self.applied)
        self._obstacles = obstacles
        self.appends = Appends(self.kernel, self._head, self._ledger, obstacles, observer, limits)
        self._forwards = Forwards(self.kernel, self.appends, observer, limits)
        self._reads = Reads(self.kernel, lambda: self.applied.offset, limits)
        self._disk_reads = DiskReads(storage)
        self._applier = Applier(self.kernel, self.applied, self._read_to_apply, limits)
        self._admin = Admin(self.kernel, self._head, self._ledger, obstacles, limits)
        self._calls = Calls(self.kernel, limits)
        self._clock_records = ClockRecords(self.kernel, self.applied, obstacles)
        self._founding = Founding(
            self.kernel, self.membership, recovered, peer_address, new_lineage_id
        )
        self._waits = Waits()
        self._watchers: dict[int, Callable[[], None]] = {}
        self._watch_number = 0
        self._write_since_s: float | None = None
        self._caught_up = False
        self._lost_leadership = False
        self._core_limits = core_limits
        self._heard_s: float | None = None
        self._peers: dict[MemberId, str] = {}
        self._handing_over = False

    # What happens to a member.

    def begin(self) -> None:
        """Start on what the disk holds; call it before anything else."""
        self._founding.begin()
        self._settle()

    def tick(self) -> None:
        """One tick of the core's clock has passed."""
        now_s = self.clock.monotonic_s()
        self.kernel.run(Tick(self.clock.wall_ms()))
        self._applier.tick()
        self._reads.tick(now_s)
        self._settle()
        self._clock_records.tick()
        self._expire(now_s)
        self._waits.observe(self._facts(now_s), now_s)

    def receive(self, message: Message) -> None:
        """A message of another member, decoded; those to somebody else are dropped."""
        if message.to != self.kernel.member:
            return
        match message:
            case Envelope():
                self.kernel.run(Received(message, self.clock.wall_ms()))
                self._hear(message)
            case ForwardAppends():
                self._forwards.serve(message)
                self._refuse_what_it_cannot_lead()
            case ForwardResults():
                self._forwards.answered(message)
            case ForwardAdmin():
                call = self._calls.received(message)
                if call is not None:
                    self._admin.take(call)
                self._refuse_what_it_cannot_lead()
            case ForwardAdminResult():
                again = self._calls.answered(message)
                if again is not None:
                    self._admin.put_back(again)
            case _:
                assert_never(message)
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

    def on_assigned(self) -> None:
        """The assignment to a cluster is durable."""
        self._founding.assigned()
        self._settle()

    def peer_up(self, member: MemberId) -> None:
        """A connection to a member was made."""
        self.kernel.run(PeerUp(member))
        self._settle()

    def peer_down(self, member: MemberId) -> None:
        """The connection to a member is gone."""
        self.kernel.run(PeerDown(member))
        self._forwards.outstanding.lost(member)
        self._calls.outstanding.lost(member)
        self._settle()

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        """A member of a cluster greeted this one by its own UUID (Founding.adopt)."""
        self._founding.adopt(cluster_id, lineage, reply)
        self._settle()

    def fence(self, lineage: Lineage) -> None:
        """A newer life of the log exists: this member says nothing more in the old one."""
        if self.membership.standing is Standing.MEMBER:
            self._observer.note("error", "fenced", by=str(lineage))
            self._leave(Standing.FENCED)
            self._forget_callers()
            self.kernel.stop()

    # What callers ask for. Each reply comes in this turn or a later one, exactly once.

    def append(self, batch: CheckedBatch, reply: Reply[Appended], *, deadline_s: float) -> None:
        """Append a batch; it waits for flush(), so that what comes together goes together."""
        refusal = self.membership.refusal()
        if refusal is not None:
            reply(refusal)
            return
        arrived_s = self.clock.monotonic_s()
        self.appends.take(
            Waiting(batch, reply, arrived_s=arrived_s, deadline_s=deadline_s, forwarded=False)
        )

    def read_index(self, reply: Reply[Offset], *, deadline_s: float) -> None:
        """Confirm a linearizable read; it waits for flush(). The reply: an applied offset."""
        refusal = self.membership.refusal()
        if refusal is not None:
            reply(refusal)
        else:
            self._reads.take(Read(reply, deadline_s))

    def call(self, request: Request, reply: Reply[object], *, deadline_s: float) -> None:
        """Carry out an admin call, here or at the leader."""
        refusal = self.membership.refusal()
        if refusal is not None:
            reply(refusal)
            return
        self._admin.take(Call(request, reply, deadline_s=deadline_s))
        self._settle()

    def bootstrap(self, request: BootstrapRequest, reply: Reply[Done]) -> None:
        """Found a cluster of this one member."""
        self._founding.bootstrap(request, reply)
        self._settle()

    def read_entries(self, at: Offset, max_bytes: int, reply: Reply[tuple[Entry, ...]]) -> None:
        """Committed entries from the one that holds `at` on: at least one if there is any.

        ApiError storage_failed if the disk doesn't give them.
        """
        core = self.kernel.core
        if core is None or at > self.kernel.committed.offset:
            reply(())
            return
        recent = core.recent(at, max_bytes)
        if recent:
            reply(self._committed_part(recent, max_bytes))
            return

        def read(found: tuple[Entry, ...] | None) -> None:
            if found is None:
                reply(ApiError("storage_failed", f"offset {at} can't be read from this disk now"))
            else:
                reply(self._committed_part(found, max_bytes))

        self._disk_reads.ask(at, max_bytes, read)

    def watch(self, woken: Callable[[], None]) -> Callable[[], None] | None:
        """Call once, when more is applied or the standing changes.

        Returns what ends the watch, to be called by whoever doesn't wait any more (afterwards it
        does nothing); None when too many wait.
        """
        if len(self._watchers) >= self._limits.watchers:
            return None
        self._watch_number += 1
        number = self._watch_number
        self._watchers[number] = woken
        return lambda: self._end_watch(number)

    def _end_watch(self, number: int) -> None:
        self._watchers.pop(number, None)

    def flush(self) -> None:
        """Append, send on and ask for what has come since the last turn."""
        self._settle()

    def status(self, version: str, client_addresses: Mapping[MemberId, str]) -> ClusterStatus:
        """What this member knows."""
        core = self.kernel.core
        return cluster_status(
            self.kernel.member,
            self.kernel.incarnation,
            self.membership,
            None if core is None else core.status(),
            applied=self.applied.offset,
            admitting=self._obstacles.to_append() is None,
            version=version,
            client_addresses=client_addresses,
        )

    def waits(self) -> list[Wait]:
        """What this member waits for, worst first."""
        return self._waits.all(self.clock.monotonic_s())

    def ready(self, what: str) -> str | None:
        """None when "read" or "write" can be served; else the wait that hinders it."""
        if self.membership.standing is not Standing.MEMBER:
            return self.membership.standing.wait
        if not self._caught_up:
            return "NotCaughtUp"
        if what == "read":
            return None
        if self.kernel.leader is None:
            return "NoLeader"
        obstacle = self._obstacles.to_append() if self.kernel.leading else None
        configuration = self.kernel.configuration()
        if configuration is not None and not configuration.target_reached:
            return "FirstTargetPending"
        return obstacle

    def begin_stop(self) -> None:
        """Take nothing new; hand leadership over, if it is held. Calls in flight go on."""
        if self.membership.standing is Standing.MEMBER:
            self._hand_over()
            self._leave(Standing.STOPPING)
        self._settle()

    @property
    def self_(self) -> Membership:
        """The former name of `membership`, until app.py, adapters and tests/simulation say that."""
        return self.membership

    @property
    def drained(self) -> bool:
        """Whether nobody waits for this member any more and it has handed over what it led."""
        return not (
            (self.kernel.leading and self._handing_over)
            or self._ledger.waiting
            or self._forwards.outstanding.callers
            or self._calls.outstanding.callers
            or self._reads.waiting
        )

    def close(self) -> None:
        """Answer everybody who still waits, and stop the core."""
        self._leave(Standing.STOPPING)
        self._forget_callers()
        self._founding.close(ApiError("shutting_down", "this member is stopping"))
        self.kernel.stop()

    # Between a turn's effects and its end.

    def _settle(self) -> None:
        """Everything that follows from what has just happened."""
        if self._lost_leadership:
            self._after_leading()
        if self._applier.advance():
            self._advanced()
        self._admin.flush()
        self.appends.flush()
        if not self.kernel.leading:
            self._send_on()
        self._reads.flush()
        self._reads.settle()
        self._connect()
        self._note_progress()

    def _advanced(self) -> None:
        """More is applied: answer who waited for it."""
        applied = self.applied.offset
        self._head.applied_through(applied)
        self._ledger.settle(applied, self.kernel.term_at)
        self._reads.settle()
        self._wake()

    def _wake(self) -> None:
        """Let those who wait for records look again: at records, or at why none will come."""
        watchers, self._watchers = self._watchers, {}
        for woken in watchers.values():
            woken()

    def _after_leading(self) -> None:
        """Head state is a leader's; what others sent here must find the next leader."""
        self._lost_leadership = False
        self._head.drop()
        self._refuse_forwarded()

    def _refuse_what_it_cannot_lead(self) -> None:
        """Who sent something here must find the leader elsewhere, now or soon."""
        if not self.kernel.leading or self.membership.standing is not Standing.MEMBER:
            self._refuse_forwarded()

    def _refuse_forwarded(self) -> None:
        refusal = ApiError("not_leader", "the member asked lost the lead before it appended")
        self.appends.refuse_forwarded(refusal)
        self._admin.refuse_forwarded(refusal)

    def _send_on(self) -> None:
        """Send to the leader what waits here."""
        leader = self.kernel.leader
        if leader is None or self.membership.standing is not Standing.MEMBER:
            return
        self._forwards.flush()
        while not self._calls.outstanding.full:
            call = self._admin.take_for_leader()
            if call is None:
                return
            if not self._calls.send(leader, call):
                self._admin.put_back(call)
                return

    def _note_progress(self) -> None:
        """Whether it has caught up since its start (latched), and how long the disk takes."""
        if self.kernel.leader is not None and self.kernel.committed.offset >= 0:
            self._caught_up = self._caught_up or not self._applier.behind
        if self.kernel.persisted_ticket >= self.kernel.ticket:
            self._write_since_s = None
        elif self._write_since_s is None:
            self._write_since_s = self.clock.monotonic_s()

    def _expire(self, now_s: float) -> None:
        self.appends.expire(now_s)
        self._admin.expire(now_s)
        self._forwards.outstanding.expire(now_s)
        self._calls.outstanding.expire(now_s)
        self._ledger.expire(now_s, self.kernel.term())

    def _facts(self, now_s: float) -> Facts:
        core = self.kernel.core
        return Facts(
            standing=self.membership.standing,
            core=None if core is None else core.status(),
            applied=self.applied.offset,
            committed=self.kernel.committed.offset,
            admitting=None if core is None else core.admitting,
            write_waits_s=0.0 if self._write_since_s is None else now_s - self._write_since_s,
            caught_up=self._caught_up,
            unreadable=self._applier.stuck,
        )

    def _committed_part(self, entries: Sequence[Entry], max_bytes: int) -> tuple[Entry, ...]:
        """Those that are committed as they are: what was read may have been cut off meanwhile."""
        found: list[Entry] = []
        for entry in entries:
            committed = entry.last <= self.kernel.committed.offset
            if not committed or self.kernel.term_at(entry.last) != entry.term:
                break
            if found and entry.size_bytes > max_bytes:
                break
            max_bytes -= entry.size_bytes
            found.append(entry)
        return tuple(found)

    def _read_to_apply(self, at: Offset, max_bytes: int) -> None:
        def apply(entries: tuple[Entry, ...] | None) -> None:
            if self._applier.on_read(entries):
                self._advanced()

        self._disk_reads.ask(at, max_bytes, apply)

    def _effect(self, effect: Effect) -> None:
        """Effects that aren't the kernel's. Nothing here steps the core: that comes after."""
        match effect:
            case ReadReady(context=context, index=index):
                self._reads.ready(context, index)
            case ReadFailed(context=context):
                self._reads.failed(context)
            case TransferEnded():
                self._handing_over = False
                self._admin.transfer_ended(effect)
            case ConfigurationActive():
                pass  # peers are compared at the end of the turn
            case RoleChanged():
                self._role_changed(effect)
            case MemberRemoved(at=at):
                self._observer.note("warning", "removed", at=at)
                self._removed()
            case ReadEntries():
                self._read_for(effect)
            case _:
                raise InvariantViolation(f"an effect for nobody: {effect}")

    def _role_changed(self, effect: RoleChanged) -> None:
        if effect.role != "leader":
            self._lost_leadership = True  # whatever comes next in this turn
        self._observer.role(effect.role, effect.term, effect.leader)

    def _hear(self, message: Envelope) -> None:
        """Remember when the leader was heard last: it tells how stale a local read may be."""
        if message.sender == self.kernel.leader and isinstance(message.message, _OF_LEADER):
            self._heard_s = self.clock.monotonic_s()

    @property
    def staleness_ms(self) -> int:
        """For how long this member may have missed commits; -1: unknown, no leader is known.

        A leader may have been replaced for as long as check-quorum lets it lead without an answer.
        """
        if self.kernel.leading:
            return self._core_limits.election_ticks * self._core_limits.tick_ms
        if self.kernel.leader is None or self._heard_s is None:
            return -1
        return max(0, int((self.clock.monotonic_s() - self._heard_s) * 1000))

    def _read_for(self, effect: ReadEntries) -> None:
        """Read what a follower lacks; the entry that holds the offset after what it has."""

        def read(entries: tuple[Entry, ...] | None) -> None:
            self.kernel.run(EntriesRead(effect.follower, effect.after, entries or None))

        self._disk_reads.ask(Offset(effect.after.offset + 1), effect.max_bytes, read)

    def _removed(self) -> None:
        """Removed for good: the core answers others still, clients find no member here."""
        self.kernel.storage.park()
        if self.membership.standing is Standing.MEMBER:
            self._leave(Standing.REMOVED)

    def _leave(self, standing: Standing) -> None:
        """Be a member in good standing no more: nothing that waits here is begun.

        What other members sent finds the next leader; this member's own callers hear why. What
        was begun goes on.
        """
        self._refuse_forwarded()
        if self.membership.standing is not Standing.REMOVED:
            self.membership.standing = standing
        refusal = self.membership.refusal() or ApiError("shutting_down", "this member is stopping")
        self.appends.close(refusal)
        self._admin.refuse(refusal)
        self._wake()

    def _forget_callers(self) -> None:
        """Answer everybody whose call was begun: nobody will be told here what became of it."""
        refusal = self.membership.refusal() or ApiError("shutting_down", "this member is stopping")
        self._admin.close(refusal)
        self._reads.close(refusal)
        self._forwards.outstanding.close()
        self._calls.outstanding.close()
        self._ledger.close()

    def _hand_over(self) -> None:
        """Ask the core to; a leader that nobody can replace doesn't wait for anybody."""
        if self.kernel.leading:
            refused = self.kernel.run(TransferRequested(None))
            under_way = isinstance(refused, Rejected) and refused.reason is Reason.TRANSFERRING
            self._handing_over = refused is None or under_way

    def acknowledge_clock(self) -> None:
        """Somebody says that this member's clock is right (raft/logtime.py)."""
        self.kernel.run(ClockAcknowledged())
        self._settle()

    def _connect(self) -> None:
        """Keep connections to whom the core speaks with; the adapters are told of changes only."""
        if self.kernel.core is not None:
            peers = self.kernel.core.peers()
            if peers != self._peers:
                self._peers = peers
                self.kernel.network.connect(peers)
