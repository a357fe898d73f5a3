"""Handing leadership over (thesis 3.10): stop taking entries, let one catch up, let it campaign.

Decides: to whom, when it may campaign, when the attempt is given up.
Must not know: why somebody wants it. Read next: leader.py.
"""

from replog_node.model.positions import MemberId
from replog_node.raft.effects import HandingOver, Reason, Rejected, TransferEnded
from replog_node.raft.messages import TimeoutNow
from replog_node.raft.replication import Replication
from replog_node.raft.state import CoreState


class Transfer:
    """At most one attempt at a time. to: whom, or None while there is none."""

    def __init__(self, state: CoreState, replication: Replication) -> None:
        self._s = state
        self._replication = replication
        self.to: MemberId | None = None
        self._since_tick = 0

    def begin(self, to: MemberId | None) -> Rejected | None:
        """Begin, or say why not."""
        if self.to is not None:
            return Rejected(Reason.TRANSFERRING, f"to {self.to} already")
        chosen = self.best() if to is None else to
        refusal = self._refusal(chosen)
        if refusal is None:
            self.to = chosen
            self._since_tick = self._s.tick
            self.advance()
        return refusal

    def hand_over(self, why: str) -> bool:
        """Begin one that nobody asked for, to the best; False, and nothing, if nobody is able."""
        best = self.best()
        if best is None or self.to is not None:
            return False
        self._s.emit(HandingOver(best, why))
        return self.begin(best) is None

    def best(self) -> MemberId | None:
        """The living voter of the new set that would be best; the lowest id among equals.

        Whoever holds all that is committed; then the highest priority; then who holds most. None
        that can't read its whole log: it would refuse.
        """
        s = self._s
        able = [v for v in s.electorate.voters if v != s.member and self._able(v)]
        return max(able, key=self._rank, default=None)

    def _rank(self, member: MemberId) -> tuple[bool, int, int]:
        held = self._held(member)
        return held >= self._s.commit.offset, self._priority(member), held

    def _priority(self, member: MemberId) -> int:
        configuration = self._s.configuration
        members = () if configuration is None else configuration.voters
        return next((m.priority for m in members if m.id == member), 0)

    def _able(self, member: MemberId) -> bool:
        progress = self._replication.get(member)
        return progress is not None and progress.whole and self._replication.alive(member)

    def _held(self, member: MemberId) -> int:
        progress = self._replication.get(member)
        return -1 if progress is None else progress.match.offset

    def _refusal(self, chosen: MemberId | None) -> Rejected | None:
        if chosen is None:
            return Rejected(Reason.QUORUM_AT_RISK, "no other voter answers")
        if chosen not in self._s.electorate.voters or chosen == self._s.member:
            return Rejected(Reason.UNKNOWN_MEMBER, f"{chosen} is no other voter")
        if not self._replication.alive(chosen):
            return Rejected(Reason.MEMBER_BEHIND, f"{chosen} does not answer")
        if not self._able(chosen):
            return Rejected(Reason.MEMBER_BEHIND, f"{chosen} can't read its whole log")
        return None

    def advance(self) -> None:
        """Let it campaign once it holds everything."""
        if self.to is not None and self._held(self.to) == self._s.log.last.offset:
            self._s.send(self.to, TimeoutNow(self._s.term))

    def tick(self) -> None:
        """Ask again with each heartbeat, as a message may be lost; give up after a timeout."""
        if self.to is None:
            return
        waited = self._s.tick - self._since_tick
        if waited >= self._s.limits.election_ticks:
            self._s.emit(TransferEnded(self.to, done=False))
            self.to = None
        elif waited % self._s.limits.heartbeat_ticks == 0:
            self.advance()
