"""What readers see of a member's log has no gap between two segments: damage is a hole within one.

Decides: that. Must not know: files.
Read next: holes.py, whole_logs.py.
"""

from collections.abc import Sequence
from itertools import pairwise

from replog_node.storage.store import SegmentInfo
from tests.simulation.oracles.oracle import Oracle


class JoinedSegments(Oracle):
    """Looks at a member's segments when something has changed."""

    name = "joined segments"

    def seen(self, node: str, segments: Sequence[SegmentInfo]) -> None:
        """Its segments, ascending."""
        for before, behind in pairwise(segments):
            if behind.base != before.last + 1:
                raise self.broken(f"{node}: {behind.base} begins a segment behind {before.last}")
