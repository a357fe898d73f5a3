"""A look at the disk's room now and then, on a thread of its own: it makes the spare segment, too.

Making a file of a segment's size takes the file system a while, and the writer shall not wait for
it; but it may ask for a look as soon as it has taken the spare.

Decides: how often. Must not know: what little room means (storage/reserve.py).
Read next: io_thread.py.
"""

from collections.abc import Callable
from threading import Event
from typing import Final

import msgspec

from replog_node.storage.reserve import DiskSpace
from replog_node.storage.store import Store

LOOK_S: Final = 0.25
"""Between two looks: a writer fills far less than the soft limit meanwhile."""

WORTH_BYTES: Final = 1024 * 1024
"""Free space that changed by less isn't news."""


class SpaceWatch:
    """Looks until it is stopped; tells what is news."""

    def __init__(self, store: Store, tell: Callable[[DiskSpace], None]) -> None:
        """tell: called on the thread that runs `run`."""
        self._store = store
        self._tell = tell
        self._told: DiskSpace | None = None
        self._due = Event()
        self._stopped = False

    def run(self) -> None:
        """Look now, then again and again, until stop.

        Raises StorageFailed: the disk that doesn't even say how full it is can't be used.
        """
        while not self._stopped:
            self._due.clear()
            self.look()
            self._due.wait(LOOK_S)

    def look_soon(self) -> None:
        """Look without waiting for the time."""
        self._due.set()

    def stop(self) -> None:
        """Let run return soon."""
        self._stopped = True
        self._due.set()

    def look(self) -> None:
        """Make a spare segment if need be, and tell what is news. Raises StorageFailed."""
        found, told = self._store.space(), self._told
        if told is None or _is_news(found, told):
            self._told = found
            self._tell(found)


def _is_news(found: DiskSpace, told: DiskSpace) -> bool:
    moved = abs(found.free_bytes - told.free_bytes) >= WORTH_BYTES
    return moved or found != msgspec.structs.replace(told, free_bytes=found.free_bytes)
