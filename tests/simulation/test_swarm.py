"""A thousand seeds in every run of the tests, and what they did together at its end.

A failure prints one command that replays it, the file of its trace, and a shorter run that fails,
too (failure.py). `make sim SEEDS=1..5000` runs others, `make soak` always new ones.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.failure import STOPS, attempt, report, shorten
from tests.simulation.plan import draw
from tests.simulation.swarm import run_plan, run_seed
from tests.simulation.totals import TOTALS, Totals

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 1000
TOGETHER = 25
"""Seeds of one test: so many that the two workers of a run are busy to its end."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, TOGETHER))
def test_every_seed_keeps_every_promise(first: int, record_property: pytest.FixtureRequest) -> None:
    totals = Totals()
    for seed in range(first, first + TOGETHER):
        try:
            totals.add(run_seed(seed))
        except STOPS as problem:
            failure = attempt(draw(seed))
            once = f"seed {seed} failed, and again it didn't: {problem}"
            pytest.fail(once if failure is None else report(failure), pytrace=False)
    assert not totals.weak, f"these did too little to prove anything: {totals.weak}"
    record_property(TOTALS, totals.encode())  # type: ignore[operator]


@pytest.mark.timeout(120)
def test_two_processes_with_different_hash_seeds_write_the_same_trace(tmp_path: Path) -> None:
    traces = []
    for hash_seed in ("1", "2"):
        trace = tmp_path / f"{hash_seed}.trace"
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "7", "--trace", trace],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, cwd=ROOT, check=True, timeout=100,
        )  # fmt: skip
        traces.append(trace.read_bytes())
    assert traces[0] == traces[1]
    assert traces[0].count(b"\n") > 1000


def test_another_seed_is_another_run() -> None:
    assert run_plan(draw(7)).digest != run_plan(draw(8)).digest


@pytest.mark.timeout(300)
def test_a_failure_is_shortened_to_the_faults_that_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Let every pause be a fault of the system, and see that only a pause is left."""
    from tests.simulation.node import SimNode

    def refuse(*_: object) -> None:
        raise AssertionError("a pause")

    monkeypatch.setattr(SimNode, "pause", refuse)
    seed = next(s for s in range(1, 200) if any(k.kind == "pause" for k in draw(s).strikes[2:]))
    failure = attempt(draw(seed))
    assert failure is not None
    short = shorten(failure)
    assert [strike.kind for strike in short.plan.strikes] == ["pause"]
    assert short.command == f"make sim SEED={seed} ONLY={short.plan.strikes[0].number}"
    assert "a pause" in short.line and attempt(short.plan) is not None
