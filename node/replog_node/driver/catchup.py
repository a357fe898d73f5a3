"""Whether a member has caught up since its start: a linearizable read, asked then, tells.

What it holds itself is no measure, since the others may have gone on meanwhile. Nor is the first
commit that a leader names: it may have been elected just now and know of less than this member has
shown before, or its word may be late (openraft 97d92771).

Decides: when that is asked. Must not know: how a read is confirmed, who wants to know.
Read next: reads.py, health.py.
"""

from math import inf

from replog.wire.problems import ApiError
from replog_node.driver.kernel import Kernel
from replog_node.driver.reads import Read, Reads
from replog_node.model.positions import Offset


class CatchUp:
    """done: what was committed when this member first knew a leader is applied here; for good."""

    def __init__(self, kernel: Kernel, reads: Reads) -> None:
        self._kernel = kernel
        self._reads = reads
        self._asking = False
        self.done = False

    def tick(self) -> None:
        """Ask, unless it is asked already; however long the answer takes, it names one offset."""
        if not self.done and not self._asking and self._kernel.leader is not None:
            self._asking = True
            self._reads.take(Read(self._told, inf))

    def _told(self, answer: Offset | ApiError) -> None:
        self._asking = False
        self.done = not isinstance(answer, ApiError)
