"""Appends: those that wait together become one entry, one message a follower, one fsync.

A leader admits them against head state and proposes; a follower hands them on (forwards.py). With
no leader to be found they wait, within their time: an election isn't an error.

Decides: order, grouping, when to wait and when to refuse.
Must not know: HTTP, how a group travels.
Read next: ledger.py (what becomes of an entry), forwards.py, ../state/head.py (admission).
"""

from collections import deque
from heapq import merge
from typing import Any, Final

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.ledger import Ledger, Promise
from replog_node.driver.limits import DriverLimits
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.ports import ObserverPort
from replog_node.driver.underway import UnderWay
from replog_node.driver.verdicts import Verdicts
from replog_node.model.entries import Entry, Payload
from replog_node.model.positions import Offset
from replog_node.state.head import Duplicate, HeadState

ENTRY_BYTES_MAX: Final = 16 * 1024 * 1024
"""No group grows beyond this, whatever group_bytes says."""


class Waiting:
    """A batch that is taken and not yet appended or sent on.

    forwarded: another member sent it; it is never sent on again. number: its place in the order of
    arrival, which it keeps when it comes back from a member that didn't lead.
    """

    __slots__ = ("arrived_s", "batch", "deadline_s", "forwarded", "number", "reply")

    def __init__(
        self, batch: CheckedBatch, reply: Reply[Appended], *,
        arrived_s: float, deadline_s: float, forwarded: bool,
    ) -> None:  # fmt: skip
        self.batch = batch
        self.reply = reply
        self.arrived_s = arrived_s
        self.deadline_s = deadline_s
        self.forwarded = forwarded
        self.number = 0


class Appends:
    """The queue of batches in front of the log."""

    def __init__(
        self,
        kernel: Kernel,
        head: HeadState,
        ledger: Ledger,
        verdicts: Verdicts,
        obstacles: Obstacles,
        observer: ObserverPort,
        limits: DriverLimits,
    ) -> None:
        self._kernel = kernel
        self._head = head
        self._ledger = ledger
        self._verdicts = verdicts
        self._obstacles = obstacles
        self._observer = observer
        self._limits = limits
        self._queue: deque[Waiting] = deque()
        self._queued_bytes = 0
        self._under_way = UnderWay(limits)
        self._taken = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of batches that are taken and not answered."""
        return self._queued_bytes + self._ledger.size_bytes

    @property
    def waiting(self) -> int:
        """Batches that wait to be appended or sent on."""
        return len(self._queue)

    def take(self, waiting: Waiting) -> None:
        """Queue a batch; flush appends it. Refused when too much is pending, before any effect."""
        count = len(self._queue) + self._ledger.count
        size = len(waiting.batch.data)
        if self.pending_bytes + size > self._limits.pending_bytes and count:
            waiting.reply(
                ApiError("overloaded", f"{self.pending_bytes} bytes wait for their commit")
            )
        elif count >= self._limits.pending_batches:
            waiting.reply(ApiError("overloaded", f"{count} batches wait for their commit"))
        else:
            self._taken += 1
            waiting.number = self._taken
            self._queue.append(waiting)
            self._queued_bytes += size

    def flush(self) -> None:
        """As a leader: append what waits, as far as the disk keeps up. Otherwise nothing."""
        self._under_way.settle(self._kernel.persisted_ticket, self._kernel.committed.offset)
        while self._queue and not self._under_way.full and self._obstacles.to_append() is None:
            self._append_group()
        if self._queue and self._obstacles.to_append() == "DiskFull":
            self.close(self._obstacles.why_not_appended())

    def take_group(self) -> list[Waiting]:
        """Take what should be sent to the leader together, in order."""
        group: list[Waiting] = []
        size = 0
        while self._queue:
            batch_bytes = len(self._queue[0].batch.data)
            if group and size + batch_bytes > self._limits.group_bytes:
                break
            group.append(self._pop())
            size += batch_bytes
        return group

    def put_back(self, group: list[Waiting]) -> None:
        """Queue a group again, in its old place: nothing of it was or will be appended.

        Groups may come back in any order, but a session's batches must not overtake each other.
        """
        if group and self._queue and group[-1].number > self._queue[0].number:
            self._queue = deque(merge(group, self._queue, key=_number))
        else:
            self._queue.extendleft(reversed(group))
        self._queued_bytes += sum(len(waiting.batch.data) for waiting in group)

    def refuse_forwarded(self, refusal: ApiError) -> None:
        """Refuse what other members sent here: this member doesn't lead, and nobody asks twice."""
        kept: deque[Waiting] = deque()
        while self._queue:
            waiting = self._pop()
            if waiting.forwarded:
                waiting.reply(refusal)
            else:
                kept.append(waiting)
        self.put_back(list(kept))

    def expire(self, now_s: float) -> None:
        """Refuse what has waited for too long; it was never appended."""
        if all(waiting.deadline_s > now_s for waiting in self._queue):
            return
        kept: list[Waiting] = []
        while self._queue:
            waiting = self._pop()
            if waiting.deadline_s > now_s:
                kept.append(waiting)
            else:
                waiting.reply(self._obstacles.why_not_appended())
        self.put_back(kept)

    def close(self, refusal: ApiError) -> None:
        """Refuse everything that waits."""
        while self._queue:
            self._pop().reply(refusal)

    def _pop(self) -> Waiting:
        waiting = self._queue.popleft()
        self._queued_bytes -= len(waiting.batch.data)
        return waiting

    def _append_group(self) -> None:
        """Admit batches up to a group's size and append them as one entry."""
        base = self._kernel.next_offset()
        group: list[tuple[Waiting, Offset]] = []
        refused: list[tuple[Waiting, ApiError]] = []
        records = size = 0
        while self._queue:
            batch = self._queue[0].batch
            if group and size + len(batch.data) > min(self._limits.group_bytes, ENTRY_BYTES_MAX):
                break
            waiting = self._pop()
            try:
                admitted = self._admit(waiting, Offset(base + records))
            except ApiError as refusal:
                refused.append((waiting, refusal))
                continue
            if admitted:
                group.append((waiting, Offset(base + records)))
                records += batch.count
                size += len(batch.data)
        if group:
            entry = self._kernel.propose(
                Payload((), tuple(waiting.batch.data for waiting, _ in group), records)
            )
            self._under_way.add(self._kernel.ticket, entry.last, entry.size_bytes)
            self._observer.grouped(records)
            self._promise(entry, group)
        for waiting, why in refused:  # may have been judged by what is appended only now
            self._verdicts.tell(why, waiting.reply, deadline_s=waiting.deadline_s)

    def _admit(self, waiting: Waiting, base: Offset) -> bool:
        """Whether the batch is to be appended at `base`; repeats are answered here.

        Raises ApiError (HeadState.admit).
        """
        admitted = self._head.admit(waiting.batch, base, self._kernel.log_time_ms())
        if isinstance(admitted, Duplicate):
            self._observer.duplicate()
            self._repeat(waiting, admitted)
            return False
        return True

    def _repeat(self, waiting: Waiting, original: Duplicate) -> None:
        """Answer a repeat as the original was, once that is committed."""
        count = waiting.batch.count
        term = self._kernel.term_at(original.base)
        if term is None:  # being appended in this very group
            term = self._kernel.term()
        result = Appended(original.base, original.last, count, term, duplicate=True)
        if original.pending:
            self._ledger.repeat(
                Promise(term, original.base, result, waiting.reply, deadline_s=waiting.deadline_s)
            )
        else:
            waiting.reply(result)

    def _promise(self, entry: Entry, group: list[tuple[Waiting, Offset]]) -> None:
        for waiting, base in group:
            count = waiting.batch.count
            result = Appended(base, base + count - 1, count, entry.term)
            self._ledger.add(
                Promise(
                    entry.term, base, result, self._counted(waiting),
                    deadline_s=waiting.deadline_s, size_bytes=len(waiting.batch.data),
                )
            )  # fmt: skip

    def _counted(self, waiting: Waiting) -> Reply[Any]:
        """The caller's reply, told to the observer when it is a success."""

        def reply(result: Any) -> None:
            if isinstance(result, Appended):
                waited_s = self._kernel.clock.monotonic_s() - waiting.arrived_s
                self._observer.committed(
                    1, result.count, len(waiting.batch.data), max(0.0, waited_s)
                )
            waiting.reply(result)

        return reply


def _number(waiting: Waiting) -> int:
    return waiting.number
