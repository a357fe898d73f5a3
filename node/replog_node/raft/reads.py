"""Linearizable reads by ReadIndex (thesis 6.4): a leader proves that it led after the read began.

Decides: which heartbeat round proves which read; what a follower asks its leader.
Must not know: what is read, when it is applied.
Read next: leader.py (rounds), core.py.
"""

import msgspec

from replog_node.model.positions import MemberId, Offset
from replog_node.raft.effects import ReadFailed, ReadReady
from replog_node.raft.messages import Incarnation, ReadIndexReply, ReadIndexRequest
from replog_node.raft.replication import Replication
from replog_node.raft.state import CoreState


class Asker(msgspec.Struct, frozen=True):
    """Who wants a read: this member (sender None) or a follower, with its context."""

    context: int
    sender: MemberId | None = None
    incarnation: Incarnation | None = None


class LeaderReads:
    """Reads that this leader has to confirm."""

    def __init__(self, state: CoreState, replication: Replication) -> None:
        self._s = state
        self._replication = replication
        self._early: list[Asker] = []
        self._rounds: list[tuple[int, Offset, list[Asker]]] = []

    def ask(self, asker: Asker) -> None:
        """Confirm a read; not before an entry of this term is committed (thesis 6.4, step 1)."""
        waiting = len(self._early) + sum(len(askers) for _, _, askers in self._rounds)
        if waiting >= self._s.limits.reads_max:
            self._answer(asker, None)
        elif self._s.commit.offset < self._s.ready_at:
            self._early.append(asker)
        else:
            self._begin([asker])

    def _begin(self, askers: list[Asker]) -> None:
        index = self._s.commit.offset
        if self._s.electorate.is_only(self._s.member):
            for asker in askers:
                self._answer(asker, index)
            return
        self._rounds.append((self._replication.heartbeat(), index, askers))

    def committed(self) -> None:
        """An entry of this term is committed, hence the no-op too: the early ones may begin."""
        if self._early:
            askers, self._early = self._early, []
            self._begin(askers)

    def confirm(self) -> None:
        """Answer the reads whose round a majority of each half has answered."""
        rounds, self._rounds = self._rounds, []
        for number, index, askers in rounds:
            if self._proven(number):
                for asker in askers:
                    self._answer(asker, index)
            else:
                self._rounds.append((number, index, askers))

    def _proven(self, number: int) -> bool:
        voters = self._s.electorate.everyone
        answered = [m for m in voters if m == self._s.member or self._round_of(m) >= number]
        return self._s.electorate.agreed(answered)

    def _round_of(self, member: MemberId) -> int:
        progress = self._replication.get(member)
        return 0 if progress is None else progress.round

    def close(self) -> None:
        """This member doesn't lead any more: nothing was proven."""
        askers = [*self._early, *(asker for _, _, found in self._rounds for asker in found)]
        self._early, self._rounds = [], []
        for asker in askers:
            self._answer(asker, None)

    def _answer(self, asker: Asker, index: Offset | None) -> None:
        if asker.sender is not None:
            reply = ReadIndexReply(
                self._s.term,
                asker.context,
                index is not None,
                Offset(-1) if index is None else index,
            )
            self._s.send(
                asker.sender, reply, after_ticket=self._s.hard_ticket, answering=asker.incarnation
            )
        elif index is None:
            self._s.emit(ReadFailed(asker.context))
        else:
            self._s.emit(ReadReady(asker.context, index))


class FollowerReads:
    """Reads that this follower has asked its leader to confirm."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._asked: dict[int, int] = {}

    def ask(self, context: int) -> None:
        """Ask the leader; without one, the read fails at once."""
        s = self._s
        if s.leader is None or len(self._asked) >= s.limits.reads_max:
            s.emit(ReadFailed(context))
            return
        self._asked[context] = s.tick
        s.send(s.leader, ReadIndexRequest(s.term, context))

    def replied(self, reply: ReadIndexReply) -> None:
        """The leader's word."""
        if self._asked.pop(reply.context, None) is None:
            return
        if reply.ok:
            self._s.emit(ReadReady(reply.context, reply.index))
        else:
            self._s.emit(ReadFailed(reply.context))

    def tick(self) -> None:
        """Give up on what is overdue; the question or its answer may be lost."""
        patience = self._s.limits.election_ticks
        for context, tick in list(self._asked.items()):
            if self._s.tick - tick >= patience:
                self._fail(context)

    def close(self) -> None:
        """Another leader, or none: nobody will answer."""
        for context in list(self._asked):
            self._fail(context)

    def _fail(self, context: int) -> None:
        del self._asked[context]
        self._s.emit(ReadFailed(context))
