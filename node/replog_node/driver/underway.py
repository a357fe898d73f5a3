"""A leader's own entries on their way to its disk: how far appends may run ahead of it.

What the others commit meanwhile is durable without this disk, so a disk that hangs doesn't hold up
the log; the leader hands over then (../raft/handover.py). What waits for it is memory, though.

Decides: when appends wait for the disk. Must not know: what an entry holds.
Read next: appends.py.
"""

from collections import deque

from replog_node.driver.limits import DriverLimits
from replog_node.model.positions import Offset


class UnderWay:
    """Each entry by its ticket, its last offset and its size, in the log's order."""

    def __init__(self, limits: DriverLimits) -> None:
        self._limits = limits
        self._uncommitted: deque[tuple[int, Offset, int]] = deque()
        self._ahead: deque[tuple[int, int]] = deque()
        self._ahead_bytes = 0

    @property
    def full(self) -> bool:
        """Whether the next entry has to wait."""
        return (
            len(self._uncommitted) >= self._limits.groups_unpersisted
            or len(self._ahead) >= self._limits.groups_ahead
            or self._ahead_bytes >= self._limits.pending_bytes
        )

    def add(self, ticket: int, last: Offset, size_bytes: int) -> None:
        """An entry was given to the disk and to the others."""
        self._uncommitted.append((ticket, last, size_bytes))

    def settle(self, persisted_ticket: int, committed: Offset) -> None:
        """Forget what is on this disk; what is committed only waits for it."""
        while self._ahead and self._ahead[0][0] <= persisted_ticket:
            self._ahead_bytes -= self._ahead.popleft()[1]
        waiting = self._uncommitted
        while waiting and (waiting[0][0] <= persisted_ticket or waiting[0][1] <= committed):
            ticket, _, size_bytes = waiting.popleft()
            if ticket > persisted_ticket:
                self._ahead.append((ticket, size_bytes))
                self._ahead_bytes += size_bytes
