"""Who waits for records to be applied, or to hear that none will be.

Decides: how many may wait. Must not know: what was applied; they look themselves.
Read next: driver.py.
"""

from collections.abc import Callable


class Watchers:
    """Each is called once, or ends its watch before."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._watchers: dict[int, Callable[[], None]] = {}
        self._number = 0

    def watch(self, woken: Callable[[], None]) -> Callable[[], None] | None:
        """See Driver.watch."""
        if len(self._watchers) >= self._limit:
            return None
        self._number += 1
        number = self._number
        self._watchers[number] = woken
        return lambda: self._end(number)

    def _end(self, number: int) -> None:
        self._watchers.pop(number, None)

    def wake(self) -> None:
        """Let all look again: at records, or at why none will come."""
        watchers, self._watchers = self._watchers, {}
        for woken in watchers.values():
            woken()
