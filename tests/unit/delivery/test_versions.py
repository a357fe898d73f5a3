"""One version: of the distribution, of the charts, of the image that manifests and pages name."""

import re
from typing import Any

import pytest
import yaml

from tests.unit.house.files import project_files, text_of
from tests.unit.house.test_layout import PROJECT

VERSION = PROJECT["version"]
CHARTS = [path for path in project_files("Chart.yaml") if path.startswith("charts/")]
NAMED = re.compile(r"\breplicated-log:(\d[\w.]*\w)")


@pytest.mark.parametrize("path", CHARTS)
def test_a_chart_is_of_the_version_of_what_it_installs(path: str) -> None:
    chart: Any = yaml.safe_load(text_of(path))

    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert path == f"charts/{chart['name']}/Chart.yaml"


def test_there_is_a_chart_for_definitions_operator_and_log() -> None:
    assert len(CHARTS) == 3


@pytest.mark.parametrize(
    "path",
    ["README.md", "docs/operator.md", "manifests/operator/deployment.yaml"],
)
def test_the_image_is_named_by_that_version(path: str) -> None:
    assert set(NAMED.findall(text_of(path))) <= {VERSION}


@pytest.mark.parametrize("folder", ["manifests", "manifests/namespaced"])
def test_kustomize_names_the_image_by_that_version(folder: str) -> None:
    found: Any = yaml.safe_load(text_of(f"{folder}/kustomization.yaml"))

    assert [image["newTag"] for image in found["images"]] == [VERSION]
