"""What many runs did together, for people and for docs/testing.md.

Decides: what is counted. Must not know: how runs go. Read next: __main__.py.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from statistics import median
from typing import Final

from tests.simulation.swarm import APPENDS_MIN, STEPS_MIN, Result

TOTALS: Final = "simulation totals"
"""The property under which a test hands its totals on (tests/conftest.py)."""


@dataclass
class Totals:
    """Sums over runs. weak: seeds that did too little to prove anything.

    needed_all: those in which everybody had to be healed at once, so that no majority was tried.
    """

    seeds: int = 0
    events: int = 0
    simulated_s: float = 0.0
    steps: list[int] = field(default_factory=list)
    appends: list[int] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    effects: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    needed_all: int = 0
    weak: list[int] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a run."""
        self.seeds += 1
        self.events += result.events
        self.simulated_s += result.simulated_s
        self.steps.append(result.steps)
        self.appends.append(result.appends)
        self.hits.append(result.effects.total())
        self.faults += result.faults
        self.effects += result.effects
        self.answers += result.answers
        self.needed_all += result.needed_all
        enough = result.steps >= STEPS_MIN and result.appends >= APPENDS_MIN
        if not enough or not result.effects:
            self.weak.append(result.seed)

    def merge(self, other: Totals) -> None:
        """Count all runs that another has counted."""
        self.seeds += other.seeds
        self.events += other.events
        self.simulated_s += other.simulated_s
        self.steps += other.steps
        self.appends += other.appends
        self.hits += other.hits
        self.faults += other.faults
        self.effects += other.effects
        self.answers += other.answers
        self.needed_all += other.needed_all
        self.weak += other.weak

    def encode(self) -> str:
        """As text, for another process."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return json.dumps(plain)

    @staticmethod
    def decode(text: str) -> Totals:
        """From such a text."""
        given = json.loads(text)
        given.update({key: Counter(given[key]) for key in ("faults", "effects", "answers")})
        return Totals(**given)

    def lines(self) -> list[str]:
        """What was done, a line each."""
        if not self.seeds:
            return ["no seed was run"]
        return [
            f"{self.seeds} seeds, {self.events:,} events, {self.simulated_s / 3600:.1f} h of "
            f"simulated time",
            f"a seed in the middle: {median(self.steps):.0f} core steps, "
            f"{median(self.appends):.0f} acknowledged appends, "
            f"{median(self.hits):.0f} faults that took effect",
            f"the least of a seed: {min(self.steps)} core steps, {min(self.appends)} "
            f"acknowledged appends, {min(self.hits)} faults that took effect",
            f"a majority was enough to go on in {self.seeds - self.needed_all} seeds, and in "
            f"{self.needed_all} everybody was healed at once",
            "clients were told: "
            + ", ".join(f"{k} {self.answers[k]}" for k in sorted(self.answers)),
            "faults that took effect, of those struck: "
            + ", ".join(f"{k} {self.effects[k]}/{self.faults[k]}" for k in sorted(self.faults)),
        ]
