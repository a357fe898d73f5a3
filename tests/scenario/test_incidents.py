"""Incidents: recordings of members that ended by a failure, done again in every run.

A recording (`NAME.flight`, docs/cli.md, "An incident becomes a scenario") lies beside what its
steps say (`NAME.txt`), so that a change of the core that changes one of them shows in a diff.
`make rewrite` writes what is true now.
"""

from itertools import takewhile
from pathlib import Path

import pytest

from replog_node.adapters.flights import replay_path

FILES = sorted((Path(__file__).parent / "incidents").glob("*.flight"))


def _about(text: str) -> str:
    """The comments with which a text begins."""
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


def _said(recording: Path) -> str:
    """A line a step; what differs from the recording stands below its step."""
    lines = []
    for step in replay_path(str(recording), to_the_end=True):
        lines.append(f"{step['step']:7} {step['line']}\n")
        if step["difference"] is not None:
            lines.append(f"        differs: {step['difference']}\n")
    return "".join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_incident_goes_as_it_is_written(path: Path, request: pytest.FixtureRequest) -> None:
    text = path.with_suffix(".txt")
    about, said = _about(text.read_text()), _said(path)
    assert about, f"{text.name} begins with what happened"
    if request.config.getoption("--rewrite"):
        text.write_text(about + said)
    assert text.read_text() == about + said


def test_there_is_an_incident() -> None:
    assert FILES
