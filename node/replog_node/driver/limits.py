"""The driver's bounds.

Decides: how much may wait where, and what happens at each bound.
Must not know: settings, where these values come from.
Read next: appends.py.
"""

import msgspec


class DriverLimits(msgspec.Struct, frozen=True):
    """Bounds of one driver."""

    group_bytes: int = 1024 * 1024
    """Appends that wait together become one entry up to this; a larger batch is alone in one."""

    groups_unpersisted: int = 2
    """Entries of ours that are neither on our disk nor committed by the others; past it appends
    wait, and the next entry grows."""

    groups_ahead: int = 8192
    """Entries of ours that the others have committed and our disk hasn't taken yet: so many, or
    pending_bytes of them, pass a disk that hangs; past it appends wait."""

    pending_bytes: int = 64 * 1024 * 1024
    """Batches taken and not yet answered; past it `overloaded`."""

    pending_batches: int = 100_000
    """As pending_bytes, by count: each costs memory of its own."""

    forwards: int = 4
    """Groups sent to the leader and not answered; past it appends wait and the next one grows."""

    served_forwards: int = 4096
    """Groups of other members that are being carried out; past it `overloaded`."""

    reads: int = 100_000
    """Reads that wait for a confirmation; past it `overloaded`."""

    read_rounds: int = 4
    """Confirmations asked for and not answered; past it reads wait for the next one."""

    admin_calls: int = 64
    """Admin calls that wait; past it `overloaded`."""

    watchers: int = 100_000
    """Callers that wait for records; past it `overloaded`."""

    apply_bytes: int = 1024 * 1024
    """How much is read from disk at once to apply it (after a start)."""

    snapshot_bytes: int = 64 * 1024 * 1024
    """Log since the last snapshot point; past it the leader appends one. A start folds about so
    much."""

    retention_bytes: int = 0
    """Log kept at least; what is older is trimmed in whole segments. 0: all of it."""

    retention_age_ms: int = 0
    """Log time for which a segment is kept after its last entry. 0: for ever."""

    flight_bytes: int = 16 * 1024 * 1024
    """What the flight recorder holds, in two halves (flight.py). 0: nothing."""
