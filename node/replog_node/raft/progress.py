"""What a leader knows of one other member, and what is under way to it.

Probe: where the logs agree is unknown; one question at a time. Replicate: it is known; entries are
pipelined, bounded by bytes and count (etcd-raft's states; thesis 10.2.1). Snapshot: what it needs
next is not in the log any more; a snapshot is offered until it says that it has it.

Decides: what an answer proves. Must not know: when to send (replication.py).
Read next: replication.py.
"""

from collections import deque

from replog_node.model.positions import ORIGIN, Position
from replog_node.raft.messages import HeartbeatReply

PROBE = "probe"
REPLICATE = "replicate"
SNAPSHOT = "snapshot"


class Progress:
    """One follower or learner.

    match: durable there. sent: the end of what was sent (replicate), or what is being asked about
    (probe). session: of what is under way; answers of older ones move nothing (openraft cecb5de8).
    heard_tick: of its last answer, of any kind. acked_tick: since when an answer about entries is
    awaited. round: the last heartbeat round it answered. told: the commit that it was sent.
    knows: the commit of which it has surely heard. disk: what its last answer to a heartbeat said.
    full: it takes no entries now.
    """

    def __init__(self, start: Position, session: int, tick: int) -> None:
        self.state = PROBE
        self.match: Position = ORIGIN
        self.sent = start
        self._start = start
        self.session = session
        self.asking = False
        self.reading = False
        self.heard_tick = tick
        self.acked_tick = tick
        self.round = 0
        self.told = -1
        self.knows = -1
        self._telling: tuple[int, int] | None = None
        self._inflight: deque[tuple[int, int]] = deque()
        self.inflight_bytes = 0
        self.disk: HeartbeatReply | None = None
        self.full = False

    @property
    def whole(self) -> bool:
        """Whether it can read all of its log, as far as it has said."""
        return self.disk is None or self.disk.whole

    @property
    def known_whole(self) -> bool:
        """Whether it has said that it can."""
        return self.disk is not None and self.disk.whole

    @property
    def roomy(self) -> bool:
        """Whether it has room for data, as far as it has said."""
        return not self.full and not (self.disk is not None and self.disk.low)

    @property
    def inflight_count(self) -> int:
        """Messages with entries that are not answered."""
        return len(self._inflight)

    def probe(self, session: int) -> None:
        """What was under way is lost: ask anew from what is known to be there.

        While nothing is known, from where the leader began: most members hold nearly everything.
        """
        self.sent = self.match if self.match != ORIGIN else self._start
        self._begin(PROBE, session)

    def lacks(self, session: int) -> None:
        """What it needs next is no longer in the log."""
        self._begin(SNAPSHOT, session)

    def _begin(self, state: str, session: int) -> None:
        self.state = state
        self.session = session
        self.asking = self.reading = False
        self._inflight.clear()
        self.inflight_bytes = 0

    def send(self, end: Position, size_bytes: int) -> None:
        """Entries up to this end are on their way."""
        self._inflight.append((end.offset, size_bytes))
        self.inflight_bytes += size_bytes
        self.sent = end

    def matched(self, match: Position, tick: int) -> None:
        """It holds everything up to here, durably."""
        if match.offset > self.match.offset:
            self.match = match
        self.acked_tick = tick
        while self._inflight and self._inflight[0][0] <= match.offset:
            self.inflight_bytes -= self._inflight.popleft()[1]
        if self.state != REPLICATE:
            self.state = REPLICATE
            self.asking = False
            self.sent = match
        elif self.sent.offset < match.offset:
            self.sent = match  # it has begun at a snapshot meanwhile

    def differs(self, agreed: Position, session: int, tick: int) -> None:
        """It doesn't hold what was sent or asked about: ask at `agreed`, in a new session.

        Each question is lower than the one before. An answer that was overtaken doesn't take back
        what is acknowledged (PySyncObj #167); only a member that denies the very thing it had
        acknowledged has lost its disk, and counts from then on for what it holds now.
        """
        asked = self.sent if self.state == PROBE else None
        self.probe(session)
        self.acked_tick = tick
        lower = agreed if asked is None or agreed.offset < asked.offset else ORIGIN
        if asked is not None and asked.offset <= self.match.offset:
            self.match = lower
        self.sent = max(lower, self.match, key=lambda position: position.offset)

    # What it was told in heartbeats, and says.

    def heartbeat_sent(self, number: int, commit: int) -> None:
        """A heartbeat of this round told it of this commit; the oldest unanswered one is kept."""
        if self._telling is None:
            self._telling = (number, commit)

    def heartbeat_answered(self, number: int) -> None:
        """It answered this round, hence it knows what that round told, or an earlier one."""
        self.round = max(self.round, number)
        if self._telling is not None and number >= self._telling[0]:
            self.knows = max(self.knows, self._telling[1])
            self._telling = None

    def disk_told(self, reply: HeartbeatReply) -> bool:
        """Its disk is as it says; whether it takes or acknowledges more than before.

        An answer that was overtaken says nothing.
        """
        if reply.round < self.round:
            return False
        better = (self.full and not reply.full) or (not self.whole and reply.whole)
        self.disk, self.full = reply, reply.full
        return better
