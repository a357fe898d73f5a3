"""A follower's answers to its leader (paper 5.3, figure 2 AppendEntries).

Decides: what is taken, what is cut off, what is acknowledged, and how far the commit moves.
Must not know: elections, what a leader does with the answers.
Read next: log.py, core.py.
"""

from replog_node.model.entries import Entry
from replog_node.model.positions import ORIGIN, Offset, Position
from replog_node.raft.elections import Elections
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Envelope,
    Heartbeat,
    HeartbeatReply,
    SnapshotOffer,
)
from replog_node.raft.state import CoreState
from replog_node.raft.violation import InvariantViolation


class Follower:
    """Stateless beside the core's state."""

    def __init__(self, state: CoreState, elections: Elections) -> None:
        self._s = state
        self._elections = elections

    def append(self, envelope: Envelope, message: AppendEntries) -> None:
        """Take entries after `prev`, if that is here; say what is held, once it is durable."""
        s = self._s
        if message.entries and message.entries[0].base != message.prev.offset + 1:
            return  # nonsense: nobody who keeps the protocol sends it
        prev, entries = self._behind_start(message)
        if not s.log.has(prev):
            hint = s.log.agreeing_at(prev)
            self._reply(envelope, message, ok=False, match=ORIGIN, hint=hint)
            return
        match = self._take(prev, entries)
        self._commit(message.commit, match)
        match = s.acknowledged(match)
        self._reply(envelope, message, ok=True, match=match, hint=match)

    def _behind_start(self, message: AppendEntries) -> tuple[Position, tuple[Entry, ...]]:
        """Leave out what lies at or below the log's start: it is committed, so both hold it."""
        start = self._s.log.start
        if message.prev.offset >= start.offset:
            return message.prev, message.entries
        return start, tuple(entry for entry in message.entries if entry.base > start.offset)

    def _take(self, prev: Position, entries: tuple[Entry, ...]) -> Position:
        """Append what is missing, unless the disk is full; how far the logs agree then."""
        s = self._s
        missing = tuple(s.log.missing(entries))
        if missing and s.disk.full:
            entries = entries[: -len(missing)]
        elif missing:
            self._check_cut(missing[0].base)
            s.splice(missing)
        return entries[-1].position if entries else prev

    def _check_cut(self, base: Offset) -> None:
        """What is committed is never overwritten (leader completeness, paper 5.4.3)."""
        if base <= self._s.commit.offset:
            raise InvariantViolation(
                f"the leader of term {self._s.term} would cut at {base}, "
                f"but {self._s.commit} is committed"
            )

    def _commit(self, leader_commit: Offset, match: Position) -> None:
        """No further than the log is known to agree (figure 2, AppendEntries 5)."""
        reached = min(leader_commit, match.offset)
        if reached > self._s.commit.offset:
            self._s.commit_to(self._s.log.position_at(reached))

    def _reply(
        self,
        envelope: Envelope,
        message: AppendEntries,
        *,
        ok: bool,
        match: Position,
        hint: Position,
    ) -> None:
        s = self._s
        ticket = max(s.hard_ticket, s.log.ticket_for(match.offset) if ok else 0)
        reply = AppendReply(s.term, message.session, ok, match, hint, s.disk.full)
        s.send(envelope.sender, reply, after_ticket=ticket, answering=envelope.incarnation)

    def heartbeat(self, envelope: Envelope, message: Heartbeat) -> None:
        """The leader lives; its commit never exceeds what this member has acknowledged.

        Unless the disk has lost what was acknowledged: the leader hears of it by the next append.
        """
        s = self._s
        if message.commit > s.log.last.offset and not s.torn:
            raise InvariantViolation(
                f"a heartbeat says {message.commit} is committed, the log ends at {s.log.last}"
            )
        self._commit(message.commit, s.log.last)
        self._answer(envelope, message.round)

    def _answer(self, envelope: Envelope, number: int) -> None:
        s, disk = self._s, self._s.disk
        reply = HeartbeatReply(
            s.term, number, s.now_ms, disk.free_bytes, disk.low, disk.full, s.whole
        )
        s.send(envelope.sender, reply, after_ticket=s.hard_ticket, answering=envelope.incarnation)

    def refuse(self, envelope: Envelope) -> None:
        """A leader of an older term: the answer's term tells it to step down."""
        s = self._s
        match envelope.message:
            case AppendEntries(session=session) | SnapshotOffer(session=session):
                reply = AppendReply(s.term, session, False, ORIGIN, ORIGIN)
                s.send(
                    envelope.sender, reply, after_ticket=s.hard_ticket,
                    answering=envelope.incarnation,
                )  # fmt: skip
            case Heartbeat(round=number):
                self._answer(envelope, number)
            case _:
                pass
