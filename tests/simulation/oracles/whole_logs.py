"""At the end of a run the members' logs are equal, entry by entry and byte by byte.

What was watched on the way is what somebody applied or read; this is what lies on each disk now,
from the first entry that a member still has up to the last that it knows to be committed.

Decides: that. Must not know: how a log is read.
Read next: frames.py, machine.py.
"""

from collections.abc import Iterable
from itertools import pairwise

from replog_node.model.entries import Entry
from tests.simulation.oracles.oracle import Oracle


class EqualLogs(Oracle):
    """Is shown each member's whole log, once, and keeps each entry as the first one had it."""

    name = "equal logs"

    def __init__(self) -> None:
        self._known: dict[int, tuple[Entry, str]] = {}

    def shown(self, node: str, entries: Iterable[Entry], *, first: int, last: int) -> None:
        """This member's log: all of its entries from the one at `first` to the one at `last`."""
        log = list(entries)
        ends = (log[0].base, log[-1].last) if log else (first, first - 1)
        if ends != (first, last):
            raise self.broken(f"{node} reads {ends} where it has {(first, last)}")
        for before, behind in pairwise(log):
            if behind.base != before.last + 1:
                raise self.broken(f"{node} has {behind.base} behind {before.last}")
        for entry in log:
            known, whose = self._known.setdefault(entry.base, (entry, node))
            if (known.frame, known.chain) != (entry.frame, entry.chain):
                raise self.broken(f"{node} and {whose} have different entries at {entry.base}")
