"""Every entry that any member ever wrote, by its chain, which also names all that lies before it.

The chain of an entry covers its frame and the chain before it, so the last chain of a log stands
for the whole log. Each entry knows its predecessor: whether one log holds another's end is a walk
of a few steps from the end, not a comparison.

Decides: nothing. Must not know: what must hold.
Read next: matching.py, commits.py.
"""

from typing import NamedTuple

from replog_node.model.entries import Entry
from replog_node.raft.effects import Persist

NOTHING = b""
"""The chain before the first entry."""


class Link(NamedTuple):
    """An entry's place, and the chain of the entry before it."""

    parent: bytes
    base: int
    last: int
    term: int


class Chains:
    """tips: by member, the last chain of what it wrote, on its disk or on the way there."""

    def __init__(self) -> None:
        self._links: dict[bytes, Link] = {}
        self.tips: dict[str, bytes] = {}

    def add(self, entry: Entry, parent: bytes) -> Link:
        """Remember an entry behind its predecessor; returns what is known of it."""
        before = parent if entry.base else NOTHING
        found = Link(before, entry.base, entry.last, entry.term)
        return self._links.setdefault(entry.chain, found)

    def link(self, chain: bytes) -> Link | None:
        """What is known of the entry with this chain."""
        return self._links.get(chain)

    def parent(self, node: str, persist: Persist) -> bytes:
        """The chain after which a member is about to write."""
        tip = self.tips.get(node, NOTHING)
        if persist.truncate_to is None:
            return tip
        return self.end_at(tip, persist.truncate_to.offset) or NOTHING

    def end_at(self, tip: bytes, offset: int) -> bytes | None:
        """The chain of the entry that ends at `offset` in the log that ends with `tip`.

        None if the log ends before, no entry ends there, or it isn't known.
        """
        link = self._links.get(tip)
        while link is not None and link.last > offset:
            tip = link.parent
            link = self._links.get(tip)
        return tip if link is not None and link.last == offset else None

    def holds(self, tip: bytes, chain: bytes) -> bool:
        """Whether the log that ends with `tip` holds the entry with this chain."""
        link = self._links.get(chain)
        return link is not None and self.end_at(tip, link.last) == chain
