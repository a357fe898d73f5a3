"""A snapshot says what the log says: the entry that it ends with, the membership in force there.

Both halves of a joint one (etcd-raft e515a67: a restored snapshot had lost the outgoing half).

Decides: that. Must not know: how one is built.
Read next: snapshots.py, states.py.
"""

from bisect import bisect_right

from replog_node.model.snapshots import SnapshotMeta
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.oracle import Oracle


class TrueSnapshots(Oracle):
    """Compares what is built with the committed log."""

    name = "true snapshots"

    def __init__(self, log: CommittedLog) -> None:
        self._log = log

    def built(self, node: str, snapshot: SnapshotMeta) -> None:
        """A member has built one."""
        at = snapshot.position.offset
        place = bisect_right(self._log.entries, at, key=lambda entry: entry.last)
        before = self._log.entries[:place]
        if not before or (before[-1].position, before[-1].chain) != (
            snapshot.position,
            snapshot.chain,
        ):
            raise self.broken(f"{node}'s snapshot at {snapshot.position} ends with no such entry")
        last = next((e for e in reversed(before) if e.configuration is not None), None)
        found = (snapshot.configuration, snapshot.configuration_offset)
        if last is not None and found != (last.configuration, last.last):
            raise self.broken(
                f"{node}'s snapshot at {at} has the membership {found[0]} of {found[1]}, the log"
                f" has {last.configuration} of {last.last}"
            )
