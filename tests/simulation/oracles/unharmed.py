"""A disk that never rotted holds no damage, whatever was killed or lost power in whatever moment.

Only rot explains a hole, a lost end, an unreadable snapshot. Where one is found without it, the
order of writes and syncs was wrong: the mark said too much, a log was cut before its mark was
lowered, a file had its name before it was whole (design section 3, Storage and Snapshots).

Decides: that. Must not know: how a disk loses power.
Read next: memory.py, ../../support/simdisk.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replog_node.storage.errors import (
    IdentityDamaged,
    LogDamaged,
    SnapshotUnusable,
    VoteStateLost,
)
from tests.simulation.oracles.oracle import Oracle

if TYPE_CHECKING:
    from replog_node.storage.store import Store
    from tests.support.simdisk import SimDisk

DAMAGE: Final = (LogDamaged, VoteStateLost, IdentityDamaged, SnapshotUnusable)
"""What a store says only of bytes that are wrong."""


class Unharmed(Oracle):
    """Is told what members find on their disks."""

    name = "unharmed disks"

    def found(self, node: str, disk: SimDisk, problem: Exception) -> None:
        """A member met this, at its start or while it read."""
        if isinstance(problem, DAMAGE) and not disk.harmed:
            raise self.broken(f"{node}'s disk never rotted: {type(problem).__name__}: {problem}")

    def started(self, node: str, disk: SimDisk, store: Store) -> None:
        """A process has opened its store."""
        recovered = store.recovered
        found = (recovered.holes, recovered.unproven, recovered.damaged_snapshots)
        if any(found) and not disk.harmed:
            raise self.broken(f"{node}'s disk never rotted, and its start found {found}")
