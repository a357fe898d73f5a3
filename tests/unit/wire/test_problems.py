"""A refusal survives the way through JSON, and nothing else passes for one."""

import msgspec
import pytest

from replog.wire.problems import ApiError, problem_of


def test_a_refusal_comes_back_as_it_was() -> None:
    sent = ApiError("sequence_gap", "sequence 9 came before 4", expected=4)

    received = problem_of(sent.body())

    assert received is not None
    assert (received.code, received.detail, received.extra) == (
        "sequence_gap", "sequence 9 came before 4", {"expected": 4},
    )  # fmt: skip
    assert (received.status, received.outcome, received.retryable) == (409, "none", True)


def test_the_document_has_the_members_of_rfc_9457_and_ours() -> None:
    found = ApiError("timeout", "5000 ms are over").problem()

    assert found["type"].endswith("#timeout")
    assert (found["title"], found["status"], found["detail"]) == (
        "Not in time", 504, "5000 ms are over",
    )  # fmt: skip
    assert (found["code"], found["retryable"], found["outcome"]) == ("timeout", True, "unknown")


def test_extra_members_never_replace_those_of_the_table() -> None:
    found = ApiError("timeout", "late", outcome="none", status=200, line=3).problem()

    assert (found["outcome"], found["status"], found["line"]) == ("unknown", 504, 3)


def test_an_unknown_code_can_not_be_raised() -> None:
    with pytest.raises(KeyError):
        ApiError("no_such_code", "…")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"7", b"{}", b'{"code": 3}', b'{"code": "from_the_future"}',
        b"\xff\xfe",
    ],
)  # fmt: skip
def test_what_is_no_problem_of_ours_is_none(body: bytes) -> None:
    assert problem_of(body) is None


def test_a_problem_needs_no_detail() -> None:
    found = problem_of(msgspec.json.encode({"code": "internal"}))

    assert found is not None and found.detail == ""
