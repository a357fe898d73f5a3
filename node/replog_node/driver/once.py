"""Calls of other members are carried out at most once, whatever the network does with them.

Decides: whether a call was seen before. Must not know: what it asks for.
Read next: forwards.py, calls.py.
"""

from typing import Final

from replog_node.model.positions import MemberId
from replog_node.raft.messages import Incarnation

WINDOW: Final = 4096
"""Calls remembered of each member; an older one counts as seen: its caller has given up by then."""

SENDERS_MAX: Final = 64
"""Members remembered; the one that was heard of first is forgotten first."""


class Once:
    """Remembers the calls of each member's present incarnation."""

    def __init__(self) -> None:
        self._seen: dict[MemberId, tuple[Incarnation, set[int]]] = {}
        self._highest: dict[MemberId, int] = {}

    def first(self, sender: MemberId, incarnation: Incarnation, call: int) -> bool:
        """Whether this call is new. Of an earlier incarnation nothing is."""
        known = self._seen.get(sender)
        if known is not None and incarnation.number < known[0].number:
            return False
        if known is None or known[0] != incarnation:
            known = self._begin(sender, incarnation)
        seen = known[1]
        highest = self._highest[sender]
        if call in seen or call <= highest - WINDOW:
            return False
        seen.add(call)
        if call > highest:
            self._highest[sender] = call
            if len(seen) > 2 * WINDOW:
                seen.intersection_update(range(call - WINDOW + 1, call + 1))
        return True

    def _begin(self, sender: MemberId, incarnation: Incarnation) -> tuple[Incarnation, set[int]]:
        if sender not in self._seen and len(self._seen) >= SENDERS_MAX:
            first = next(iter(self._seen))
            del self._seen[first], self._highest[first]
        begun: tuple[Incarnation, set[int]] = (incarnation, set())
        self._seen[sender], self._highest[sender] = begun, -1
        return begun
