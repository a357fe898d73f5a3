"""What may be read of the log at one moment, and how new it must be.

Decides: those shapes. Must not know: who reads, how it was confirmed.
Read next: reads.py.
"""

from typing import Final

import msgspec


class Consistency(msgspec.Struct, frozen=True):
    """What a view must show.

    linearizable: all that was acknowledged before the call. bound_ms: all that was acknowledged
    until so long ago. Neither: what this member knows.
    """

    linearizable: bool = False
    bound_ms: int | None = None


LINEARIZABLE: Final = Consistency(linearizable=True)
LOCAL: Final = Consistency()


class ReadView(msgspec.Struct, frozen=True):
    """What may be read here: offsets from log_start_offset up to, not including, end_offset."""

    log_start_offset: int
    end_offset: int
    staleness_ms: int
    """0 for a linearizable view; of a local one, how long ago the leader was heard; -1: never.

    Of a bounded one: the age of the confirmation."""
