"""What a failing seed leaves behind: one command, a trace to read, and a shorter run that fails.

The shorter run has fewer faults. Each fault carries its own luck, so leaving one out changes no
other; what happens between them does change, so the shorter run may fail in another way: it says.

Decides: how to shorten, and what is written where. Must not know: faults, oracles.
Read next: plan.py, events.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation.plan import Plan, draw
from tests.simulation.swarm import bring_up, play
from tests.simulation.world import World

STOPS: Final = (Exception,)
"""What a failing run ends with: a check that fails, a member that stops in place of going wrong,
or whatever else nobody has thought of.
"""

TRIES_MAX: Final = 40
"""Runs spent on shortening."""


@dataclass(frozen=True)
class Failure:
    """What went wrong, in one line and whole; the run's faults; the trace."""

    plan: Plan
    line: str
    text: str
    trace: tuple[str, ...]

    @property
    def command(self) -> str:
        """What replays it."""
        whole = len(draw(self.plan.seed, self.plan.focus).strikes) == len(self.plan.strikes)
        only = ",".join(str(strike.number) for strike in self.plan.strikes)
        focus = f" FOCUS={self.plan.focus}" if self.plan.focus else ""
        part = "" if whole else f" ONLY={only or 'none'}"
        return f"make sim SEED={self.plan.seed}{focus}{part}"


def attempt(plan: Plan) -> Failure | None:
    """Run a plan; return its failure, if it has one."""
    world: World | None = None
    try:
        world = bring_up(plan)
        play(world, plan)
    except STOPS as problem:
        text = f"{type(problem).__name__}: {problem}"
        lines = () if world is None else tuple(world.clockwork.trace.lines)
        return Failure(plan, text.splitlines()[0], text, lines)
    return None


def shorten(failure: Failure, tried: Callable[[int], None] = lambda left: None) -> Failure:
    """Leave out as many faults as possible (Zeller's ddmin), within TRIES_MAX runs.

    tried: told after each run how many faults are left.
    """
    best, pieces, tries = failure, 2, 0
    while len(best.plan.strikes) > 0 and tries < TRIES_MAX:
        numbers = [strike.number for strike in best.plan.strikes]
        size = max(1, len(numbers) // pieces)
        for at in range(0, len(numbers), size):
            tries += 1
            kept = frozenset(numbers[:at] + numbers[at + size :])
            found = attempt(best.plan.only(kept))
            tried(len(best.plan.strikes))
            if found is not None:
                best, pieces = found, max(2, pieces - 1)
                break
            if tries >= TRIES_MAX:
                break
        else:
            if size == 1:
                break
            pieces = min(len(numbers), pieces * 2)
    return best


def report(failure: Failure, *, into: Path | None = None) -> str:
    """Shorten it, write both traces, and say how to go on."""
    short = shorten(failure)
    folder = Path(tempfile.gettempdir()) / "replog-simulation" if into is None else into
    folder.mkdir(parents=True, exist_ok=True)
    whole_file = folder / f"seed-{failure.plan.seed}.trace"
    short_file = folder / f"seed-{failure.plan.seed}-short.trace"
    whole_file.write_text("\n".join((*failure.trace, failure.text)) + "\n")
    short_file.write_text("\n".join((*short.trace, short.text)) + "\n")
    faults = ", ".join(f"#{s.number} {s.kind} at {s.at_ms} ms" for s in short.plan.strikes)
    return (
        f"seed {failure.plan.seed}: {failure.line}\n"
        f"  again: {failure.command}\n"
        f"  trace: {whole_file} ({len(failure.trace)} events)\n"
        f"  with {len(short.plan.strikes)} of {len(failure.plan.strikes)} faults: {short.line}\n"
        f"  again: {short.command}\n"
        f"  trace: {short_file} ({len(short.trace)} events)\n"
        f"  its faults: {faults or 'none'}\n"
    )
