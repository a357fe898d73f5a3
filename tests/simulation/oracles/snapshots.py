"""Equal snapshots at equal offsets, whoever builds them and from what.

Decides: that. Must not know: how one is built.
Read next: states.py.
"""

from replog_node.model.snapshots import SnapshotMeta
from tests.simulation.oracles.oracle import Oracle


class EqualSnapshots(Oracle):
    """found: the snapshot at each offset, as the first member that built one had it."""

    name = "equal snapshots"

    def __init__(self) -> None:
        self.found: dict[int, SnapshotMeta] = {}

    def built(self, node: str, snapshot: SnapshotMeta) -> None:
        """A member has built one."""
        at = snapshot.position.offset
        if self.found.setdefault(at, snapshot) != snapshot:
            raise self.broken(f"{node} built another snapshot at {at} than another member did")
