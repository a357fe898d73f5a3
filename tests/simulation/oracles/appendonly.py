"""Leader append-only: a leader neither cuts nor changes its own log (paper, figure 3).

Decides: that. Must not know: what it appends.
Read next: chains.py.
"""

from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.oracle import Oracle
from tests.simulation.oracles.views import View


class LeaderAppendOnly(Oracle):
    """Compares a leader's log with what it was before its turn."""

    name = "leader append-only"

    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    def stepped(self, node: str, was: View, now: View) -> None:
        """A member had a turn."""
        if not (was.leads and now.leads and was.term == now.term) or was.tail is now.tail:
            return
        if self._chains.end_at(now.tail.chain, was.tail.position.offset) != was.tail.chain:
            raise self.broken(
                f"{node} leads term {now.term}, its log ended at {was.tail.position} and now "
                f"ends at {now.tail.position} without that"
            )
