"""The core's door: one event in, the list of effects out. A Raft member as a value.

Decides: which part handles what, and what a message's term means (paper 5.1).
Must not know: clocks, disks, networks, clients, randomness.
Read next: elections.py, follower.py, leader.py; the vocabulary is in events.py and effects.py.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from replog_node.model.configuration import Configuration, Target
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.entries import Entry, Framer, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import Effect, Reason, Rejected, TransferEnded
from replog_node.raft.elections import Elections
from replog_node.raft.events import (
    ClockAcknowledged,
    DiskState,
    EntriesRead,
    Event,
    LevelRequested,
    PeerDown,
    PeerSpeaks,
    PeerUp,
    Persisted,
    Proposed,
    ReadRequested,
    Received,
    SnapshotFetched,
    SnapshotKept,
    Started,
    TargetRequested,
    Tick,
    TransferRequested,
)
from replog_node.raft.follower import Follower
from replog_node.raft.invariants import Watch
from replog_node.raft.leader import Leader
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    CoreMessage,
    Envelope,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
    RequestVote,
    SnapshotOffer,
    TimeoutNow,
    VoteReply,
)
from replog_node.raft.reads import Asker, FollowerReads
from replog_node.raft.snapshots import Snapshots
from replog_node.raft.state import LEADER, CoreState, CoreStatus

_REPLIES = (VoteReply, AppendReply, HeartbeatReply, ReadIndexReply)


_OF_LEADER = (AppendEntries, Heartbeat, SnapshotOffer)

_NOBODY: Final = frozenset[MemberId]()


class Core:
    """One member. Feed it events one at a time; carry out each list before the next event.

    After an InvariantViolation it must not be stepped again.
    """

    def __init__(self, started: Started, framer: Framer, limits: CoreLimits) -> None:
        self._s = CoreState(started, framer, limits)
        self._elections = Elections(self._s)
        self._follower = Follower(self._s, self._elections)
        self._snapshots = Snapshots(self._s)
        self._asked = FollowerReads(self._s)
        self._leader: Leader | None = None
        self._watch = Watch(self._s)
        self._incarnations: dict[MemberId, int] = {}
        self._handed: tuple[MemberId, int] | None = None
        self._peers: dict[MemberId, str] = {}
        self._peers_of: tuple[Configuration | None, frozenset[MemberId]] = (None, _NOBODY)

    def step(self, event: Event) -> list[Effect]:
        """Let one thing happen. Raises InvariantViolation if something that must not be is."""
        self._s.out = []
        self._handle(event)
        self._s.evict()
        self._watch.look()
        return self._s.out

    # What others may ask.

    @property
    def role(self) -> str:
        """follower, pre-candidate, candidate or leader."""
        return self._s.role

    @property
    def leader(self) -> MemberId | None:
        """The leader of the current term, if it is known."""
        return self._s.leader

    @property
    def term(self) -> Term:
        """The current term."""
        return self._s.term

    @property
    def ready_at(self) -> Offset:
        """As a leader: the end of its no-op."""
        return self._s.ready_at

    @property
    def configuration(self) -> Configuration | None:
        """The configuration in force, committed or not."""
        return self._s.configuration

    @property
    def configuration_offset(self) -> Offset:
        """The offset of the record of the configuration in force; -1 without one."""
        return self._s.log.configuration_offset

    @property
    def start(self) -> Position:
        """The entry end after which the log begins; nothing at or below it can be read."""
        return self._s.log.start

    @property
    def tail(self) -> Tail:
        """What the next entry builds upon."""
        return self._s.log.tail

    @property
    def admitting(self) -> Reason | None:
        """None while a Proposed is sure to be Accepted; else the reason that it would get."""
        return Reason.NOT_LEADER if self._leader is None else self._leader.obstacle

    @property
    def disk(self) -> DiskState:
        """This member's disk, as it was told."""
        return self._s.disk

    @property
    def roomy(self) -> bool:
        """Whether this member leads and there is room for data on enough disks, its own included.

        While not, membership, trims and clock records may be proposed, data shouldn't.
        """
        return self._leader is not None and self._leader.roomy

    @property
    def clocks_apart_ms(self) -> int:
        """As a leader: how far the voters' clocks lie apart, as far as they are known; else 0."""
        return 0 if self._leader is None else self._leader.time.apart_ms

    def term_at(self, offset: Offset) -> Term | None:
        """The term of the entry that holds `offset`; None outside of the log."""
        return self._s.log.term_at(offset)

    def recent(self, at: Offset, max_bytes: int | None = None) -> Sequence[Entry] | None:
        """Entries in memory from the one that holds `at` on; None if they are on disk only."""
        return self._s.log.recent(at, max_bytes)

    def peers(self) -> dict[MemberId, str]:
        """Whom to be connected with, and where: the members in force, and those seen off."""
        departing = _NOBODY if self._leader is None else self._leader.departing
        basis = (self._s.configuration, departing)
        if self._peers_of[0] is not basis[0] or self._peers_of[1] != departing:
            self._peers_of, self._peers = basis, self._connected(*basis)
        return self._peers

    def _connected(
        self, in_force: Configuration | None, departing: frozenset[MemberId]
    ) -> dict[MemberId, str]:
        found: dict[MemberId, str] = {}
        if departing:
            for _, configuration in self._s.log.configurations[:-1]:
                found |= {m.id: m.address for m in configuration.members if m.id in departing}
        if in_force is not None:
            found |= {m.id: m.address for m in in_force.members}
        found.pop(self._s.member, None)
        return found

    def caught_up(self, member: MemberId) -> bool:
        """While leading: whether a member lives and lags by less than an election timeout."""
        return self._leader is not None and self._leader.caught_up(member)

    def plan(self, target: Target) -> list[ConfigurationChanged] | Rejected:
        """While leading: the steps of a target, or why it would be refused; nothing is changed."""
        return Rejected(Reason.NOT_LEADER) if self._leader is None else self._leader.plan(target)

    def status(self) -> CoreStatus:
        """A picture of everything worth knowing."""
        s, leader = self._s, self._leader
        return CoreStatus(
            member=s.member,
            role=s.role,
            term=s.term,
            leader=s.leader,
            commit=s.commit,
            last=s.log.last,
            durable=s.log.durable,
            configuration=s.configuration,
            configuration_offset=s.log.configuration_offset,
            progress={} if leader is None else leader.replication.picture(),
            transferring=None if leader is None else leader.transfer.to,
            log_time_ms=s.log.tail.append_time_ms,
            ready_at=s.ready_at,
            start=s.log.start,
            base=s.base,
            disk=s.disk,
            unproven=s.unproven,
            roomy=self.roomy,
            spoken={**s.spoken, s.member: s.limits.feature_level},
        )

    # Events.

    def _handle(self, event: Event) -> None:
        match event:
            case Tick():
                self._s.now_ms = event.now_ms
                self._tick()
            case Received():
                self._s.now_ms = event.now_ms
                self._receive(event.envelope)
            case Persisted():
                self._persisted(event.ticket)
            case Proposed() | TargetRequested() | LevelRequested() | TransferRequested():
                self._request(event)
            case ReadRequested(context=context):
                self._read(context)
            case PeerDown():
                if event.member == self._s.leader:
                    self._elections.lost()
            case PeerSpeaks():
                self._s.told_spoken(event.member, event.feature_level)
            case EntriesRead() | PeerUp() | ClockAcknowledged():
                self._tell_leader(event)
            case SnapshotFetched(snapshot=snapshot):
                self._snapshots.fetched(snapshot)
            case SnapshotKept():
                self._snapshots.kept(event.base, event.start)
            case DiskState():
                self._disk(event)
            case _:
                assert_never(event)

    def _tick(self) -> None:
        self._s.tick += 1
        self._asked.tick()
        if self._handed is not None:
            since = self._s.tick - self._handed[1]
            self._end_transfer(given_up=since >= self._s.limits.election_ticks)
        if self._leader is None:
            self._elections.tick()
        elif not self._leader.tick():
            self._follow(self._s.term, None)

    def _disk(self, event: DiskState) -> None:
        self._s.disk_told(event)
        if self._leader is not None:
            self._leader.advance_commit()  # a hole that is filled no longer holds it back

    def _persisted(self, ticket: int) -> None:
        s = self._s
        s.persisted_ticket = max(s.persisted_ticket, ticket)
        s.log.persisted(ticket)
        if self._leader is not None:
            self._leader.advance_commit()
        elif self._elections.persisted():
            self._lead()

    def _request(
        self, event: Proposed | TargetRequested | LevelRequested | TransferRequested
    ) -> None:
        s, leader = self._s, self._leader
        if leader is None:
            s.emit(Rejected(Reason.NOT_LEADER))
            return
        match event:
            case Proposed():
                s.now_ms = event.now_ms
                leader.propose(event.payload)
            case TargetRequested():
                s.now_ms = event.now_ms
                leader.request_target(event.target)
            case LevelRequested():
                s.now_ms = event.now_ms
                leader.request_level(event.feature_level)
            case TransferRequested():
                refusal = leader.transfer.begin(event.to)
                if refusal is not None:
                    s.emit(refusal)

    def _read(self, context: int) -> None:
        if self._leader is not None:
            self._leader.reads.ask(Asker(context))
        else:
            self._asked.ask(context)

    def _tell_leader(self, event: EntriesRead | PeerUp | ClockAcknowledged) -> None:
        leader = self._leader
        if leader is None:
            return
        match event:
            case EntriesRead():
                leader.replication.entries_read(event.follower, event.after, event.entries)
            case PeerUp():
                leader.replication.lost(event.member)
            case ClockAcknowledged():
                leader.time.acknowledge()

    # Roles.

    def _lead(self) -> None:
        s = self._s
        s.role, s.leader = LEADER, s.member
        self._asked.close()
        self._leader = Leader(s)
        self._leader.begin()
        s.announce()

    def _follow(self, term: Term, leader: MemberId | None) -> None:
        """Follow, in this or a newer term."""
        if self._leader is not None:
            self._resign(self._leader)
        if leader != self._s.leader:
            self._asked.close()
        self._elections.follow(term, leader)
        self._end_transfer()

    def _resign(self, leader: Leader) -> None:
        """Lead no more. Whether the member that was asked to lead does will show."""
        leader.close()
        self._leader = None
        self._s.ready_at = Offset(-1)
        if leader.transfer.to is not None:
            self._handed = (leader.transfer.to, self._s.tick)

    def _end_transfer(self, *, given_up: bool = False) -> None:
        """Say what became of a transfer, once somebody leads or nobody did for too long."""
        leader = self._s.leader
        if self._handed is not None and (leader is not None or given_up):
            to, self._handed = self._handed[0], None
            self._s.emit(TransferEnded(to, leader == to))

    # Messages.

    def _receive(self, envelope: Envelope) -> None:
        message = envelope.message
        if envelope.to != self._s.member or self._is_of_the_past(envelope):
            return
        if isinstance(message, RequestVote) and self._elections.sticks(envelope.sender, message):
            return
        if message.term > self._s.term and not _is_pre_vote(message):
            leader = envelope.sender if isinstance(message, _OF_LEADER) else None
            self._follow(message.term, leader)
        if message.term >= self._s.term:
            self._dispatch(envelope)
        else:
            self._answer_stale(envelope)

    def _is_of_the_past(self, envelope: Envelope) -> bool:
        """Answers to another run of this process, and messages of an earlier run of the sender."""
        another_run = envelope.to_incarnation != self._s.incarnation
        if another_run and isinstance(envelope.message, _REPLIES):
            return True
        known = self._incarnations.get(envelope.sender, 0)
        if envelope.incarnation.number < known:
            return True
        if envelope.incarnation.number > known:
            self._incarnations[envelope.sender] = envelope.incarnation.number
            if len(self._incarnations) > self._s.limits.peers_max:
                del self._incarnations[next(iter(self._incarnations))]
        return False

    def _answer_stale(self, envelope: Envelope) -> None:
        """A message of an older term: tell its sender of the newer one (paper 5.1)."""
        match envelope.message:
            case RequestVote():
                self._elections.request_received(envelope, envelope.message)
            case AppendEntries() | Heartbeat() | SnapshotOffer():
                self._follower.refuse(envelope)
            case _:
                pass

    def _dispatch(self, envelope: Envelope) -> None:
        sender, message = envelope.sender, envelope.message
        match message:
            case RequestVote():
                self._elections.request_received(envelope, message)
            case VoteReply():
                if self._elections.reply_received(sender, message):
                    self._lead()
            case AppendEntries() | Heartbeat() | SnapshotOffer():
                self._of_leader(envelope, message)
            case AppendReply():
                if self._leader is not None:
                    self._leader.append_replied(sender, message)
            case HeartbeatReply():
                if self._leader is not None:
                    self._leader.heartbeat_replied(sender, message)
            case TimeoutNow():
                if self._s.leader == sender and self._elections.able:
                    self._asked.close()
                    self._elections.campaign(transfer=True)
            case ReadIndexRequest():
                self._read_for(envelope, message)
            case ReadIndexReply():
                self._asked.replied(message)
            case _:
                assert_never(message)

    def _of_leader(
        self, envelope: Envelope, message: AppendEntries | Heartbeat | SnapshotOffer
    ) -> None:
        """The leader of this term speaks: whoever isn't one follows it (paper 5.2)."""
        self._watch.another_leads(envelope.sender)
        self._follow(self._s.term, envelope.sender)
        match message:
            case AppendEntries():
                self._follower.append(envelope, message)
            case Heartbeat():
                self._follower.heartbeat(envelope, message)
            case SnapshotOffer():
                self._snapshots.offered(envelope, message)

    def _read_for(self, envelope: Envelope, request: ReadIndexRequest) -> None:
        if self._leader is not None:
            self._leader.reads.ask(Asker(request.context, envelope.sender, envelope.incarnation))
            return
        reply = ReadIndexReply(self._s.term, request.context, False, Offset(-1))
        self._s.send(
            envelope.sender, reply, after_ticket=self._s.hard_ticket, answering=envelope.incarnation
        )


def _is_pre_vote(message: CoreMessage) -> bool:
    """Whether the term isn't the sender's own: a pre-vote asks about the next one, and a granted
    answer repeats it."""
    if isinstance(message, RequestVote):
        return message.pre
    return isinstance(message, VoteReply) and message.pre and message.granted
