"""What a member's core holds in every role, and how effects leave it.

Decides: when the hard state is written, and which ticket a message has to wait for.
Must not know: what roles do.
Read next: core.py (the door), elections.py, leader.py.
"""

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Framer
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import (
    Commit,
    ConfigurationActive,
    Effect,
    InstallSnapshot,
    MemberRemoved,
    Persist,
    RoleChanged,
    Send,
)
from replog_node.raft.events import DiskState, HardState, Started
from replog_node.raft.limits import CoreLimits
from replog_node.raft.log import Log
from replog_node.raft.messages import CoreMessage, Incarnation
from replog_node.raft.quorum import Electorate

FOLLOWER = "follower"
PRE_CANDIDATE = "pre-candidate"
CANDIDATE = "candidate"
LEADER = "leader"


class CoreState:
    """Mutable, private to the core. Times are ticks since the core began; now_ms is the driver's.

    heard_tick: when the leader was heard last, or a vote was given. hard_ticket: of the last write
    of term and vote. ready_at: end of this leader's no-op. base: the snapshot to offer. torn: the
    disk had lost the log's end, in this life of the process. handed_over_tick: when this member
    last handed over by itself because of its disk. spoken: the feature level that each other member
    said that it speaks.
    """

    def __init__(self, started: Started, framer: Framer, limits: CoreLimits) -> None:
        self.member = started.member
        self.incarnation = started.incarnation
        self.limits = limits
        self.framer = framer
        self.hard = started.hard_state
        self.log = Log(started.log)
        self.commit: Position = started.log.committed
        self.base = started.log.base
        self.disk = DiskState(
            -1, False, False, started.log.first_hole, started.log.unproven, started.log.lacking
        )
        self.torn = started.log.unproven is not None
        self.role = FOLLOWER
        self.leader: MemberId | None = None
        self.ready_at = Offset(-1)
        self.tick = 0
        self.now_ms = 0
        self.heard_tick = 0
        self.ticket = 0
        self.persisted_ticket = 0
        self.hard_ticket = 0
        self.removed = False
        self.handed_over_tick: int | None = None
        self.spoken: dict[MemberId, int] = {}
        self.electorate = Electorate.of(self.log.configuration)
        self.out: list[Effect] = []

    @property
    def term(self) -> Term:
        """The current term."""
        return self.hard.current_term

    @property
    def configuration(self) -> Configuration | None:
        """The configuration in force."""
        return self.log.configuration

    @property
    def votes(self) -> bool:
        """Whether this member may campaign: a voter by the configuration in force.

        Or by the one before, while it doesn't know that the one in force is committed: it may be
        the only one that holds the record, and others can't be elected past it (thesis 4.2.2).
        """
        return self.member in self.electorate.everyone or self._leaving

    @property
    def _leaving(self) -> bool:
        known = self.log.configurations
        uncommitted = self.log.configuration_offset > self.commit.offset
        return uncommitted and len(known) >= 2 and known[-2][1].is_voter(self.member)

    @property
    def may_vote(self) -> bool:
        """Whether it may give its vote: any configuration that names it is enough.

        A learner votes when asked: the candidate may know a configuration in which it is a voter
        and which has not reached it yet (etcd-raft, promotion of learners).
        """
        configuration = self.configuration
        named = configuration is not None and any(
            member.id == self.member for member in configuration.members
        )
        return self.votes or named

    # What the disk permits.

    @property
    def unproven(self) -> bool:
        """Whether this member may have acknowledged more than it can read, so that its vote could
        elect somebody who lacks that: until a leader has replicated past the mark."""
        mark = self.disk.unproven
        return mark is not None and self.log.durable < mark

    @property
    def readable(self) -> bool:
        """Whether all of the log can be read; without that a member doesn't lead."""
        return self.disk.first_hole is None and not self.unproven

    @property
    def whole(self) -> bool:
        """Whether it is readable and begins where it should."""
        return self.readable and not self.disk.lacking

    def acknowledged(self, held: Position) -> Position:
        """How much of what is held may be acknowledged: nothing from the first hole on, except what
        is committed already and needs nobody's word any more."""
        hole = self.disk.first_hole
        if hole is None or held.offset < hole:
            return held
        limit = Offset(max(hole - 1, self.commit.offset))
        return held if held.offset <= limit else self.log.position_at(limit)

    def disk_told(self, disk: DiskState) -> None:
        """The disk is like this from now on."""
        self.disk = disk
        self.torn = self.torn or disk.unproven is not None

    def told_spoken(self, member: MemberId, level: int) -> None:
        """A member speaks up to this feature level."""
        self.spoken.pop(member, None)
        self.spoken[member] = level
        if len(self.spoken) > self.limits.peers_max:
            del self.spoken[next(iter(self.spoken))]

    def emit(self, effect: Effect) -> None:
        """Add an effect to this step's list."""
        self.out.append(effect)

    def send(
        self,
        to: MemberId,
        message: CoreMessage,
        *,
        after_ticket: int = 0,
        answering: Incarnation | None = None,
    ) -> None:
        """Send a message once what it promises is durable."""
        wait = after_ticket if after_ticket > self.persisted_ticket else 0
        self.emit(Send(to, message, wait, answering))

    def set_hard(self, term: Term, voted_for: MemberId | None) -> None:
        """Change term or vote; written before anything that depends on it leaves."""
        if term < self.term:
            raise ValueError(f"term {term} after {self.term}")
        state = HardState(term, voted_for)
        if state != self.hard:
            self.hard = state
            self.hard_ticket = self._persist(state, None, ())

    def append(self, entry: Entry) -> None:
        """Append a leader's own entry."""
        self.log.append(entry)
        self.log.writing(self._persist(None, None, (entry,)))
        if entry.configuration is not None:
            self.configuration_changed()

    def splice(self, entries: tuple[Entry, ...]) -> None:
        """Append a leader's entries as a follower, cutting off what lies in their place."""
        before = self.log.configurations[-1:]
        cut_to = self.log.splice(entries)
        self.log.writing(self._persist(None, cut_to, entries))
        # Not by the offset alone: another one may have come to lie at the same place.
        if self.log.configurations[-1:] != before:
            self.configuration_changed()

    def install(self, snapshot: SnapshotMeta) -> None:
        """Begin the log anew behind a snapshot, whose contents are committed."""
        self.log.install(snapshot)
        self.ticket += 1
        self.emit(InstallSnapshot(self.ticket, snapshot))
        self.log.writing(self.ticket)
        self.base = snapshot
        self.configuration_changed()
        self.commit_to(snapshot.position)

    def _persist(
        self, hard: HardState | None, cut_to: Position | None, entries: tuple[Entry, ...]
    ) -> int:
        self.ticket += 1
        self.emit(Persist(self.ticket, hard, cut_to, entries))
        return self.ticket

    def configuration_changed(self) -> None:
        """Another configuration is in force (on append, or again after a truncation)."""
        configuration = self.configuration
        self.electorate = Electorate.of(configuration)
        if configuration is not None:
            self.emit(ConfigurationActive(self.log.configuration_offset, configuration))

    def commit_to(self, position: Position) -> None:
        """Move the commit forward; never back."""
        if position.offset <= self.commit.offset:
            return
        self.commit = position
        self.emit(Commit(position))
        self._look_for_removal()
        self.log.forget_configurations(position.offset)

    def _look_for_removal(self) -> None:
        """Park for good once a leave-joint record without this member is committed.

        An uncommitted one, or having been a voter once, proves nothing: both can be cut off again.
        """
        for offset, configuration in self.log.configurations:
            if self.removed or offset > self.commit.offset:
                return
            if self.member in configuration.removed:
                self.removed = True
                self.emit(MemberRemoved(offset))

    def announce(self) -> None:
        """Say that role, term or known leader have changed."""
        self.emit(RoleChanged(self.role, self.term, self.leader, self.ready_at))

    def evict(self) -> None:
        """Keep the cache within its bound."""
        self.log.evict(self.commit.offset, self.limits.cache_bytes)


class MemberProgress(msgspec.Struct, frozen=True):
    """What a leader knows of a member. next: the offset that it will be sent next.

    state: "probe" | "replicate" | "snapshot". free_bytes (-1: unknown), low, full, whole: as it
    answered last (messages.HeartbeatReply).
    """

    match: Position
    next: Offset
    state: str
    alive: bool
    free_bytes: int = -1
    low: bool = False
    full: bool = False
    whole: bool = True


class CoreStatus(msgspec.Struct, frozen=True):
    """A picture of the core. progress: of the other members, while leading; else empty.

    start: behind which the log begins. base: the snapshot that it offers. unproven: whether it may
    neither vote nor campaign because its disk lost the log's end. roomy: whether it leads, and
    has, with a quorum, room for data. spoken: the feature level that each member speaks, as far as
    it is known; this one's own among them.
    """

    member: MemberId
    role: str
    term: Term
    leader: MemberId | None
    commit: Position
    last: Position
    durable: Position
    configuration: Configuration | None
    configuration_offset: Offset
    progress: dict[MemberId, MemberProgress]
    transferring: MemberId | None
    log_time_ms: int
    ready_at: Offset
    start: Position
    base: SnapshotMeta | None
    disk: DiskState
    unproven: bool
    roomy: bool
    spoken: dict[MemberId, int] = {}
