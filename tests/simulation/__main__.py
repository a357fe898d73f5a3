"""`python -m tests.simulation`: seeds, one or many, or for as long as one likes (make sim, soak).

Decides: what is run beside each other, and what is printed. Must not know: how a run goes.
Read next: swarm.py, failure.py.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from tests.simulation.failure import STOPS, attempt, report
from tests.simulation.plan import Plan, draw
from tests.simulation.pool import WORKERS, Many
from tests.simulation.profiles import FOCUSES
from tests.simulation.swarm import bring_up, play, result_of

WATCHED = ("node/replog_node/raft", "node/replog_node/driver", "node/replog_node/storage",
           "node/replog_node/state")  # fmt: skip
"""A soak counts from the last commit that changed one of these."""


def single(seed: int, focus: str, only: str | None, trace: Path | None) -> int:
    """Run one seed, all of its faults or some, and write its trace."""
    plan = draw(seed, focus)
    if only is not None:
        kept = [] if only == "none" else only.split(",")
        plan = plan.only(frozenset(map(int, kept)))
    if trace is not None:
        return traced(plan, trace)
    failure = attempt(plan)
    if failure is None:
        sys.stdout.write(f"seed {seed} holds, {len(plan.strikes)} faults\n")
        return 0
    sys.stdout.write(failure.text + "\n\n" + report(failure))
    return 1


def traced(plan: Plan, trace: Path) -> int:
    """Write what happened, up to the failure if there is one."""
    world, end = bring_up(plan), "stopped"
    try:
        play(world, plan)
        end = result_of(world).digest
    except STOPS as problem:
        end = f"{type(problem).__name__}: {problem}"
        sys.stdout.write(f"seed {plan.seed}: {end}\n")
        return 1
    finally:
        trace.write_text("\n".join((*world.clockwork.trace.lines, end)) + "\n")
    return 0


def commit() -> str:
    """The last commit that changed what is simulated."""
    told = subprocess.run(
        ["git", "log", "-1", "--format=%h", "--", *WATCHED],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return told.stdout.strip()


def soak(minutes: float | None, first: int, record: Path | None) -> int:
    """Run new seeds until stopped; add what was done to a file of results, a line a soak."""
    for each in (signal.SIGINT, signal.SIGTERM):  # a shell may have had SIGINT ignored
        signal.signal(each, signal.default_int_handler)
    began_s = time.monotonic()
    until_s = None if minutes is None else began_s + 60 * minutes
    runs = Many(until_s=until_s, shown=True)
    runs.run(count(first))
    totals, failures = runs.totals, runs.failures
    seconds = time.monotonic() - began_s
    head = f"soak of {commit()}, from seed {first} on: {seconds / 60:.1f} min on {WORKERS} cores"
    sys.stdout.write("\n".join((head, *totals.lines(), f"{len(failures)} failures")) + "\n")
    if record is not None:
        line = {
            "commit": commit(), "seconds": round(seconds), "first": first, "seeds": totals.seeds,
            "events": totals.events, "simulated_s": round(totals.simulated_s),
            "failures": len(failures), "effects": dict(totals.effects),
        }  # fmt: skip
        with record.open("a") as file:
            file.write(json.dumps(line) + "\n")
    return 1 if failures else 0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--only", help="of its faults only these numbers, or none")
    parser.add_argument("--focus", default="", choices=["", *FOCUSES], help="on one sort of bug")
    parser.add_argument("--trace", type=Path, help="write what happened into this file")
    parser.add_argument("--seeds", default="1..100", help="first..last")
    parser.add_argument("--first", type=int, help="of a soak; by default one that no soak had")
    parser.add_argument("--soak", action="store_true", help="until stopped")
    parser.add_argument("--minutes", type=float, help="of soaking")
    parser.add_argument("--record", type=Path, help="file of soaks")
    given = parser.parse_args()
    first, last = map(int, given.seeds.split(".."))
    new = int(time.time() * 100)
    if given.seed is not None:
        return single(given.seed, given.focus, given.only, given.trace)
    if given.soak:
        return soak(given.minutes, new if given.first is None else given.first, given.record)
    runs = Many(focus=given.focus)
    runs.run(iter(range(first, last + 1)))
    weak = f"seeds that did too little: {runs.totals.weak}"
    sys.stdout.write(
        "\n".join((*runs.totals.lines(), weak, f"{len(runs.failures)} failures")) + "\n"
    )
    return 1 if runs.failures or runs.totals.weak else 0


if __name__ == "__main__":
    sys.exit(main())
