"""The table of codes is sound, is the document, and holds every code that the source raises."""

import re

import pytest

from replog.wire.codes import ERRORS, NONE, UNKNOWN, WAITS, Row, known, row
from tests.unit.house.files import project_files, text_of

ALL = (*ERRORS, *WAITS)
RAISED = re.compile(r'\bApiError\(\s*"([^"]+)"')
SOURCE = [path for path in project_files(".py") if path.startswith(("node/", "operator/"))]


def as_line(found: Row) -> str:
    """The row as docs/codes.md has it."""
    cells = [f"`{found.code}`"]
    if found.kind == "error":
        cells += [str(found.status), _yes(found.retryable), _yes(found.elsewhere), found.outcome]
    return f"| {' | '.join([*cells, found.title, found.meaning, found.next])} |"


def _yes(found: bool) -> str:
    return "yes" if found else "no"


def test_what_one_member_can_not_do_is_a_matter_of_that_member_alone() -> None:
    elsewhere = {found.code for found in ALL if found.elsewhere}

    assert elsewhere == {
        "removed", "fenced", "unassigned", "shutting_down", "storage_failed", "read_too_stale",
    }  # fmt: skip


def test_the_document_has_each_row_word_by_word_in_the_same_order() -> None:
    lines = [line for line in text_of("docs/codes.md").splitlines() if line.startswith("| `")]

    assert lines == [as_line(found) for found in ALL]


def test_no_code_is_there_twice() -> None:
    codes = [found.code for found in ALL]

    assert sorted(set(codes)) == sorted(codes)


@pytest.mark.parametrize("found", ERRORS, ids=lambda found: found.code)
def test_a_refusal_has_a_status_of_http_and_an_outcome(found: Row) -> None:
    assert re.fullmatch("[a-z]+(_[a-z]+)*", found.code)
    assert 400 <= found.status <= 599
    assert found.outcome in (NONE, UNKNOWN)


@pytest.mark.parametrize("found", ERRORS, ids=lambda found: found.code)
def test_only_a_server_may_leave_the_outcome_open(found: Row) -> None:
    assert found.outcome != UNKNOWN or found.status >= 500


@pytest.mark.parametrize("found", WAITS, ids=lambda found: found.code)
def test_a_wait_is_named_like_a_condition_of_kubernetes(found: Row) -> None:
    assert re.fullmatch("([A-Z][a-z]+|ID)+", found.code)
    assert (found.kind, found.status) == ("wait", 0)


@pytest.mark.parametrize("found", ALL, ids=lambda found: found.code)
def test_each_row_says_in_sentences_what_it_means_and_what_to_do(found: Row) -> None:
    assert found.title and not found.title.endswith(".")
    assert found.meaning.endswith(".") and found.next.endswith(".")


def test_a_row_is_found_by_its_code() -> None:
    assert row("sequence_gap").status == 409
    assert known("NoLeader") and not known("no_such_code")


def test_every_code_that_the_source_raises_is_in_the_table() -> None:
    raised = {code for path in SOURCE for code in RAISED.findall(text_of(path))}

    assert len(raised) > 20
    assert sorted(code for code in raised if not known(code)) == []
