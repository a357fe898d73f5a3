"""Ready is who has caught up: once a member says so, it has applied all that was committed when its
process began.

Decides: that. Must not know: how it finds out.
Read next: commits.py, memory.py.
"""

from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.oracle import Oracle


class Readiness(Oracle):
    """Compares what a member has applied with what was committed at its start."""

    name = "ready when caught up"

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._waited_for: dict[str, int] = {}

    def started(self, node: str) -> None:
        """A process runs: this much has been committed by now."""
        self._waited_for[node] = self._commits.end

    def stepped(self, node: str, *, ready: bool, applied: int) -> None:
        """It had a turn. ready: it says that it has caught up."""
        if not ready or node not in self._waited_for:
            return
        end = self._waited_for.pop(node)
        if applied < end:
            raise self.broken(
                f"{node} has applied up to {applied}, and {end} was committed when it began"
            )
