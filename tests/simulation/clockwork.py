"""Virtual time: what happens next is what is due first; ties keep the order of asking.

Decides: the order of everything, from the seed alone.
Must not know: what happens.
Read next: world.py.
"""

import heapq
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from random import Random

LAST_NOTES = 25
"""Facts kept for the message of a failure."""


class Clockwork:
    """The only source of time, order and chance. Times are microseconds."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_us = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._trace = blake2b(digest_size=16)
        self.last_notes: deque[str] = deque(maxlen=LAST_NOTES)

    def after(self, delay_us: int, happen: Callable[[], None]) -> None:
        """Let something happen later."""
        self._count += 1
        heapq.heappush(self._heap, (self.now_us + delay_us, self._count, happen))

    def note(self, *facts: object) -> None:
        """Add facts to the trace: two runs of a seed must agree on every one of them."""
        self._trace.update(repr((self.now_us, *facts)).encode())
        if facts[0] != "send":
            self.last_notes.append(f"{self.now_us / 1e6:9.4f} s  " + " ".join(map(str, facts)))

    def digest(self) -> str:
        """What has happened so far, as a number."""
        return self._trace.hexdigest()

    def run_until(self, end_us: int, *, after_each: Callable[[], None]) -> None:
        """Let everything happen that is due by then; `after_each` looks at the world between."""
        while self._heap and self._heap[0][0] <= end_us:
            self.now_us, _, happen = heapq.heappop(self._heap)
            happen()
            after_each()
        self.now_us = end_us
