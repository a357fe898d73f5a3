"""Log time: the append time of the next entry (design section 3, Log time).

max(previous, min(now, median of the voters' clocks + margin)); while that lies behind, log time
runs on at half the leader's monotonic rate. A sole voter has nobody to compare with: a clock that
leaps is not believed until somebody says so, or it comes back.

Decides: that time. Must not know: what depends on it.
Read next: leader.py.
"""

from replog_node.model.positions import MemberId
from replog_node.raft.state import CoreState


class LogTime:
    """A leader's view of the clocks."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._clocks: dict[MemberId, tuple[int, int]] = {}
        self._appended_tick = state.tick
        self._believed = (state.now_ms, state.tick)
        self.jumped = False

    def reported(self, member: MemberId, clock_ms: int) -> None:
        """A member said what its clock shows."""
        self._clocks[member] = (clock_ms, self._s.tick)

    def tick(self) -> None:
        """Compare the clock with the ticks that have passed, where nobody else can."""
        s = self._s
        self.jumped = self._trusted_ms() < s.now_ms
        if not self.jumped:
            self._believed = (s.now_ms, s.tick)

    def _trusted_ms(self) -> int:
        """What the clock shows; where it leapt and nobody vouches for it, what the ticks say."""
        s = self._s
        before_ms, before_tick = self._believed
        expected_ms = before_ms + (s.tick - before_tick) * s.limits.tick_ms
        leapt = before_ms > 0 and s.now_ms - expected_ms > s.limits.clock_jump_ms
        return expected_ms if leapt and s.electorate.is_only(s.member) else s.now_ms

    def acknowledge(self) -> None:
        """The clock is right."""
        self.jumped = False
        self._believed = (self._s.now_ms, self._s.tick)

    @property
    def apart_ms(self) -> int:
        """How far the voters' clocks lie apart, as far as they are known."""
        clocks = self._voters_ms()
        return clocks[-1] - clocks[0]

    def next_ms(self) -> int:
        """The append time of an entry that is appended now."""
        s = self._s
        previous_ms = s.log.tail.append_time_ms
        now_ms = min(self._trusted_ms(), self._median_ms() + s.limits.clock_margin_ms)
        if now_ms < previous_ms:
            passed = s.tick - self._appended_tick
            now_ms = previous_ms + passed * s.limits.tick_ms // 2
        self._appended_tick = s.tick
        return now_ms

    def _median_ms(self) -> int:
        """The median of the voters' clocks, as far as they are known; the lower of two."""
        clocks = self._voters_ms()
        return clocks[(len(clocks) - 1) // 2]

    def _voters_ms(self) -> list[int]:
        """What the voters' clocks show by now, as far as they are known, ascending."""
        s = self._s
        clocks = [s.now_ms]
        for voter in s.electorate.everyone:
            if voter != s.member and voter in self._clocks:
                clock_ms, tick = self._clocks[voter]
                clocks.append(clock_ms + (s.tick - tick) * s.limits.tick_ms)
        return sorted(clocks)
