"""A leader's term of office: made when an election is won, dropped when it ends.

Decides: what is committed (paper 5.3, 5.4.2), when the lead is given up for want of a quorum
(check-quorum), what is admitted, how the membership moves on.
Must not know: how it came to lead, ports. Read next: replication.py, membership.py, reads.py.
"""

from collections import deque
from collections.abc import Iterable

from replog_node.model.configuration import Target
from replog_node.model.controls import CONTROL_LEVELS, ConfigurationChanged, TermStarted
from replog_node.model.entries import Entry, Payload
from replog_node.model.features import FIRST_LEVEL
from replog_node.model.positions import MemberId, Offset
from replog_node.raft import membership
from replog_node.raft.effects import Accepted, Reason, Rejected
from replog_node.raft.handover import LEAVING, Handover
from replog_node.raft.logtime import LogTime
from replog_node.raft.messages import AppendReply, HeartbeatReply
from replog_node.raft.reads import LeaderReads
from replog_node.raft.replication import Replication
from replog_node.raft.state import CoreState
from replog_node.raft.transfer import Transfer
from replog_node.raft.violation import InvariantViolation


class Leader:
    """Everything that only a leader knows; nothing of it outlives its term."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self.replication = Replication(state)
        self.reads = LeaderReads(state, self.replication)
        self.transfer = Transfer(state, self.replication)
        self.handover = Handover(state, self.transfer)
        self.time = LogTime(state)
        self._since_tick = state.tick
        self._ready_tick: int | None = None
        self._departing: dict[MemberId, tuple[Offset, int]] = {}
        self._commits: deque[tuple[int, Offset]] = deque()
        self._uncommitted: deque[tuple[Offset, int]] = deque()
        self._uncommitted_bytes = 0
        self._handing_over = False

    def begin(self) -> None:
        """Assert the lead: the term's no-op, replication to all, a heartbeat (paper 5.2, 8)."""
        self._remember_leavers()
        self.follow_configuration()  # before the no-op: members are asked for what they may hold
        entry = self._append(Payload((TermStarted(self._s.member),)))
        self._s.ready_at = entry.last
        self.replication.heartbeat()

    # Appending.

    @property
    def obstacle(self) -> Reason | None:
        """Why nothing may be appended for others now; None: it may."""
        if self._uncommitted_bytes >= self._s.limits.uncommitted_bytes:
            return Reason.OVERLOADED
        return self._closed

    @property
    def _closed(self) -> Reason | None:
        """As obstacle, for membership, which passes where data has to wait."""
        if self._s.commit.offset < self._s.ready_at:
            return Reason.NOT_READY
        if self.transfer.to is not None:
            return Reason.TRANSFERRING
        return Reason.CLOCK_JUMP if self.time.jumped else None

    @property
    def roomy(self) -> bool:
        """Whether data may be taken as far as disks go: this one, and those of a commit quorum that
        answers (both halves while joint), have more free space than the soft limit."""
        s = self._s
        own = not s.disk.low and not s.disk.full
        return own and s.electorate.agreed([s.member, *self.replication.roomy()])

    def propose(self, payload: Payload) -> None:
        """Append for the driver, or refuse."""
        reason = self.obstacle
        if reason is not None:
            self._s.emit(Rejected(reason))
            return
        self._s.emit(Accepted(self._append(payload)))
        self.replication.feed_all()

    def _append(self, payload: Payload) -> Entry:
        s = self._s
        self._check_spoken(payload)
        entry = s.framer(payload, s.term, s.log.tail, self.time.next_ms())
        s.append(entry)
        self._uncommitted.append((entry.last, entry.size_bytes))
        self._uncommitted_bytes += entry.size_bytes
        return entry

    def _check_spoken(self, payload: Payload) -> None:
        """Nothing is appended that some member may not know; who proposes has asked before."""
        configuration = self._s.configuration
        level = FIRST_LEVEL if configuration is None else configuration.feature_level
        for control in payload.controls:
            needed = CONTROL_LEVELS[type(control)]
            if needed > level:
                what = f"a {type(control).__name__} needs feature level {needed}"
                raise InvariantViolation(f"{what}, the log is at {level}")

    def _change(self, change: ConfigurationChanged) -> Entry:
        entry = self._append(Payload((change,)))
        self.follow_configuration()
        self.replication.feed_all()
        return entry

    def request_target(self, target: Target) -> None:
        """Commit a target, or refuse it."""
        verdict = self._judged(target)
        if isinstance(verdict, Rejected):
            self._s.emit(verdict)
            return
        self._ready_tick = None
        self._s.emit(Accepted(self._change(verdict)))

    def request_level(self, level: int) -> None:
        """Raise the feature level, or refuse it."""
        s = self._s
        reason, configuration = self._closed, s.configuration
        if reason is not None or configuration is None:
            s.emit(Rejected(reason or Reason.NOT_READY))
            return
        refusal = membership.judge_level(configuration, level, self._spoken)
        if refusal is None and s.log.configuration_offset > s.commit.offset:
            refusal = Rejected(Reason.CHANGE_IN_PROGRESS, "a configuration is not committed yet")
        if refusal is not None:
            s.emit(refusal)
        else:
            s.emit(Accepted(self._change(membership.with_level(configuration, level))))

    def _spoken(self, member: MemberId) -> int | None:
        """What a member speaks, as long as it answers: a silent one may come back as another."""
        if member == self._s.member:
            return self._s.limits.feature_level
        progress = self.replication.get(member)
        answers = progress is not None and progress.disk is not None
        if not answers or not self.replication.alive(member):
            return None
        return self._s.spoken.get(member)

    def _barred(self, member: MemberId) -> bool:
        """Whether a member said that it can't speak what is in force."""
        configuration, spoken = self._s.configuration, self._s.spoken.get(member)
        if configuration is None or spoken is None:
            return False
        return spoken < configuration.feature_level

    def plan(self, target: Target) -> list[ConfigurationChanged] | Rejected:
        """The steps that a target would take if all its members caught up, or its refusal.

        Nothing is changed.
        """
        verdict = self._judged(target)
        if isinstance(verdict, Rejected):
            return verdict
        return membership.steps_from(verdict, done_max=self._s.limits.done_max)

    def _judged(self, target: Target) -> ConfigurationChanged | Rejected:
        """The change that records the target, or why there is none now."""
        s = self._s
        reason, configuration = self._closed, s.configuration
        if reason is not None or configuration is None:
            return Rejected(reason or Reason.NOT_READY)
        refusal = membership.judge_target(
            configuration, s.log.configuration_offset, target, voters_max=s.limits.voters_max
        )
        if refusal is None and s.log.configuration_offset > s.commit.offset:
            refusal = Rejected(Reason.CHANGE_IN_PROGRESS, "a configuration is not committed yet")
        if refusal is not None:
            return refusal
        return membership.with_target(configuration, target, done_max=s.limits.done_max)

    # What members answer.

    def append_replied(self, member: MemberId, reply: AppendReply) -> None:
        """More may be committed; a transfer's receiver may have all it needs."""
        if self.replication.replied(member, reply):
            self.advance_commit()
            if self.transfer.to == member:
                self.transfer.advance()

    def heartbeat_replied(self, member: MemberId, reply: HeartbeatReply) -> None:
        """It follows; its clock is known; reads may be proven."""
        if not self.replication.heartbeat_replied(member, reply):
            return
        self.time.reported(member, reply.clock_ms)
        self.reads.confirm()

    def advance_commit(self) -> None:
        """Commit what a majority of each half holds durably, if this term wrote it (figure 8)."""
        s = self._s
        held = self.replication.matches()
        held[s.member] = s.acknowledged(s.log.durable).offset
        reached = Offset(s.electorate.reached(held))
        if reached <= s.commit.offset or s.log.term_at(reached) != s.term:
            return
        s.commit_to(s.log.position_at(reached))
        while self._uncommitted and self._uncommitted[0][0] <= reached:
            self._uncommitted_bytes -= self._uncommitted.popleft()[1]
        self.reads.committed()
        self.drive()
        self.replication.feed_all()

    # Time.

    def tick(self) -> bool:
        """One tick; False when the lead is to be given up."""
        s = self._s
        self.time.tick()
        self._remember_commit()
        if (s.tick - self._since_tick) % s.limits.heartbeat_ticks == 0:
            self.replication.heartbeat()
        self.replication.tick()
        self.transfer.tick()
        self.handover.tick(self.replication.matches())
        self._see_off()
        self.drive()
        return self._has_quorum() and not self._superfluous()

    def _has_quorum(self) -> bool:
        """Check-quorum: a leader that nobody answers must not believe that it leads."""
        return self._s.electorate.agreed([self._s.member, *self.replication.living()])

    # Membership.

    def follow_configuration(self) -> None:
        """Replicate to the members of the configuration in force, and to those that just left."""
        configuration = self._s.configuration
        if configuration is None:
            return
        named = {member.id for member in configuration.members}
        if not configuration.joint:
            self._part_with(self.replication.matches().keys() - named)
        for member in named:
            self._departing.pop(member, None)
        self._keep()

    def _keep(self) -> None:
        configuration = self._s.configuration
        members = () if configuration is None else configuration.members
        named = {member.id for member in members} - {self._s.member}
        self.replication.keep(named | self._departing.keys())

    def _remember_leavers(self) -> None:
        """An earlier leader may not have told those who left; they are told again."""
        known = self._s.log.configurations
        if len(known) >= 2 and known[-2][1].joint and not known[-1][1].joint:
            staying = {member.id for member in known[-1][1].members} | {self._s.member}
            self._part_with(m.id for m in known[-2][1].members if m.id not in staying)

    def _part_with(self, leaving: Iterable[MemberId]) -> None:
        offset = self._s.log.configuration_offset
        for member in sorted(leaving):
            self._departing.setdefault(member, (offset, self._s.tick))

    @property
    def departing(self) -> frozenset[MemberId]:
        """Who has left and may not know it yet."""
        return frozenset(self._departing)

    def _see_off(self) -> None:
        """Let those go that know that they have left, or that don't answer for long."""
        s = self._s
        gone = [
            member
            for member, (offset, since_tick) in self._departing.items()
            if self._knows(member, offset) or s.tick - since_tick >= s.limits.departure_ticks
        ]
        for member in gone:
            del self._departing[member]
        if gone:
            self._keep()

    def _knows(self, member: MemberId, offset: Offset) -> bool:
        """Whether a member surely knows that what lies at `offset` is committed."""
        progress = self.replication.get(member)
        return progress is None or progress.knows >= offset

    def drive(self) -> None:
        """Take the membership one step on, once the last step is committed."""
        s = self._s
        configuration = s.configuration
        if (
            configuration is None
            or s.log.configuration_offset > s.commit.offset
            or s.commit.offset < s.ready_at
            or self.transfer.to is not None
        ):
            return
        change = membership.next_change(
            configuration,
            caught_up=self.caught_up,
            patient=self._patient(configuration.learners != ()),
            done_max=s.limits.done_max,
            barred=self._barred,
        )
        if change is not None:
            self._ready_tick = None
            self._change(change)

    def _patient(self, learning: bool) -> bool:
        if not learning:
            self._ready_tick = None
            return True
        if self._ready_tick is None:
            self._ready_tick = self._s.tick
        return self._s.tick - self._ready_tick < self._s.limits.learner_patience_ticks

    def _remember_commit(self) -> None:
        """Keep what was committed during the last election timeout."""
        s = self._s
        self._commits.append((s.tick, s.commit.offset))
        while len(self._commits) > s.limits.election_ticks:
            self._commits.popleft()

    def caught_up(self, member: MemberId) -> bool:
        """Whether it lives, and lags by less than an election timeout (thesis 4.2.1, in time).

        It can read its whole log, which lacks no record that must be kept, and speaks what is in
        force.
        It holds the configuration in force in any case: a learner that doesn't know that it is one
        could not vote if this leader died right after entering joint. And the no-op of this term,
        since what was committed before it became leader this leader didn't know at first.
        """
        s = self._s
        if member == s.member:
            return True
        progress = self.replication.get(member)
        then = self._commits[0][1] if self._commits else s.commit.offset
        needed = max(then, s.ready_at, s.log.configuration_offset)
        return (
            progress is not None
            and self.replication.alive(member)
            and progress.known_whole
            and not self._barred(member)
            and progress.match.offset >= needed
        )

    def _superfluous(self) -> bool:
        """Whether this leader's own departure is committed and it is no longer needed.

        It hands over first; when that fails or nobody is there to take over, it just steps down.
        Others that left with it hear of it from the next leader (_remember_leavers).
        """
        s = self._s
        committed = s.log.configuration_offset <= s.commit.offset
        if s.member in s.electorate.everyone or not committed:
            return False
        if self.transfer.to is None and not self._handing_over:
            self._handing_over = True
            self.transfer.hand_over(LEAVING)
        return self.transfer.to is None

    def close(self) -> None:
        """The term of office is over; a transfer's outcome shows when the next one begins."""
        self.reads.close()
