"""When a leader hands over by itself: its disk is slow or damaged, and others' are not.

A disk that hangs doesn't stop commits, since a quorum of the others is enough; but one failure more
would, and what this member reads and applies stays behind. Where all share a disk, nobody gets
ahead while it hangs, so nobody hands over, and leadership doesn't go to and fro.

Decides: that it is time, and why. Must not know: how leadership is transferred, what a disk is.
Read next: transfer.py, leader.py.
"""

from collections.abc import Mapping
from typing import Final

from replog_node.model.positions import MemberId
from replog_node.raft.quorum import NOTHING
from replog_node.raft.state import CoreState
from replog_node.raft.transfer import Transfer

SLOW_DISK: Final = "slow_disk"
HOLE: Final = "hole"
LEAVING: Final = "leaving"


class Handover:
    """One leader's look at its own disk, once a tick."""

    def __init__(self, state: CoreState, transfer: Transfer) -> None:
        self._s = state
        self._transfer = transfer
        self._behind: tuple[int, int] | None = None
        self._others = NOTHING
        self._others_tick = state.tick

    def tick(self, matches: Mapping[MemberId, int]) -> None:
        """Hand over if there is a reason, and the last time is long enough ago."""
        slow = self._is_slow(matches)
        why = HOLE if self._s.disk.first_hole is not None else SLOW_DISK if slow else None
        if why is not None and self._may() and self._transfer.hand_over(why):
            self._s.handed_over_tick = self._s.tick

    def _may(self) -> bool:
        last, wait = self._s.handed_over_tick, self._s.limits.handover_ticks
        return last is None or self._s.tick - last >= wait

    def _is_slow(self, matches: Mapping[MemberId, int]) -> bool:
        """Whether this disk hasn't got done for too long what a quorum of the others has, while
        they get on."""
        s, limit = self._s, self._s.limits.slow_disk_ticks
        others = s.electorate.reached(matches)
        if others > self._others:
            self._others, self._others_tick = others, s.tick
        if self._behind is None or s.log.durable.offset >= self._behind[0]:
            self._behind = (others, s.tick) if others > s.log.durable.offset else None
        if self._behind is None:
            return False
        return s.tick - self._behind[1] >= limit and s.tick - self._others_tick < max(1, limit // 2)
