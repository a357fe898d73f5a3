"""A known bug, put back into a copy of the node, and the hunt for the first seed that shows it.

Decides: what a mutant is, and how one is run: in a process of its own, on a copy of the package.
Must not know: which bugs there are (mutants.py), how a bug shows (checks.py, oracles/).
Read next: mutants.py, test_mutants.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.simulation.directed import run_directed
from tests.simulation.swarm import run_seed

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGE: Final = ROOT / "node" / "replog_node"

SEEDS: Final = range(1, 51)
"""The seeds of the short random run, in their order: one of them must show each bug."""

CAUGHT: Final = 3
"""The exit status of a process that found something."""

HUNT_S: Final = 400
"""How long all seeds of one mutant may take, real time."""

SLIPS: Final = (NameError, ImportError, SyntaxError, AttributeError, TypeError)
"""What a mutant that was written wrongly ends with. It proves nothing."""


@dataclass(frozen=True)
class Edit:
    """file: in the package; old: a piece that it holds once; new: what takes its place."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """A bug that somebody had. name: what goes wrong; source: who had it, or which rule it breaks.

    shows: the row of mutants.WANTED that it stands for, if any; edits: where it is put back;
    focus: of profiles.FOCUSES, in which the seeds are run, "" for the swarm's own; scenario: of
    directed.py, that catches it without chance; unseen: why no seed of the short run
    shows it yet, "" for all that one does show.
    """

    name: str
    source: str
    edits: tuple[Edit, ...]
    shows: str = ""
    focus: str = ""
    scenario: str = ""
    unseen: str = ""


@dataclass(frozen=True)
class Found:
    """The first seed that showed a bug, and what was seen."""

    seed: int
    what: str


class Slip(Exception):
    """The mutant itself is wrong: its piece is gone, or what took its place doesn't run."""


def put_in(mutant: Mutant, into: Path) -> None:
    """Copy the package with the bug in it. Raises Slip unless each piece is there exactly once."""
    copy = into / "replog_node"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for edit in mutant.edits:
        path = copy / edit.file
        source = path.read_text()
        if source.count(edit.old) != 1:
            times = source.count(edit.old)
            raise Slip(f"{mutant.name}: {edit.file} holds its piece {times}×:\n{edit.old}")
        path.write_text(source.replace(edit.old, edit.new))


def hunt(
    mutant: Mutant, into: Path, seeds: Sequence[int] = SEEDS, *, directed: bool = False
) -> Found | None:
    """Run the seeds on the copy until one shows the bug; with directed, its scenario alone."""
    asked = [mutant.scenario] if directed else [f"{seed}:{mutant.focus}" for seed in seeds]
    paths = (into, ROOT / "node", ROOT / "operator", ROOT)
    done = subprocess.run(
        [sys.executable, "-m", "tests.simulation.mutation", *asked],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        cwd=ROOT, capture_output=True, text=True, timeout=HUNT_S, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return None
    if done.returncode != CAUGHT:
        raise Slip(f"{mutant.name} did not even run: {done.stderr[-2000:]}")
    return Found(**json.loads(done.stdout.splitlines()[-1]))


def _caught(problem: BaseException) -> str:
    """The first line of what was seen."""
    said = str(problem).splitlines() or [""]
    return f"{type(problem).__name__}: {said[0]}"


def _is_slip(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, SLIPS):
            return True
        problem = problem.__cause__
    return False


def main(*asked: str) -> int:
    """Run seeds, or one scenario, until something is found; tell it as the last line."""
    for each in asked:
        try:
            seed, colon, focus = each.partition(":")
            if colon:
                run_seed(int(seed), focus)
            else:
                run_directed(each)
        except Exception as problem:
            if _is_slip(problem):
                raise
            found = {"seed": int(seed) if colon else 0, "what": _caught(problem)}
            sys.stdout.write(json.dumps(found) + "\n")
            return CAUGHT
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
