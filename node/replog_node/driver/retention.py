"""What of the log is old enough to be given up: pure, in whole segments.

Decides: the trim that a bound on bytes or age asks for. Must not know: who leads, who appends it.
Read next: schedule.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

from replog_node.model.positions import Offset
from replog_node.storage.store import SegmentInfo


class Trim(NamedTuple):
    """Give up what lies below log_start. cause: "bytes" | "age"."""

    log_start: Offset
    cause: str


def retention_trim(
    segments: Sequence[SegmentInfo],
    log_start: Offset,
    log_time_ms: int,
    *,
    retention_bytes: int,
    retention_age_ms: int,
) -> Trim | None:
    """The trim that is due, None if none is. A bound of 0 bounds nothing.

    Of bytes at least the bound is kept: a segment goes only if the rest is still as much. Of age
    a segment goes when its newest entry is older, by log time. The last segment always stays.
    """
    by_bytes = _beyond_bytes(segments, retention_bytes) if retention_bytes else 0
    oldest_ms = log_time_ms - retention_age_ms
    by_age = _older(segments, oldest_ms) if retention_age_ms else 0
    first = max(by_bytes, by_age)
    if not first or segments[first].base <= log_start:
        return None
    return Trim(segments[first].base, "bytes" if by_bytes >= by_age else "age")


def _beyond_bytes(segments: Sequence[SegmentInfo], retention_bytes: int) -> int:
    """How many of the first segments may go."""
    left = sum(segment.size_bytes for segment in segments)
    for index, segment in enumerate(segments[:-1]):
        left -= segment.size_bytes
        if left < retention_bytes:
            return index
    return max(0, len(segments) - 1)


def _older(segments: Sequence[SegmentInfo], oldest_ms: int) -> int:
    """How many of the first segments may go; append times never fall."""
    return sum(segment.last_append_time_ms < oldest_ms for segment in segments[:-1])
