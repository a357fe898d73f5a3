"""Which test tells the story of which known bug, and what docs/bugs.md says of it.

    @bug(4, "PySyncObj#169")
    def test_an_old_entry_on_a_majority_is_not_committed_by_that() -> None:

A row of the document is `| number | source, source | what went wrong | shown by |`. Its last cell
names tests as `tests/…py::test_…`; behind a test from elsewhere, and behind `cannot occur:` with
the reason, stand the sources that it is about, in brackets.

Decides: how a test is marked, what a row means.
Must not know: what the bugs are.
Read next: test_index.py, ../../docs/bugs.md.
"""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from tests.unit.house.files import ROOT

FOLDER: Final = Path(__file__).parent
DOCUMENT: Final = ROOT / "docs" / "bugs.md"
NUMBERS: Final = range(1, 50)
CANNOT: Final = "cannot occur:"
MARK: Final = "bugs_of_the_catalogue"
NAMED: Final = re.compile(r"`(tests/[^`\s]+\.py::\w+(?:\[[^`]+\])?)`")

Test = TypeVar("Test", bound=Callable[..., object])


class Bug(NamedTuple):
    """A number of the catalogue and the reports (of several) that a test is about."""

    number: int
    sources: tuple[str, ...]


class Story(NamedTuple):
    """A test of the catalogue: its id as pytest has it, and one bug that it is about."""

    test: str
    bug: Bug


class Row(NamedTuple):
    """A row of the document; shown: the last cell as it is written."""

    number: int
    sources: tuple[str, ...]
    what: str
    shown: str

    @property
    def tests(self) -> tuple[str, ...]:
        """The tests that it names."""
        return tuple(NAMED.findall(self.shown))


def bug(number: int, *sources: str) -> Callable[[Test], Test]:
    """Mark a test as the story of this bug; of several bugs: stack it.

    sources: of the number's reports, those that it is about, as docs/bugs.md writes them.
    """

    def mark(test: Test) -> Test:
        setattr(test, MARK, (*bugs_of(test), Bug(number, sources)))
        return test

    return mark


def bugs_of(test: object) -> tuple[Bug, ...]:
    """The bugs that a test is marked with."""
    found: tuple[Bug, ...] = getattr(test, MARK, ())
    return found


def stories() -> Iterator[Story]:
    """Every mark of every test in this folder."""
    for path in sorted(FOLDER.glob("test_bugs_*.py")):
        for name, value in vars(import_module(f"tests.catalogue.{path.stem}")).items():
            if name.startswith("test_"):
                for found in bugs_of(value):
                    yield Story(f"tests/catalogue/{path.name}::{name}", found)


def unmarked() -> list[str]:
    """Tests of this folder's stories that don't say which bug they are about."""
    marked = {story.test.rpartition("::")[2] for story in stories()}
    return [
        name
        for path in sorted(FOLDER.glob("test_bugs_*.py"))
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
        if name not in marked
    ]


def rows(text: str) -> list[Row]:
    """The table of the document."""
    found = re.findall(r"^\| (\d+) \| (.*?) \| (.*?) \| (.*) \|$", text, re.MULTILINE)
    return [
        Row(int(number), tuple(sources.split(", ")), what, shown)
        for number, sources, what, shown in found
    ]


def faults(row: Row, told: list[Story]) -> list[str]:
    """What is wrong with a row, given the stories of its number."""
    found = []
    ours = sorted({story.test for story in told})
    named = sorted({name for name in row.tests if name.startswith("tests/catalogue/test_bugs_")})
    if ours != named:
        found.append(f"names {named}, but {ours} are marked with it")
    marked = {source for story in told for source in story.bug.sources}
    if not row.tests and CANNOT not in row.shown:
        found.append("has neither a test nor a reason")
    if marked - set(row.sources):
        found.append(f"does not list {sorted(marked - set(row.sources))}")
    left = [source for source in row.sources if source not in marked and source not in row.shown]
    if left or not row.sources:
        found.append(f"leaves out {left or 'its source'}")
    return [f"{row.number} {fault}" for fault in found]
