"""A leader's replication: what is sent to whom, and what the answers prove (paper 5.3).

Decides: the next AppendEntries of each member, who needs a snapshot instead, when something counts
as lost, heartbeat rounds.
Must not know: commits (leader.py decides), membership changes.
Read next: progress.py, leader.py.
"""

from collections.abc import Iterable, Sequence

from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position
from replog_node.raft.effects import ReadEntries
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    SnapshotOffer,
)
from replog_node.raft.progress import PROBE, REPLICATE, SNAPSHOT, Progress
from replog_node.raft.state import CoreState, MemberProgress


class Replication:
    """Everybody that this leader replicates to; iterated in the order of member ids."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._members: dict[MemberId, Progress] = {}
        self._session = 0
        self.round = 0

    def keep(self, members: Iterable[MemberId]) -> None:
        """Replicate to exactly these."""
        wanted = sorted(members)
        before = self._members
        self._members = {}
        for member in wanted:
            known = before.get(member)
            self._members[member] = known if known is not None else self._begin()
            if known is None:
                self.feed(member)

    def _begin(self) -> Progress:
        return Progress(self._s.log.last, self._next_session(), self._s.tick)

    def _next_session(self) -> int:
        self._session += 1
        return self._session

    def get(self, member: MemberId) -> Progress | None:
        """What is known of a member."""
        return self._members.get(member)

    def matches(self) -> dict[MemberId, int]:
        """What each holds durably."""
        return {member: progress.match.offset for member, progress in self._members.items()}

    def alive(self, member: MemberId) -> bool:
        """Whether it answered within an election timeout."""
        progress = self._members.get(member)
        if progress is None:
            return False
        return self._s.tick - progress.heard_tick < self._s.limits.election_ticks

    def living(self) -> list[MemberId]:
        """Everybody who answered within an election timeout."""
        return [member for member in self._members if self.alive(member)]

    def roomy(self) -> list[MemberId]:
        """Everybody who lives and has room for data."""
        return [member for member in self.living() if self._members[member].roomy]

    def picture(self) -> dict[MemberId, MemberProgress]:
        """For the status."""
        return {
            member: _picture(progress, alive=self.alive(member))
            for member, progress in self._members.items()
        }

    # Sending.

    def feed_all(self) -> None:
        """Send everybody what may be sent."""
        for member in self._members:
            self.feed(member)

    def feed(self, member: MemberId) -> None:
        """Send a member what may be sent now: a question, entries, or the news of a commit.

        Or a snapshot, when what comes next is no longer in the log.
        """
        progress = self._members[member]
        if progress.state != SNAPSHOT and progress.sent.offset < self._s.log.start.offset:
            progress.lacks(self._next_session())
        if progress.state != REPLICATE:
            self._ask(member, progress)
        elif not progress.full:
            self._feed_entries(member, progress)

    def _ask(self, member: MemberId, progress: Progress) -> None:
        """One question at a time: do you hold this; or, do you have this snapshot."""
        s = self._s
        if progress.asking or (progress.state == SNAPSHOT and s.base is None):
            return
        progress.asking = True
        progress.acked_tick = s.tick
        if progress.state == SNAPSHOT and s.base is not None:
            s.send(member, SnapshotOffer(s.term, progress.session, s.base))
        else:
            self._append(member, progress, ())

    def _feed_entries(self, member: MemberId, progress: Progress) -> None:
        while self._has_room(progress) and progress.sent.offset < self._s.log.last.offset:
            entries = self._s.log.after(progress.sent.offset, self._s.limits.max_append_bytes)
            if entries is None:
                self._read(member, progress)
                return
            if not entries:
                return
            self._send_entries(member, progress, entries)
        # Whoever has a hole acknowledges what it is told to be committed, and only that.
        answered = not progress.inflight_count or not progress.whole
        if progress.told < self._s.commit.offset and answered:
            self._append(member, progress, ())

    def _has_room(self, progress: Progress) -> bool:
        limits = self._s.limits
        return not progress.reading and (
            progress.inflight_count < limits.max_inflight_count
            and progress.inflight_bytes < limits.max_inflight_bytes
        )

    def _send_entries(self, member: MemberId, progress: Progress, entries: Sequence[Entry]) -> None:
        if not progress.inflight_count:
            progress.acked_tick = self._s.tick
        self._append(member, progress, tuple(entries))
        progress.send(entries[-1].position, sum(entry.size_bytes for entry in entries))

    def _append(self, member: MemberId, progress: Progress, entries: tuple[Entry, ...]) -> None:
        commit = self._s.commit.offset
        progress.told = commit
        message = AppendEntries(self._s.term, progress.session, progress.sent, commit, entries)
        self._s.send(member, message)

    def _read(self, member: MemberId, progress: Progress) -> None:
        progress.reading = True
        self._s.emit(ReadEntries(member, progress.sent, self._s.limits.max_append_bytes))

    def entries_read(
        self, member: MemberId, after: Position, entries: tuple[Entry, ...] | None
    ) -> None:
        """The disk answered; what was cut off or is no longer wanted meanwhile is dropped."""
        progress = self._members.get(member)
        if progress is None or not progress.reading or progress.sent != after:
            return
        progress.reading = False
        if entries and progress.state == REPLICATE and self._holds(after, entries):
            self._send_entries(member, progress, entries)
            self.feed(member)

    def _holds(self, after: Position, entries: tuple[Entry, ...]) -> bool:
        return entries[0].base == after.offset + 1 and all(
            self._s.log.has(entry.position) for entry in entries
        )

    def heartbeat(self) -> int:
        """Begin a round of heartbeats; rounds are never reused (etcd-raft #397). Its number."""
        self.round += 1
        for member, progress in self._members.items():
            commit = Offset(min(self._s.commit.offset, progress.match.offset))
            progress.heartbeat_sent(self.round, commit)
            self._s.send(member, Heartbeat(self._s.term, commit, self.round, self._s.now_ms))
        return self.round

    # Answers, and silence.

    def heard(self, member: MemberId) -> Progress | None:
        """A member answered something."""
        progress = self._members.get(member)
        if progress is not None:
            progress.heard_tick = self._s.tick
        return progress

    def replied(self, member: MemberId, reply: AppendReply) -> bool:
        """An answer to AppendEntries; whether the member holds more than was known."""
        progress = self.heard(member)
        if progress is None or reply.session != progress.session:
            return False
        before = progress.match.offset
        if reply.ok:
            if not self._s.log.has(reply.match):
                return False
            progress.matched(reply.match, self._s.tick)
            progress.full = reply.full
        else:
            agreed = self._s.log.agreeing_at(reply.hint)
            progress.differs(agreed, self._next_session(), self._s.tick)
        self.feed(member)
        return progress.match.offset > before

    def heartbeat_replied(self, member: MemberId, reply: HeartbeatReply) -> bool:
        """An answer to a heartbeat; whether the member is one that this leader replicates to."""
        progress = self.heard(member)
        if progress is None:
            return False
        better = progress.disk_told(reply)
        progress.heartbeat_answered(reply.round)
        if better:
            self.lost(member)  # what it didn't take, or acknowledge, is sent again
        return True

    def lost(self, member: MemberId) -> None:
        """What was under way to a member is lost: its connection is new."""
        progress = self._members.get(member)
        if progress is not None:
            progress.probe(self._next_session())
            self.feed(member)

    def tick(self) -> None:
        """Ask again where an answer is overdue."""
        limits = self._s.limits
        for member, progress in self._members.items():
            waited = self._s.tick - progress.acked_tick
            if progress.asking and waited >= self._patience(progress):
                progress.asking = False
                self.feed(member)
            elif progress.inflight_count and waited >= limits.resend_ticks:
                progress.probe(self._next_session())
                self.feed(member)
            elif progress.state != PROBE and not progress.inflight_count:
                self.feed(member)

    def _patience(self, progress: Progress) -> int:
        """How long a question waits for its answer; a snapshot takes its time to arrive."""
        limits = self._s.limits
        return limits.election_ticks if progress.state == SNAPSHOT else 2 * limits.heartbeat_ticks


def _picture(progress: Progress, *, alive: bool) -> MemberProgress:
    disk = progress.disk
    return MemberProgress(
        progress.match, Offset(progress.sent.offset + 1), progress.state, alive,
        free_bytes=-1 if disk is None else disk.free_bytes,
        low=disk is not None and disk.low, full=progress.full, whole=progress.whole,
    )  # fmt: skip
