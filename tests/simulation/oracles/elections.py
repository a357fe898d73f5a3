"""Election safety: at most one leader a term (paper, figure 3).

Decides: that. Must not know: how a member came to lead.
Read next: votes.py.
"""

from tests.simulation.oracles.oracle import Oracle


class ElectionSafety(Oracle):
    """Knows who led each term."""

    name = "election safety"

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}

    def led(self, node: str, term: int) -> None:
        """A member says that it leads."""
        leader = self._leaders.setdefault(term, node)
        if leader != node:
            raise self.broken(f"term {term} has two leaders, {leader} and {node}")
