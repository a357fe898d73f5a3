"""docs/bugs.md and the tests of the catalogue say the same, and no bug is left out.

Decides: what the list must hold. Must not know: the bugs. Read next: index.py.
"""

from tests.catalogue.index import (
    DOCUMENT,
    NUMBERS,
    Bug,
    Row,
    Story,
    faults,
    rows,
    stories,
    unmarked,
)


def test_every_bug_of_the_document_has_its_tests_or_a_reason() -> None:
    told = list(stories())

    found = [
        fault
        for row in rows(DOCUMENT.read_text())
        for fault in faults(row, [story for story in told if story.bug.number == row.number])
    ]

    assert found == []


def test_no_number_of_the_catalogue_is_left_out() -> None:
    listed = [row.number for row in rows(DOCUMENT.read_text())]

    assert listed == list(NUMBERS)


def test_every_story_is_on_the_list() -> None:
    listed = {row.number for row in rows(DOCUMENT.read_text())}

    assert sorted({story.bug.number for story in stories()} - listed) == []


def test_every_test_says_which_bug_it_is_about() -> None:
    assert unmarked() == []


def test_a_row_that_does_not_agree_is_seen() -> None:
    here = "tests/catalogue/test_bugs_01_12.py::test_a"
    story = Story(here, Bug(7, ("etcd#1",)))
    good = Row(7, ("etcd#1",), "what", f"`{here}`")

    assert faults(good, [story]) == []
    assert faults(good._replace(shown=""), [story]) != []
    assert faults(good, []) != []
    assert faults(good._replace(sources=("etcd#1", "etcd#2")), [story]) != []
    assert faults(good._replace(sources=("etcd#2",), shown=f"`{here}` (etcd#2)"), [story]) != []
    assert faults(Row(8, ("ZK-1",), "what", "cannot occur: no such thing (ZK-1)"), []) == []
    assert faults(Row(8, ("ZK-1",), "what", "cannot occur: no such thing"), []) != []
    assert faults(Row(8, ("ZK-1",), "what", "perhaps (ZK-1)"), []) != []


def test_a_row_is_read_with_its_sources() -> None:
    text = "| 5 | etcd-raft#397, hashicorp 163a55f, etcd-raft `a.txt` | so | `x` |\n"

    (row,) = rows(f"| number | source | what | shown by |\n|---|---|---|---|\n{text}")

    sources = ("etcd-raft#397", "hashicorp 163a55f", "etcd-raft `a.txt`")
    assert row == Row(5, sources, "so", "`x`")
