"""Reads that may be stale show a prefix of the committed log, and are no staler than they say.

A member never shows less than it has shown in this life of its process. A bounded read shows
everything that was known until as long ago as it was told, which is within its bound; what is known
is what was acknowledged, or read linearizably.

Decides: that. Must not know: how a member learns how stale it is.
Read next: linearizable.py, known.py.
"""

from tests.simulation.clients.history import History, Viewed
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.known import Highest, known
from tests.simulation.oracles.oracle import Oracle


class LocalReads(Oracle):
    """Compares each view with what is committed, and with the one before it."""

    name = "local reads"

    def __init__(self, commits: Commits) -> None:
        self._commits = commits
        self._shown: dict[tuple[str, int], int] = {}

    def viewed(self, view: Viewed) -> None:
        """A member has shown its log, bounded or not."""
        if view.end > self._commits.end + 1:
            raise self.broken(
                f"{view.node} shows up to {view.end}, committed is {self._commits.end}"
            )
        before = self._shown.get((view.node, view.life), 0)
        if view.end < before:
            raise self.broken(f"{view.node} has shown up to {before}, and now {view.end}")
        self._shown[view.node, view.life] = view.end


class BoundedReads(Oracle):
    """Compares bounded reads with what was known when."""

    name = "bounded reads"

    def check(self, history: History) -> None:
        """Compare a history with itself."""
        bounded = [view for view in history.views if view.bound_ms is not None]
        highest = Highest(sorted(known(history)))
        for view in sorted(bounded, key=lambda view: view.fresh_us):
            if view.bound_ms is not None and not 0 <= view.staleness_ms <= view.bound_ms:
                raise self.broken(f"{view.node} serves {view}")
            if view.end <= highest.before(view.fresh_us):
                raise self.broken(
                    f"{view} doesn't show {highest.before(view.fresh_us)}, which was known by then"
                )
