"""What leaders have committed, in order: the moment at which an entry is there for good.

Decides: nothing. Must not know: what must hold.
Read next: quorum.py, which fills it, completeness.py.
"""

from bisect import bisect_right

from tests.simulation.oracles.chains import Chains


class Commits:
    """Grows with each commit of a leader. by_term: how far the leader of each term came, a place
    of `chains`."""

    def __init__(self, chains: Chains) -> None:
        self._chains = chains
        self._lasts: list[int] = []
        self._ends: list[bytes] = []
        self.by_term: dict[int, int] = {}

    @property
    def end(self) -> int:
        """The last committed offset; -1 before any."""
        return self._lasts[-1] if self._lasts else -1

    def upto(self, offset: int) -> bytes | None:
        """The chain of the last committed entry that ends at or below this offset."""
        place = bisect_right(self._lasts, offset) - 1
        return self._ends[place] if place >= 0 else None

    def at(self, offset: int) -> bytes | None:
        """The chain of the committed entry that ends right there."""
        place = bisect_right(self._lasts, offset) - 1
        return self._ends[place] if place >= 0 and self._lasts[place] == offset else None

    def extend(self, chain: bytes, term: int) -> bool:
        """The leader of a term commits up to the entry with this chain.

        False if that isn't the continuation of what was committed before; then nothing is changed.
        """
        found: list[tuple[int, bytes]] = []
        link = self._chains.link(chain)
        while link is not None and link.last > self.end:
            found.append((link.last, chain))
            chain = link.parent
            link = self._chains.link(chain)
        if found and chain != (self._ends[-1] if self._ends else b""):
            return False
        for last, end in reversed(found):
            self._lasts.append(last)
            self._ends.append(end)
        self.by_term[term] = max(self.by_term.get(term, -1), self.end)
        return True

    def before(self, term: int) -> int:
        """How far leaders of terms before this one have committed; -1: nowhere."""
        return max((end for led, end in self.by_term.items() if led < term), default=-1)
