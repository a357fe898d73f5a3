"""`make coverage`: which lines and branches of core, driver, storage and state simulation reaches.

It runs seeds of the swarm and of each focus, the directed simulations with the catalogue's, and the
rigs (drivers on stores over simulated disks and a hand that delivers each message; stores that die
at each call of such a disk), in processes of their own under branch coverage, and adds them up.

Decides: what counts as simulation. Must not know: what is covered.
Read next: coverage.ini, swarm.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.simulation.mutation import ROOT
from tests.simulation.profiles import FOCUSES
from tests.simulation.swarm import run_seed

CONFIG: Final = ROOT / "tests" / "simulation" / "coverage.ini"
DIRECTED: Final = ("tests/simulation", "tests/catalogue")
NOT_DIRECTED: Final = ("test_mutants.py", "test_swarm.py", "test_totals.py")
"""Of the simulation's tests: those that start processes of their own, which are not seen."""

RIGS: Final = ("tests/unit/driver", "tests/unit/storage")
"""Real drivers and stores, simulated disks and networks, one moment made on purpose each."""

AT_ONCE: Final = 2
CHUNK: Final = 10
"""Seeds of one process."""

LEAST_PERCENT: Final = 95
COVERAGE: Final = (sys.executable, "-m", "coverage")


PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=900")


def parts(first: int, last: int) -> list[list[str]]:
    """Arguments of `coverage run` for each process, the rigs aside."""
    ignored = [f"--ignore=tests/simulation/{name}" for name in NOT_DIRECTED]
    found = [[*PYTEST, *ignored, *DIRECTED]]
    me = ["-m", "tests.simulation.coverage", "--inner"]
    for focus in ("", *FOCUSES):
        seeds = range(first, last + 1 if not focus else first + CHUNK)
        for at in range(seeds.start, seeds.stop, CHUNK):
            found.append([*me, focus, str(at), str(min(at + CHUNK, seeds.stop))])
    return found


def run_part(arguments: Sequence[str], data: Path) -> int:
    """Run one process under coverage; its data goes into files that begin with this name."""
    return subprocess.run(
        [sys.executable, "-m", "coverage", "run", f"--rcfile={CONFIG}", f"--data-file={data}",
         *arguments],
        cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(("node", "operator", "."))},
    ).returncode  # fmt: skip


def measure(first: int, last: int, keep: Path | None) -> int:
    """Run all, print two reports; 0 if everything held and both reach LEAST_PERCENT.

    keep: a folder in which the data stay, for a look at what was not reached.
    """
    with TemporaryDirectory() as folder:
        data = (keep or Path(folder)) / "data"
        data.parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            codes = list(pool.map(lambda part: run_part(part, data), parts(first, last)))
        alone = float(added_up(data))
        sys.stdout.write(f"without the rigs, in percent: {alone}, at least {LEAST_PERCENT}\n")
        codes.append(int(alone < LEAST_PERCENT))
        codes.append(run_part([*PYTEST, *RIGS], data))
        added_up(data)
        least = f"--fail-under={LEAST_PERCENT}"
        report = [*COVERAGE, "report", f"--rcfile={CONFIG}", f"--data-file={data}", least]
        codes.append(subprocess.run(report, cwd=ROOT, check=False).returncode)
    return int(any(codes))


def added_up(data: Path) -> str:
    """Make one of all data so far; what it covers, in percent."""
    common = [f"--rcfile={CONFIG}", f"--data-file={data}"]
    combine = [*COVERAGE, "combine", "-q", "--append", *common, str(data.parent)]
    subprocess.run(combine, cwd=ROOT, check=True)
    total = [*COVERAGE, "report", *common, "--format=total", "--fail-under=0"]
    return subprocess.run(total, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def inner(focus: str, first: int, end: int) -> int:
    """Run seeds in this process."""
    for seed in range(first, end):
        run_seed(seed, focus)
    return 0


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="make coverage")
    parser.add_argument("--seeds", default="1..60", help="of the swarm: first..last")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the data there")
    parser.add_argument("--inner", nargs=3, metavar=("FOCUS", "FIRST", "END"))
    given = parser.parse_args()
    if given.inner is not None:
        focus, first, end = given.inner
        return inner(focus, int(first), int(end))
    first, last = map(int, given.seeds.split(".."))
    return measure(first, last, given.keep)


if __name__ == "__main__":
    sys.exit(main())
