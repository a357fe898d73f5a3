"""Every file of testdata/ still tells the truth. `make rewrite` writes what is true now."""

from pathlib import Path

import pytest

from tests.scenario.script import parse, played, rendered

FILES = sorted((Path(__file__).parent / "testdata").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_follows_is_what_the_scenario_says(path: Path, request: pytest.FixtureRequest) -> None:
    steps = played(path)
    if request.config.getoption("--rewrite"):
        path.write_text(rendered(steps))
    for said, true in zip(parse(path.read_text()), steps, strict=True):
        assert true.outcome == said.outcome, f"{path.name}: {true.command}"


def test_there_are_scenarios_and_each_says_what_it_shows() -> None:
    assert len(FILES) >= 18
    for path in FILES:
        assert path.read_text().startswith("# "), f"{path.name} begins with what it shows"


def test_a_wrong_outcome_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text("# shows nothing\ncluster abc\n----\nnobody\n")
    (said,) = parse(path.read_text())
    (true,) = played(path)
    assert said.outcome != true.outcome
