"""Linearizable reads: one confirmation serves all reads that asked before it began (thesis 6.4).

Decides: which reads share a round, and when each may be answered: once what the round named is
applied here. A round that failed is asked again while there is time: nothing was read.
Must not know: what is read.
Read next: ../raft/effects.py (ReadReady, ReadFailed).
"""

from collections import deque
from collections.abc import Callable, Iterable

from replog.wire.problems import ApiError
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.model.positions import Offset
from replog_node.raft.events import ReadRequested


class Read:
    """One caller. deadline_s: monotonic."""

    __slots__ = ("deadline_s", "reply")

    def __init__(self, reply: Reply[Offset], deadline_s: float) -> None:
        self.reply = reply
        self.deadline_s = deadline_s


class Reads:
    """Reads by how far they are: to be asked, asked, confirmed but not applied."""

    def __init__(self, kernel: Kernel, applied: Callable[[], Offset], limits: DriverLimits) -> None:
        self._kernel = kernel
        self._applied = applied
        self._limits = limits
        self._context = 0
        self._new: deque[Read] = deque()
        self._asked: dict[int, list[Read]] = {}
        self._failed: list[Read] = []
        self._confirmed: list[tuple[Offset, float, list[Read]]] = []
        self._sent_s: dict[int, float] = {}
        self.confirmed_s: float | None = None
        """Monotonic: all that was acknowledged by then is applied here, as a quorum confirmed.

        It is when the question was sent, not when the answer came."""
        self.waiting = 0
        """Reads that are not answered."""

    def take(self, read: Read) -> None:
        """Queue a read; flush asks. The reply is the index (inclusive) that is applied here."""
        if self.waiting >= self._limits.reads:
            read.reply(ApiError("overloaded", "too many reads wait for a confirmation"))
        else:
            self._new.append(read)
            self.waiting += 1

    def flush(self) -> None:
        """Ask for a confirmation of what came since the last one; not before there is a core."""
        if self._kernel.core is None:
            return
        if self._new and len(self._asked) < self._limits.read_rounds:
            self._context += 1
            self._asked[self._context] = list(self._new)
            self._sent_s[self._context] = self._kernel.clock.monotonic_s()
            self._new.clear()
            self._kernel.run(ReadRequested(self._context))

    def ready(self, context: int, index: Offset) -> None:
        """A round was confirmed."""
        reads = self._asked.pop(context, [])
        sent_s = self._sent_s.pop(context, None)
        if reads and sent_s is not None:
            self._confirmed.append((index, sent_s, reads))

    def failed(self, context: int) -> None:
        """A round wasn't; its reads are asked anew at the next tick."""
        self._failed.extend(self._asked.pop(context, []))
        self._sent_s.pop(context, None)

    def settle(self) -> None:
        """Answer what is confirmed and applied."""
        if not self._confirmed:
            return
        applied = self._applied()
        rest: list[tuple[Offset, float, list[Read]]] = []
        for index, sent_s, reads in self._confirmed:
            if index > applied:
                rest.append((index, sent_s, reads))
                continue
            self.confirmed_s = max(sent_s, self.confirmed_s or sent_s)
            self.waiting -= len(reads)
            for read in reads:
                read.reply(index)
        self._confirmed = rest

    def tick(self, now_s: float) -> None:
        """Ask again what failed; refuse what has waited for too long."""
        self._new.extendleft(reversed(self._failed))
        self._failed = []
        if not self.waiting:
            return
        self._new = deque(self._in_time(self._new, now_s))
        for context in self._asked:
            self._asked[context] = self._in_time(self._asked[context], now_s)
        self._confirmed = [
            (index, sent_s, self._in_time(reads, now_s)) for index, sent_s, reads in self._confirmed
        ]

    def _in_time(self, reads: Iterable[Read], now_s: float) -> list[Read]:
        """Those that may wait on; the others are refused."""
        kept: list[Read] = []
        for read in reads:
            if read.deadline_s > now_s:
                kept.append(read)
            else:
                self.waiting -= 1
                read.reply(ApiError("read_unconfirmed", "no quorum confirmed the read in time"))
        return kept

    def close(self, refusal: ApiError) -> None:
        """Refuse everything."""
        waiting = [*self._new, *self._failed, *(r for reads in self._asked.values() for r in reads)]
        waiting += [read for _, _, reads in self._confirmed for read in reads]
        self._new.clear()
        self._failed, self._confirmed = [], []
        self._asked.clear()
        self._sent_s.clear()
        self.waiting = 0
        for read in waiting:
            read.reply(refusal)
