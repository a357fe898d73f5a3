"""Virtual time: what happens next is what is due first; ties keep the order of asking.

Decides: the order of everything, from the seed alone.
Must not know: what happens.
Read next: events.py, world.py.
"""

import heapq
from collections.abc import Callable
from random import Random

from tests.simulation.events import Trace


class Clockwork:
    """The only source of time, order and chance. Times are microseconds."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_us = 0
        self.trace = Trace()
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self.asked = 0

    def after(self, delay_us: int, happen: Callable[[], None]) -> None:
        """Let something happen later."""
        self.asked += 1
        heapq.heappush(self._heap, (self.now_us + delay_us, self.asked, happen))

    def note(self, who: str, what: str, *details: object) -> None:
        """Add an event to the trace. who: a member's name, a client's, or "-" for the world."""
        self.trace.add(self.now_us, who, what, details)

    def digest(self) -> str:
        """What has happened so far, as a number."""
        return self.trace.digest()

    def run_until(self, end_us: int) -> None:
        """Let everything happen that is due by then."""
        while self._heap and self._heap[0][0] <= end_us:
            self.now_us, _, happen = heapq.heappop(self._heap)
            happen()
        self.now_us = end_us
