"""The bounds of storage.

Decides: how large what may grow. Must not know: settings, where these values come from.
Read next: log.py.
"""

import msgspec


class StoreLimits(msgspec.Struct, frozen=True):
    """Bounds of one store, with what happens at each."""

    segment_bytes: int = 64 * 1024 * 1024
    """A segment's preallocated size. A block that doesn't fit begins a new segment; a block larger
    than a whole segment makes that one segment larger."""

    block_bytes: int = 4 * 1024 * 1024
    """Frames of one block. More are split into several blocks, still with one sync; a larger frame
    has a block of its own."""

    index_rows: int = 256
    """Rows of a segment's sparse index, 40 bytes each: one per segment_bytes / index_rows."""

    read_bytes: int = 256 * 1024
    """How much a read takes from a file at once."""

    snapshots_between: int = 4
    """Snapshots kept between the base and the newest; past it the most crowded ones are removed."""

    soft_limit_bytes: int = 0
    """Free bytes of the file system under which the member is low (reserve.py)."""

    margin_bytes: int = 0
    """Room in the active segment under which a member without a spare is full: what may still be
    on its way must fit."""

    checkpoint_bytes: int = 8 * 1024 * 1024
    """A start reads no more of the last segment than this: so often is it noted what was proven."""

    @property
    def index_interval_bytes(self) -> int:
        """The bytes of a segment between two rows of its index."""
        return max(1, self.segment_bytes // self.index_rows)
