"""One run: members, clients, faults, and then the count.

Decides: what makes a run a failure. Must not know: how each part works.
Read next: nemesis.py, verdict.py.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.processes import Refused
from tests.torture.clients import Load
from tests.torture.falsified import FALSIFIED, unseen
from tests.torture.faults.kinds import Fault
from tests.torture.lab import Lab, lab
from tests.torture.logs import differences, joint_phases, log_of, records, whole_log
from tests.torture.nemesis import EVERY_KIND_S, Nemesis
from tests.torture.oracles import simulation_oracles
from tests.torture.verdict import judge, totals

ACKNOWLEDGED_LEAST = 100
SHOWN = 5
"""Sentences of each kind of wrong that are printed."""


@dataclass
class Result:
    """What came of a run. wrong: empty when it is a success."""

    wrong: list[str] = field(default_factory=list)
    report: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self, made: Lab) -> Iterator[None]:
        """What fails in the block is wrong, and no reason not to look at the rest."""
        try:
            yield
        except (AssertionError, OSError, Refused) as problem:
            told = " ".join([str(problem), *getattr(problem, "__notes__", [])])
            self.wrong += [told, *made.complaints()]


@dataclass(frozen=True)
class Plan:
    """What a run is to do. patience_s: see Lab."""

    minutes: float
    seed: int
    faults: Sequence[Fault]
    patience_s: float


def torture(folder: Path, plan: Plan, tell: Callable[[str], None]) -> Result:
    """Torture members in `folder`; the room must be furnished (room.py)."""
    result = Result()
    with lab(folder, plan.minutes, plan.patience_s) as made:
        try:
            made.begin()
            nemesis = Nemesis(made, plan.faults, plan.seed, tell)
            with result.noting(made), Load(made.journal, made.endpoints):
                nemesis.run(plan.minutes * 60)
            result.report += ["", nemesis.table(), ""]
            if plan.minutes * 60 >= EVERY_KIND_S and (idle := nemesis.idle()):
                result.wrong.append(f"never took effect: {', '.join(idle)}")
            with result.noting(made):
                _judge(made, result)
        finally:
            made.journal.write(folder / "logs" / "history.jsonl")
    return result


def _judge(made: Lab, result: Result) -> None:
    """When all is quiet every member must show the same log, and it is what clients were told."""
    began_s = time.monotonic()
    made.settled(made.members, made.patience_s)
    converged_s = time.monotonic() - began_s
    logs = {member.name: log_of(member) for member in made.members}
    entries = whole_log(made.trimmed, logs[made.members[0].name])
    log = records(entries)
    verdict = judge(made.journal, log)
    result.wrong += differences(entries, logs) + joint_phases(entries, made.operations)
    result.wrong += made.journal.lies + made.alarms()
    for name, found in vars(verdict).items():
        result.wrong += [f"{name}: {each}" for each in found[:SHOWN]]
    if verdict.clean:
        result.wrong += unseen(made.journal, log)
    result.wrong += simulation_oracles(made.journal.history, entries)
    if made.journal.acknowledged < ACKNOWLEDGED_LEAST:
        result.wrong.append(f"only {made.journal.acknowledged} appends were acknowledged")
    slowest = f"well again after a fault within {made.slowest_well_s:.1f} s"
    counts = ", ".join(f"{count} {name}" for name, count in verdict.counts.items())
    result.report += [
        totals(made.journal, log),
        f"{len(logs)} members show the same {len(entries)} entries, some of them trimmed by now; "
        f"converged in {converged_s:.1f} s; {slowest}",
        f"falsified afterwards in {len(FALSIFIED)} ways, to see the count count",
        f"records: {counts}",
    ]
