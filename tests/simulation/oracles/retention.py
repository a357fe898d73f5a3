"""Nothing is let go that wasn't trimmed: no log begins behind the log start that was committed.

Decides: that. Must not know: why it was trimmed.
Read next: frames.py.
"""

from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View


class Retention(Oracle):
    """log_start: the highest that any member has applied; everything from there on must stay."""

    name = "retention"

    def __init__(self) -> None:
        self.log_start = 0

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        self.log_start = max(self.log_start, now.log_start)
        if now.start.offset >= self.log_start and now.start.offset > was.start.offset:
            raise self.broken(
                f"{node} begins behind {now.start}, retained is all from {self.log_start} on"
            )

    def refused(self, node: str, at: int, told: int) -> None:
        """A member says that this offset is trimmed, and which is the first that isn't."""
        if at >= told or told > self.log_start:
            raise self.broken(
                f"{node} says that {at} is trimmed, from {told} on not: {self.log_start} is kept"
            )
