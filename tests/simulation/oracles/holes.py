"""A member whose log has a hole, or has lost its end, takes no part with what it lacks.

It acknowledges nothing at or above its first hole but what is committed, doesn't stand for election
while there is one, and doesn't vote while it may have acknowledged more than it can read (design
section 3, Storage).

Decides: that, for what was appended since: an acknowledgement may be older than what is known.
Must not know: how disks rot, who fills holes.
Read next: promises.py, unharmed.py.
"""

from typing import Final

from replog_node.raft.messages import AppendReply, CoreMessage, VoteReply
from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View

STANDING: Final = ("pre-candidate", "candidate")


class Holes(Oracle):
    """Remembers where a member's log ended when it came to know its first hole."""

    name = "holes"

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int]] = {}

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        hole = now.first_hole
        if hole is None:
            self._known.pop(node, None)
            return
        if node not in self._known:
            self._known[node] = hole, now.tail.position.offset
        if now.role in STANDING and was.role not in STANDING:
            raise self.broken(f"{node} stands for election with a hole at {hole}")

    def forget(self, node: str) -> None:
        """Its process is another one."""
        self._known.pop(node, None)

    def sent(self, node: str, message: CoreMessage, *, commit: int, unproven: bool) -> None:
        """A member sends a message; unproven: it knows that it has lost the end of its log."""
        match message:
            case AppendReply(ok=True, match=match) if node in self._known:
                hole, end = self._known[node]
                if match.offset > max(hole - 1, end, commit):
                    raise self.broken(f"{node} acknowledges {match} with a hole at {hole}")
            case VoteReply(granted=True) if unproven:
                raise self.broken(f"{node} votes although it has lost the end of its log")
            case _:
                pass
