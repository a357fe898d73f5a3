"""What a leader knows of one other member, and what is under way to it.

Probe: where the logs agree is unknown; one question at a time. Replicate: it is known; entries are
pipelined, bounded by bytes and count (etcd-raft's two states; thesis 10.2.1).

Decides: what an answer proves. Must not know: when to send (replication.py).
Read next: replication.py.
"""

from collections import deque

from replog_node.model.positions import ORIGIN, Position

PROBE = "probe"
REPLICATE = "replicate"


class Progress:
    """One follower or learner.

    match: durable there. sent: the end of what was sent (replicate), or what is being asked about
    (probe). session: of what is under way; answers of older ones move nothing (openraft cecb5de8).
    heard_tick: of its last answer, of any kind. acked_tick: since when an answer about entries is
    awaited. round: the last heartbeat round it answered. told: the commit that it was told.
    """

    def __init__(self, start: Position, session: int, tick: int) -> None:
        self.state = PROBE
        self.match: Position = ORIGIN
        self.sent = start
        self.session = session
        self.asking = False
        self.reading = False
        self.heard_tick = tick
        self.acked_tick = tick
        self.round = 0
        self.told = -1
        self._inflight: deque[tuple[int, int]] = deque()
        self.inflight_bytes = 0

    @property
    def inflight_count(self) -> int:
        """Messages with entries that are not answered."""
        return len(self._inflight)

    def probe(self, session: int) -> None:
        """What was under way is lost: ask anew from what is known to be there."""
        self.state = PROBE
        self.session = session
        self.sent = self.match
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
        if self.state == PROBE:
            self.state = REPLICATE
            self.asking = False
            self.sent = match

    def differs(self, agreed: Position, session: int, tick: int) -> None:
        """It doesn't hold what was sent or asked about: ask at `agreed`, in a new session.

        Each question has to be lower than the one before. Below what it had acknowledged it has
        lost its disk, which is outside the fault model; then it counts for what it holds now.
        """
        asked = self.sent if self.state == PROBE else None
        self.probe(session)
        self.acked_tick = tick
        lower = asked is None or agreed.offset < asked.offset
        self.sent = agreed if lower else ORIGIN
        self.match = min(self.match, self.sent, key=lambda position: position.offset)
