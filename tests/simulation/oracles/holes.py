"""A member whose log has a hole, or has lost its end, takes no part with what it lacks.

It acknowledges nothing at or above its first hole but what is committed, doesn't stand for election
while there is one, and doesn't vote while it may have acknowledged more than it can read (design
section 3, Storage).

Decides: that, for damage that the core has known for a while: what was said before stays said.
Must not know: how disks rot, who fills holes.
Read next: promises.py, unharmed.py.
"""

from typing import Final

from replog_node.raft.messages import AppendReply, CoreMessage, VoteReply
from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View

KNOWN_US: Final = 1_000_000
"""An acknowledgement that waits for the disk may be older than the hole, but not that much."""

STANDING: Final = ("pre-candidate", "candidate")


class Holes(Oracle):
    """Remembers since when a member has known its first hole."""

    name = "holes"

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, int]] = {}

    def stepped(self, node: str, was: View, now: View, at_us: int = 0) -> None:
        """A member had a turn."""
        hole = now.first_hole
        if hole is None:
            self._since.pop(node, None)
        elif self._since.get(node, (-1, 0))[0] != hole:
            self._since[node] = hole, at_us
        if hole is not None and now.role in STANDING and was.role not in STANDING:
            raise self.broken(f"{node} stands for election with a hole at {hole}")

    def forget(self, node: str) -> None:
        """Its process is another one."""
        self._since.pop(node, None)

    def sent(
        self, node: str, message: CoreMessage, *, commit: int, unproven: bool, at_us: int
    ) -> None:
        """A member sends a message; unproven: it knows that it has lost the end of its log."""
        match message:
            case AppendReply(ok=True, match=match):
                hole, since_us = self._since.get(node, (match.offset + 1, 0))
                old = at_us - since_us >= KNOWN_US
                if old and match.offset >= hole and match.offset > commit:
                    raise self.broken(f"{node} acknowledges {match} with a hole at {hole}")
            case VoteReply(granted=True) if unproven:
                raise self.broken(f"{node} votes although it has lost the end of its log")
            case _:
                pass
