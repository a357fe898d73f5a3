"""docs/testing.md tells which tests show what: they exist, and no promise is left out."""

import ast
import re
from functools import cache

from replog_node.storage.disk import Sync
from tests.docs.test_architecture import PATH
from tests.integration.durability import WAITS
from tests.unit.house.files import ROOT, project_files, text_of
from tests.unit.storage.test_each_sync import SITES

PAGE = "docs/testing.md"
NAMED = re.compile(r"`(tests/[^`\s]+\.py)::(\w+)(?:\[([^`]+)\])?`")
SYNC_TEST = "test_leaving_out_one_sync_loses_something"
REPAIR_TEST = "test_leaving_out_a_sync_of_a_repair_loses_what_was_repaired"
WAIT_TEST = "test_without_one_wait_something_is_said_that_may_be_lost"


@cache
def names_in(path: str) -> frozenset[str]:
    """The names of the test functions of a file; of none, when there is no such file."""
    if not (ROOT / path).is_file():
        return frozenset()
    return frozenset(
        node.name
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    )


def missing_from(text: str) -> list[str]:
    """The tests that a text names and that don't exist."""
    return [
        f"{path}::{name}" for path, name, _ in NAMED.findall(text) if name not in names_in(path)
    ]


def cases(text: str, test: str) -> list[str]:
    """The cases of a parametrized test that a text names."""
    return [case for _, name, case in NAMED.findall(text) if name == test]


def rows(title: str) -> dict[str, str]:
    """The rows of the table below a heading: first cell -> the rest."""
    (section,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text_of(PAGE), re.M | re.S
    )
    found = re.findall(r"^\| (.*?) \| (.*) \|$", str(section), re.M)
    return {first: rest for first, rest in found if first != "promise"}


def promises() -> list[str]:
    """What the README says that tests show."""
    (listed,) = re.findall(r"^Promised, .*?\n\n(.*?)\n\n", text_of("README.md"), re.M | re.S)
    return [line.removeprefix("- ").removesuffix(".") for line in str(listed).splitlines()]


def test_every_test_that_a_document_names_exists() -> None:
    missing = {path: missing_from(text_of(path)) for path in project_files(".md")}

    assert {path: names for path, names in missing.items() if names} == {}
    assert len(NAMED.findall(text_of(PAGE))) > 60


def test_a_test_that_is_gone_is_seen() -> None:
    here = "tests/docs/test_shown.py"

    assert missing_from(f"`{here}::test_a_test_that_is_gone_is_seen`") == []
    assert missing_from(f"`{here}::test_of_yore`") == [f"{here}::test_of_yore"]
    assert missing_from("`tests/docs/test_nowhere.py::test_a`") == [
        "tests/docs/test_nowhere.py::test_a"
    ]
    assert PATH.findall("`tests/gone.py::test_a[b c]`") == ["tests/gone.py"]


def test_every_promise_of_the_readme_has_its_tests() -> None:
    shown = rows("What is promised, and which tests show it")

    assert promises() == list(shown)
    assert len(shown) >= 5
    assert [promise for promise, tests in shown.items() if not NAMED.search(tests)] == []


def test_every_sync_names_the_test_that_shows_its_need() -> None:
    named = cases(text_of(PAGE), SYNC_TEST)

    assert named == [f"{site.why.name} {site.copy}".strip() for site in SITES]
    elsewhere = {Sync.MARK.name, *cases(text_of(PAGE), REPAIR_TEST)}
    assert {name.split()[0] for name in named} | elsewhere == {sync.name for sync in Sync}


def test_every_wait_for_the_disk_names_the_test_that_shows_its_need() -> None:
    assert cases(text_of(PAGE), WAIT_TEST) == list(WAITS)
