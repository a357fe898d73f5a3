"""Snapshots of a store without threads: what adapters/snapshot_io.py does, at once.

Decides: nothing. Must not know: drivers. Read next: replog_node/adapters/snapshot_io.py.
"""

from replog_node.model.positions import Offset
from replog_node.model.snapshots import SnapshotMeta
from replog_node.state.applied import AppliedState
from replog_node.storage.errors import StorageError
from replog_node.storage.store import Store


def state_of(store: Store) -> AppliedState:
    """The state that a member goes on from: of the newest snapshot, or none."""
    snapshot = store.recovered.snapshot
    if snapshot is None:
        return AppliedState()
    return AppliedState.decode(store.read_state(snapshot))


def stored_part(
    store: Store, snapshot: SnapshotMeta, at: int, data: bytes
) -> tuple[int, bytes | None]:
    """Add a piece of a fetched snapshot: bytes that there are, and the state of a whole one."""
    incoming = store.incoming(snapshot)
    if data and at == incoming.size:
        incoming.write(at, data)
    if incoming.size < snapshot.size_bytes:
        incoming.close()
        return incoming.size, None
    if not incoming.finish():
        return 0, None
    return snapshot.size_bytes, store.read_incoming(snapshot)


def chunk_of(store: Store, offset: Offset, digest: bytes, at: int, max_bytes: int) -> bytes | None:
    """A piece of a snapshot that is here."""
    for snapshot in store.snapshots:
        if (snapshot.position.offset, snapshot.digest) == (offset, digest):
            try:
                return store.read_chunk(snapshot, at, max_bytes)
            except StorageError:
                return None
    return None
