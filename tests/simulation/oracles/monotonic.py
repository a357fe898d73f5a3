"""What never goes back while a process runs: term, commit, what is applied, where the log begins.

Decides: that. Must not know: restarts (memory.py).
Read next: memory.py.
"""

from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View


class Monotonic(Oracle):
    """Compares a member with what it was before its turn."""

    name = "monotonic"

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        if now.term < was.term:
            raise self.broken(f"{node} went from term {was.term} back to {now.term}")
        if now.commit.offset < was.commit.offset:
            raise self.broken(f"{node} had committed {was.commit} and now {now.commit}")
        if now.applied < was.applied:
            raise self.broken(f"{node} had applied {was.applied} and now {now.applied}")
        if now.start.offset < was.start.offset or now.log_start < was.log_start:
            raise self.broken(
                f"{node}'s log began behind {was.start}, retained from {was.log_start}, and now "
                f"{now.start}, {now.log_start}"
            )
        if now.applied > now.commit.offset:
            raise self.broken(f"{node} has applied {now.applied}, committed is {now.commit}")
