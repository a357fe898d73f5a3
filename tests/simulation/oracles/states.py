"""Equal state at equal offset: applying is a function of the log and of nothing else.

Decides: that. Must not know: what a state holds.
Read next: snapshots.py.
"""

from tests.simulation.oracles.oracle import Oracle


class EqualStates(Oracle):
    """Knows the digest of the state at each offset, as the first member there had it."""

    name = "equal states"

    def __init__(self) -> None:
        self._digests: dict[int, bytes] = {}

    def reached(self, node: str, offset: int, digest: bytes) -> None:
        """A member's state is this one, at this offset."""
        if self._digests.setdefault(offset, digest) != digest:
            raise self.broken(f"{node} has another state at {offset} than another member had")
