"""The bytes of append sessions (replog/wire/sessions.py), as docs/api.md has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog.wire.sessions import (
    ANY,
    SESSION_APPENDS_MAX,
    SessionAppend,
    decode_answers,
    decode_appends,
    encode_append,
    encode_appended,
    encode_refused,
)
from tests.unit.house.files import text_of

APPENDS = st.builds(
    SessionAppend,
    request=st.integers(0, 2**64 - 1),
    batch=st.binary(max_size=40),
    if_last_record=st.integers(ANY, 2**63 - 1),
    timeout_ms=st.integers(0, 2**32 - 1),
)


def test_an_append_lies_as_the_document_says() -> None:
    assert encode_append(SessionAppend(0x0102, b"abc", -1, 250)) == bytes.fromhex(
        "0000000000000102ffffffffffffffff000000fa00000003616263"
    )
    assert encode_append(SessionAppend(1, b""))[8:16] == (2**64 - 2).to_bytes(8)


def test_an_answer_lies_as_the_document_says() -> None:
    assert encode_appended(0x0102, Appended(7, 9, 3, 5, duplicate=True)) == bytes.fromhex(
        "0000000000000102" "00c8" "01" "00" "00000000"
        "0000000000000007" "0000000000000009" "0000000000000005"
    )  # fmt: skip
    problem = ApiError("overloaded", "full")
    refused = encode_refused(3, problem)
    assert refused[:12] == bytes.fromhex("000000000000000301ad0000")
    assert refused[12:16] == len(problem.body()).to_bytes(4)
    assert refused[16:40] == b"\xff" * 24
    assert refused[40:] == problem.body()


def test_the_document_names_each_place() -> None:
    text = text_of("docs/api.md")
    for place in ("0–7", "8–15", "16–19", "20–23", "24–", "8–9", "10", "12–15", "32–39", "40–"):
        assert f"| {place} |" in text


@given(st.lists(APPENDS, max_size=5))
def test_appends_of_a_message_are_told_apart(appends: list[SessionAppend]) -> None:
    assert decode_appends(b"".join(map(encode_append, appends))) == appends


@given(st.binary(max_size=200))
def test_any_bytes_are_appends_and_answers_or_refused(message: bytes) -> None:
    for decode in (decode_appends, decode_answers):
        try:
            decode(message)
        except ValueError:
            continue


def test_answers_of_a_message_are_told_apart() -> None:
    first = Appended(0, 1, 2, 3)
    message = encode_appended(1, first) + encode_refused(
        2, ApiError("sequence_gap", "x", expected=4)
    )
    one, two = decode_answers(message)
    assert (one.request, one.appended, one.problem) == (1, first, None)
    assert two.problem is not None
    assert (two.request, two.problem.code, two.problem.extra) == (
        2,
        "sequence_gap",
        {"expected": 4},
    )


def test_a_refusal_that_is_not_understood_leaves_the_outcome_unknown() -> None:
    refused = encode_refused(1, ApiError("overloaded", "x")).replace(
        b'"overloaded"', b'"overloadeX"'
    )
    (answer,) = decode_answers(refused)
    assert answer.problem is not None
    assert (answer.problem.code, answer.problem.outcome) == ("outcome_unknown", "unknown")


@pytest.mark.parametrize("cut", [1, 23, 25])
def test_a_message_that_is_cut_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="append 0"):
        decode_appends(encode_append(SessionAppend(1, b"abc"))[:cut])


def test_a_condition_that_means_nothing_is_refused() -> None:
    spoilt = bytearray(encode_append(SessionAppend(1, b"abc")))
    spoilt[8:16] = (2**64 - 3).to_bytes(8)
    with pytest.raises(ValueError, match="append 0"):
        decode_appends(bytes(spoilt))


def test_a_message_has_no_more_appends_than_may_be_under_way() -> None:
    one = encode_append(SessionAppend(1, b""))
    assert len(decode_appends(one * SESSION_APPENDS_MAX)) == SESSION_APPENDS_MAX
    with pytest.raises(ValueError, match="more than 1024 appends"):
        decode_appends(one * (SESSION_APPENDS_MAX + 1))
