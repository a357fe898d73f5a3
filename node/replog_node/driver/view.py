"""What may be read of the log at one moment.

Decides: that shape. Must not know: who reads, how it was confirmed.
Read next: reads.py.
"""

import msgspec


class ReadView(msgspec.Struct, frozen=True):
    """What may be read here: offsets from log_start_offset up to, not including, end_offset."""

    log_start_offset: int
    end_offset: int
    staleness_ms: int
    """0 for a linearizable view; else how long this member may have missed commits; -1 unknown."""
