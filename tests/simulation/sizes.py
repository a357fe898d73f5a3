"""How large things are in a world: small, so that everything that is rare comes often.

Decides: the default sizes. Must not know: which a seed draws (plan.py).
Read next: node.py.
"""

from dataclasses import dataclass

from replog_node.driver.limits import DriverLimits
from replog_node.raft.limits import CoreLimits
from replog_node.storage.limits import StoreLimits


@dataclass(frozen=True)
class Sizes:
    """Bytes: a segment, a block, entries kept in memory, a group, the log between two snapshots,
    what retention keeps (0: all), a piece of a transferred snapshot, the flight recorder.
    """

    segment_bytes: int = 16 * 1024
    block_bytes: int = 4096
    cache_bytes: int = 16 * 1024
    group_bytes: int = 4096
    snapshot_bytes: int = 24 * 1024
    retention_bytes: int = 48 * 1024
    piece_bytes: int = 256
    flight_bytes: int = 128 * 1024

    def core(self, feature_level: int) -> CoreLimits:
        """A small cache, so that followers behind are served from disk, too."""
        return CoreLimits(cache_bytes=self.cache_bytes, feature_level=feature_level)

    def driver(self) -> DriverLimits:
        """Small groups, frequent snapshots and trims."""
        return DriverLimits(
            group_bytes=self.group_bytes,
            snapshot_bytes=self.snapshot_bytes,
            retention_bytes=self.retention_bytes,
            flight_bytes=self.flight_bytes,
        )

    def store(self) -> StoreLimits:
        """Many small segments of many small blocks."""
        return StoreLimits(
            segment_bytes=self.segment_bytes,
            block_bytes=self.block_bytes,
            index_rows=8,
            read_bytes=4096,
            soft_limit_bytes=24 * 1024,
            margin_bytes=8 * 1024,
        )
