"""Members that answer their leader and acknowledge nothing: it is their disk, most likely.

Decides: since when one is that way. Must not know: why, what is said of it.
Read next: health.py, waits.py.
"""

from replog_node.model.positions import MemberId, Offset
from replog_node.raft.state import CoreStatus


class Stuck:
    """What a leader saw of the others, tick by tick."""

    def __init__(self) -> None:
        self._seen: dict[MemberId, tuple[Offset, float]] = {}

    def observe(self, core: CoreStatus | None, now_s: float) -> None:
        """Look at the progress of everybody who has something to acknowledge."""
        progress = {} if core is None else core.progress
        last = -1 if core is None else core.last.offset
        self._seen = {
            member: self._since(member, found.match.offset, now_s)
            for member, found in progress.items()
            if found.alive and found.state == "replicate" and not found.full
            and found.match.offset < last
        }  # fmt: skip

    def _since(self, member: MemberId, match: Offset, now_s: float) -> tuple[Offset, float]:
        before = self._seen.get(member)
        return (match, now_s) if before is None or before[0] != match else before

    def since(self, now_s: float) -> dict[MemberId, float]:
        """For how many seconds each has acknowledged nothing."""
        return {member: now_s - since_s for member, (_, since_s) in self._seen.items()}
