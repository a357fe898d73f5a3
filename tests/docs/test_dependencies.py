"""Every dependency has its line and its reason, is locked, and is used."""

import re
import tomllib

import pytest

from tests.unit.house.files import ROOT, is_product, project_files, text_of

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORTED_AS = {
    "google-crc32c": "google_crc32c",
    "prometheus-client": "prometheus_client",
    "pyyaml": "yaml",
}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=;~ ]", requirement)[0].lower() for requirement in requirements}


OPERATOR = names(PROJECT["optional-dependencies"]["operator"])
RUNTIME = names(PROJECT["dependencies"]) | OPERATOR
TOOLS = names(PROJECT["optional-dependencies"]["dev"])


def test_every_dependency_has_its_line_and_no_line_is_of_another() -> None:
    first_cells = re.findall(r"^\| ([\w, -]+) \|", text_of("docs/dependencies.md"), re.MULTILINE)
    explained = {name.lower() for cell in first_cells for name in cell.split(", ")} - {"package"}
    assert sorted(explained) == sorted(RUNTIME | TOOLS)


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME | TOOLS)],
)
def test_a_lock_holds_what_is_wanted_with_hashes(lock: str, wanted: set[str]) -> None:
    locked = dict(re.findall(r"^([\w-]+)==\S+(.*)$", text_of(lock), re.MULTILINE))
    assert wanted - set(locked) == set()
    assert [name for name, rest in locked.items() if not rest.endswith("\\")] == []


@pytest.mark.parametrize("name", sorted(RUNTIME - OPERATOR))
def test_what_a_node_needs_is_imported_by_it(name: str) -> None:
    imported = re.compile(rf"^\s*(?:import|from) {IMPORTED_AS.get(name, name)}\b", re.MULTILINE)
    modules = [path for path in project_files(".py") if is_product(path)]
    assert [path for path in modules if imported.search(text_of(path))] != []
