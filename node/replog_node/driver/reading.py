"""Reads of entries from disk that are on their way, and who asked for each.

Decides: nothing but whose an answer is. Must not know: what the entries are for.
Read next: pages.py, applier.py.
"""

from collections.abc import Callable

from replog_node.driver.ports import StoragePort
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset

Asker = Callable[[tuple[Entry, ...] | None], None]


class DiskReads:
    """Outstanding reads. Bounded by their askers: one to apply, one a follower, one a page."""

    def __init__(self, storage: StoragePort) -> None:
        self._storage = storage
        self._askers: dict[int, Asker] = {}
        self._next_request = 0

    def ask(self, at: Offset, max_bytes: int, asker: Asker) -> None:
        """Read entries from the one that holds `at` on; the asker is called in a later turn."""
        request = self._next_request
        self._next_request += 1
        self._askers[request] = asker
        self._storage.read(request, at, max_bytes)

    def answered(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        """Give an answer to its asker."""
        asker = self._askers.pop(request, None)
        if asker is not None:
            asker(entries)
