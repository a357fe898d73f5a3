"""Every file of testdata/ still tells the truth. `make rewrite` writes what is true now."""

from pathlib import Path

import pytest

from tests.scenario.planner.player import played
from tests.scenario.script import parse, rendered

FILES = sorted((Path(__file__).parent / "testdata").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_planner_does_what_the_scenario_says(
    path: Path, request: pytest.FixtureRequest
) -> None:
    steps = played(path)
    if request.config.getoption("--rewrite"):
        path.write_text(rendered(steps))
    for said, true in zip(parse(path.read_text()), steps, strict=True):
        assert true.outcome == said.outcome, f"{path.name}: {true.command}"


def test_each_way_that_a_log_goes_has_its_scenario() -> None:
    assert len(FILES) >= 17
    for path in FILES:
        assert path.read_text().startswith("# "), f"{path.name} begins with what it shows"
