"""Build a snapshot: the newest one there is, with the entries since folded into it.

The same function runs in a helper process beside a member (adapters/builder.py) and in the
simulation. It reads the member's directory and leaves one temporary file in it.

Decides: from which snapshot the fold goes on. Must not know: processes, when one is due.
Read next: ../storage/readonly.py, ../state/applied.py.
"""

from replog_node.model.positions import Position
from replog_node.model.snapshots import DIGEST_BYTES, SnapshotMeta
from replog_node.state.applied import AppliedState
from replog_node.state.image import StateDamaged
from replog_node.storage.disk import Disk
from replog_node.storage.errors import SnapshotUnusable
from replog_node.storage.readonly import ReadOnlyLog, open_reader
from replog_node.storage.snapshots import described, write_snapshot


class NothingToFold(ValueError):
    """No log leads to the position: a state without cluster or configuration has no snapshot."""


def build_snapshot(disk: Disk, up_to: Position) -> str:
    """Write the snapshot at `up_to`, durably, under a temporary name, and return that.

    up_to: committed and durable here; where no entry ends there, the last end before it counts.
    Raises LogDamaged, ReadRefused,
    StoreMisused, NothingToFold, DiskError; then nothing of it is used.
    """
    log = open_reader(disk)
    state = _nearest(log, up_to)
    for entry in log.entries(state.tail or log.origin, up_to):
        if entry.last > up_to.offset:
            break
        state.apply(entry)
    image = state.encode()
    return write_snapshot(disk, described(_meta(state), image), image)


def _nearest(log: ReadOnlyLog, up_to: Position) -> AppliedState:
    """The state of the newest usable snapshot up to there; an empty one without any."""
    for meta in reversed(log.snapshots()):
        if meta.position.offset <= up_to.offset:
            try:
                return AppliedState.decode(log.read_state(meta))
            except (SnapshotUnusable, StateDamaged):
                continue  # an older one does as well, it only takes longer
    return AppliedState()


def _meta(state: AppliedState) -> SnapshotMeta:
    if state.tail is None or state.configuration is None:
        raise NothingToFold("no configuration is applied")
    if state.cluster_id is None or state.lineage is None:
        raise NothingToFold("the log names no cluster")
    return SnapshotMeta(
        position=state.tail.position,
        chain=state.tail.chain,
        log_time_ms=state.tail.append_time_ms,
        log_start=state.log_start,
        configuration=state.configuration,
        configuration_offset=state.configuration_offset,
        cluster_id=state.cluster_id,
        lineage=state.lineage,
        feature_level=state.configuration.feature_level,
        size_bytes=0,
        digest=bytes(DIGEST_BYTES),
    )
