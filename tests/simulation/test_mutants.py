"""The simulation catches known bugs: each is put back, and must be seen.

A mutant that isn't caught means a check that proves nothing. Where a piece of source has changed,
the tables in mutants_*.py are to follow it.
"""

from pathlib import Path

import pytest

from tests.simulation.directed import SCENARIOS, run_directed
from tests.simulation.faults import KINDS
from tests.simulation.faults.moments import FOCUSED
from tests.simulation.mutants import MUTANTS, WANTED
from tests.simulation.mutants_table import PAGE, names_in, row
from tests.simulation.mutation import Mutant, hunt, put_in
from tests.simulation.profiles import FOCUSES, PROFILES

SEEN = [mutant for mutant in MUTANTS if not mutant.unseen]
DIRECTED = [mutant for mutant in MUTANTS if mutant.scenario]


def _name(mutant: Mutant) -> str:
    return mutant.name.replace(" ", "-")


def test_every_bug_by_name_and_every_ordering_rule_has_its_mutant() -> None:
    assert {mutant.shows for mutant in MUTANTS} - {""} == set(WANTED)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 36


def test_a_profile_names_kinds_of_faults_that_there_are() -> None:
    assert {kind for profile in PROFILES.values() for kind in profile} <= set(KINDS)
    assert {kind for focus in FOCUSES.values() for kind in focus.kinds} <= {*KINDS, *FOCUSED}


def test_each_piece_that_a_mutant_replaces_is_in_the_source_once(tmp_path: Path) -> None:
    for number, mutant in enumerate(MUTANTS):
        put_in(mutant, tmp_path / str(number))


def test_the_document_lists_every_mutant_and_why_one_is_not_caught_yet() -> None:
    page = PAGE.read_text()
    assert names_in(page) == [mutant.name for mutant in MUTANTS]
    assert [
        mutant.name for mutant in MUTANTS if mutant.unseen and row(mutant, None) not in page
    ] == []


@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutant", SEEN, ids=_name)
def test_a_known_bug_is_caught_by_a_seed(mutant: Mutant, tmp_path: Path) -> None:
    copy, clean = tmp_path / "copy", tmp_path / "clean"
    put_in(mutant, copy)
    found = hunt(mutant, copy)
    assert found is not None, f"no seed noticed that {mutant.name}"
    if mutant.focus:  # the swarm's own seeds are run without a bug by test_swarm.py
        assert hunt(mutant, clean, [found.seed]) is None, f"seed {found.seed} fails without it"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mutant", DIRECTED, ids=_name)
def test_a_known_bug_is_caught_by_its_scenario(mutant: Mutant, tmp_path: Path) -> None:
    put_in(mutant, tmp_path)
    assert hunt(mutant, tmp_path, directed=True) is not None, f"nothing noticed that {mutant.name}"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", SCENARIOS)
def test_without_a_bug_the_scenario_passes(name: str) -> None:
    run_directed(name)
