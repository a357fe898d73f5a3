"""Whoever lets go of the log's beginning has two durable files that stand for it.

So one rotten file costs nothing (design section 3, Snapshots and trim): two snapshots, or one and
its copy, whose names no power loss takes away.

Decides: that. Must not know: how a snapshot is built or copied.
Read next: unharmed.py, ../../support/simdisk.py.
"""

from replog_node.storage.snapshots import is_snapshot
from tests.simulation.oracles.oracle import Oracle
from tests.support.simdisk import SimDisk

NEEDED = 2


class StandIns(Oracle):
    """Is told when segments have gone.

    A disk that rotted may have fewer for a while, and one that was full, where the log goes on
    without a copy rather than not at all.
    """

    name = "two files for what is gone"

    def released(self, node: str, disk: SimDisk, start: int) -> None:
        """A member's log begins behind this offset now, -1: at its beginning."""
        if start < 0 or disk.harmed or disk.filled:
            return
        files = [name for name in disk.lasting() if is_snapshot(name)]
        found = [name for name in files if int(name.split(".")[0]) >= start]
        if len(found) < NEEDED:
            raise self.broken(f"{node}'s log begins behind {start}, and there is only {found}")
