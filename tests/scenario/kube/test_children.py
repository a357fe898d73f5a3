"""Each file of testdata/ says what is wanted, in its first document, and every child of that.

`make rewrite` writes what is true now. A changed pod template restarts the pods of every log when
the operator is upgraded, so look twice at a difference there.

Decides: the files' form. Must not know: what is right (the files say).
Read next: ../test_scenarios.py.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from replog_operator.kube.children.all import children
from replog_operator.kube.children.claim import data_claim
from replog_operator.kube.children.wanted import OperatorPods, Template, Wanted

FILES = sorted((Path(__file__).parent / "testdata").glob("*.yaml"))


def wanted_of(said: dict[str, Any]) -> Wanted:
    """The first document as the value that builders take."""
    fields = dict(said)
    template: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in fields.pop("template", {}).items()
    }
    operator = fields.pop("operator", None)
    return Wanted(
        **fields,
        template=Template(**template),
        operator=None if operator is None else OperatorPods(**operator),
    )


def shown(said: dict[str, Any]) -> str:
    """The whole file as it should be: what is wanted, its children, and the claim of ordinal 0."""
    wanted = wanted_of(said)
    documents = [said, *children(wanted), data_claim(wanted, 0, owned=wanted.replicas == 1)]
    return yaml.dump_all(documents, Dumper=yaml.SafeDumper, sort_keys=False, explicit_start=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_children_are_what_the_scenario_says(path: Path, request: pytest.FixtureRequest) -> None:
    opening, _, text = path.read_text().partition("\n---")
    said = next(yaml.safe_load_all("---" + text))
    true = f"{opening}\n{shown(said)}"
    if request.config.getoption("--rewrite"):
        path.write_text(true)
    assert path.read_text() == true


def test_each_scenario_opens_with_what_it_shows() -> None:
    assert {path.stem for path in FILES} >= {"one", "three", "five", "everything"}
    for path in FILES:
        assert path.read_text().startswith("# "), f"{path.name} begins with what it shows"
