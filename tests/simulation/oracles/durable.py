"""What lies on the members' disks for good, whether they run or not.

Decides: what counts as durable: what the store says, if no power loss could take it away.
Must not know: what must hold.
Read next: quorum.py, memory.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from replog_node.model.entries import Tail
    from replog_node.raft.events import HardState
    from replog_node.storage.store import Store
    from tests.simulation.node import SimNode
    from tests.support.simdisk import SimDisk


class Kept(NamedTuple):
    """What a store says that is durable: the end of the log, where it begins, term and vote."""

    tail: Tail
    start: Tail
    hard: HardState


class Durable:
    """What each member holds now, or held when its process died last."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[Store, SimDisk]] = {}
        self._left: dict[str, tuple[Kept, SimDisk]] = {}

    def started(self, node: SimNode) -> None:
        """A process runs on this store from now on."""
        if node.storage is not None:
            self._running[node.member] = node.storage.store, node.disk

    def ended(self, node: SimNode) -> Kept | None:
        """The process died; returns what it left."""
        found = self._running.pop(node.member, None)
        if found is None:
            return None
        kept = kept_by(found[0])
        self._left[node.member] = kept, found[1]
        return kept

    def of(self, member: str) -> Kept | None:
        """What a member holds."""
        running = self._running.get(member)
        if running is not None:
            return kept_by(running[0])
        return self._left[member][0] if member in self._left else None

    def could_lose(self, member: str, data: bytes) -> bool:
        """Whether a power loss could take these bytes away, which its log shows."""
        found = self._running.get(member) or self._left.get(member)
        return found is not None and found[1].could_lose(data, suffix=".seg")


def kept_by(store: Store) -> Kept:
    """What it says now."""
    return Kept(store.tail, store.start, store.hard_state)
