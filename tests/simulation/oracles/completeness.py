"""Leader completeness: whoever comes to lead holds all that earlier leaders committed (figure 3).

Only terms before its own count: a candidate whose votes come late may win although somebody leads
and commits in a newer term already; it can't commit anything.

Decides: that. Must not know: elections.
Read next: commits.py, elections.py.
"""

from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View


class LeaderCompleteness(Oracle):
    """Looks at each new leader's log."""

    name = "leader completeness"

    def __init__(self, chains: Chains, commits: Commits) -> None:
        self._chains = chains
        self._commits = commits

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        if not now.leads or (was.leads and was.term == now.term):
            return
        offset = self._commits.before(now.term)
        chain = self._commits.at(offset)
        if chain is None or offset <= now.start.offset:
            return
        if self._chains.end_at(now.tail.chain, offset) != chain:
            raise self.broken(
                f"{node} leads term {now.term} with a log that ends at {now.tail.position}, and "
                f"lacks what was committed up to {offset}"
            )
