"""Injects faults one after the other, some at the same time, and counts which took effect.

Every kind is dealt from a shuffled deck before any comes again. After each, all must be well again
within a bound; so it is known which fault it was that something didn't survive.

Decides: when which fault happens, from a seed. Must not know: what a fault does.
Read next: faults/kinds.py, verdict.py.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random

from tests.torture.faults.kinds import Fault, Seen
from tests.torture.lab import Lab

EVERY_KIND_S = 290.0
"""In a run of so long each kind of fault must take effect."""

TOGETHER = 0.5
"""How often a fault that allows it has another one beside it."""


@dataclass
class Tally:
    """One kind's count. seen: what was seen of each, in order."""

    injected: int = 0
    seen: list[Seen] = field(default_factory=list)

    @property
    def effects(self) -> int:
        """How many took effect."""
        return sum(each.effect for each in self.seen)


class Nemesis:
    """A run's faults. tell: a line about each, for people."""

    def __init__(
        self, lab: Lab, faults: Sequence[Fault], seed: int, tell: Callable[[str], None]
    ) -> None:
        self.tallies = {fault.name: Tally() for fault in faults}
        self._lab = lab
        self._faults = list(faults)
        self._random = Random(seed)
        self._seed = seed
        self._tell = tell
        self._deck: list[Fault] = []
        self._number = 0
        self._began_s = time.monotonic()

    def run(self, seconds: float) -> None:
        """Go on for so long, or longer on a slow machine: until every kind has taken effect.

        In a short run not every kind need be there. It never takes more than twice as long.
        """
        while self._since_s() < seconds:
            self._round(self._deal())
        while seconds >= EVERY_KIND_S and self.idle() and self._since_s() < 2 * seconds:
            self._round([next(f for f in self._faults if f.name in self.idle())])

    def _since_s(self) -> float:
        return time.monotonic() - self._began_s

    def _round(self, faults: Sequence[Fault]) -> None:
        with ThreadPoolExecutor(len(faults)) as pool:
            under_way = [pool.submit(self._inject, fault, self._next()) for fault in faults]
        for done in under_way:
            done.result()
        self._lab.all_well()

    def _deal(self) -> list[Fault]:
        """Take the next fault from the deck, and now and then one that may be beside it."""
        if not self._deck:
            self._deck = self._random.sample(self._faults, len(self._faults))
        first = self._deck.pop()
        fitting = [
            f for f in self._deck if not (f.alone or first.alone or f.family == first.family)
        ]
        if not fitting or self._random.random() >= TOGETHER:
            return [first]
        self._deck.remove(fitting[-1])
        return [first, fitting[-1]]

    def _next(self) -> Random:
        """What one fault draws from: by its number, so that threads don't disturb each other."""
        self._number += 1
        return Random(f"{self._seed}/{self._number}")

    def _inject(self, fault: Fault, random: Random) -> None:
        tally = self.tallies[fault.name]
        tally.injected += 1
        began_s = time.monotonic()
        try:
            seen = fault.inject(self._lab, random)
        except BaseException as problem:
            problem.add_note(f"while this was injected: {fault.name}")
            raise
        tally.seen.append(seen)
        took_s = time.monotonic() - began_s
        at_s, mark = began_s - self._began_s, "" if seen.effect else "NO EFFECT: "
        line = f"{at_s:6.1f} … {at_s + took_s:6.1f} s  {fault.name:26}  {mark}{seen.evidence}"
        self._tell(line)

    def idle(self) -> list[str]:
        """The kinds that never took effect."""
        return [name for name, tally in self.tallies.items() if not tally.effects]

    def table(self) -> str:
        """How often each kind was injected and took effect, with an example of the evidence."""
        lines = [f"{'fault':28} {'injected':>8} {'effect':>6}  evidence (the last)"]
        for name, tally in self.tallies.items():
            last = tally.seen[-1].evidence if tally.seen else "-"
            lines.append(f"{name:28} {tally.injected:8} {tally.effects:6}  {last[:110]}")
        return "\n".join(lines)
