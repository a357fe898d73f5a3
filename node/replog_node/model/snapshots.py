"""A snapshot as everybody speaks of it: what it stands for, without its state.

Decides: what must be known to go on from a snapshot without any entry up to it.
Must not know: how a snapshot lies in a file (storage/snapshots.py), what the state holds.
Read next: ../storage/snapshots.py.
"""

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Tail
from replog_node.model.positions import ClusterId, Lineage, Offset, Position

DIGEST_BYTES = 16
"""Bytes of a snapshot's digest."""


class SnapshotMeta(msgspec.Struct, frozen=True):
    """The folded state up to S, an entry's end. Equal on all members that build at the same S.

    position: S, the end of the last entry in it. chain, log_time_ms: of that entry, so that the
    frames after it prove themselves. log_start: the first retained offset, as the log said at S.
    configuration: in force at S, both halves; configuration_offset: of its record. feature_level:
    in force at S, so what one must speak to read the state. size_bytes: of the whole file, header
    included. digest: BLAKE2b-128 of the state's bytes, equal on all members unless they differ.
    """

    position: Position
    chain: bytes
    log_time_ms: int
    log_start: Offset
    configuration: Configuration
    configuration_offset: Offset
    cluster_id: ClusterId
    lineage: Lineage
    feature_level: int
    size_bytes: int
    digest: bytes

    @property
    def tail(self) -> Tail:
        """What the first entry after the snapshot builds upon."""
        return Tail(self.position, self.chain, self.log_time_ms)
