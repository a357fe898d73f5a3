"""The simulation catches known bugs: each is put back, and must be seen.

A mutant that isn't caught means a check that proves nothing. Where a piece of source has changed,
the table in mutants.py is to follow it.
"""

from pathlib import Path

import pytest

from tests.simulation.directed import SCENARIOS, run_directed
from tests.simulation.mutants import MUTANTS, Mutant, harsh, put_in, run


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_known_bug_is_caught(mutant: Mutant, tmp_path: Path) -> None:
    put_in(mutant, tmp_path)
    caught = run(mutant, tmp_path)
    assert caught is not None, f"nothing noticed that {mutant.name}"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_bug_the_scenario_passes(name: str) -> None:
    run_directed(name)


@pytest.mark.timeout(180)
def test_without_a_bug_the_seeds_that_catch_one_pass() -> None:
    runs = {(m.seed, m.members, m.change) for m in MUTANTS if not m.scenario}
    for seed, members, change in sorted(runs):
        harsh(seed, members=members, change=change)
