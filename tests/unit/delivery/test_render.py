"""The copies in manifests and charts are what `make render` writes."""

from pathlib import Path

import pytest
import yaml

from replog_operator.definitions import DEFINITIONS
from tests.support.render import ROOT, kept, rendered

COPIES = rendered()


@pytest.mark.parametrize("path", COPIES)
def test_a_copy_is_what_its_source_says(path: str) -> None:
    assert (ROOT / path).read_text() == COPIES[path], f"{path} is another: run `make render`"


def test_a_chart_keeps_definitions_and_changes_nothing_else() -> None:
    for name in DEFINITIONS:
        manifest = yaml.safe_load(COPIES[f"manifests/crds/{name}"])
        chart = yaml.safe_load(COPIES[f"charts/replicated-log-crds/templates/{name}"])
        assert chart["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert chart == manifest


def test_a_description_of_a_spec_stays_as_it_is() -> None:
    text = "kind: A\nmetadata:\n  name: a\nspec:\n  spec:\n"

    assert yaml.safe_load(kept(text))["spec"] == {"spec": None}


def test_charts_hold_no_definition_that_is_not_rendered() -> None:
    there = {
        path.name for path in Path(ROOT, "charts/replicated-log-crds/templates").glob("*.yaml")
    }

    assert there == set(DEFINITIONS)
