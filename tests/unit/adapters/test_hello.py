"""Who may talk to whom: the verdict on a hello, and hellos as bytes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replog_node.adapters.hello import (
    ANSWER_TYPE,
    HELLO_TYPE,
    Accept,
    Hello,
    HelloAnswer,
    HelloError,
    Refuse,
    decode_answer,
    decode_hello,
    encode_answer,
    encode_hello,
    judge,
    judge_answer,
)
from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.raft.messages import Incarnation

CLUSTER = ClusterId("c1")
LIFE = Lineage(3, "now")


def hello(sender: str, to: str | None, **changes: object) -> Hello:
    made = Hello(
        protocol_min=1,
        protocol_max=1,
        cluster_id=CLUSTER,
        lineage=LIFE,
        sender=MemberId(sender),
        to=None if to is None else MemberId(to),
        incarnation=Incarnation(1, 2**64 - 1),
        feature_level=1,
        peer_address="127.0.0.1:7411",
        client_address="[::1]:7401",
    )
    return msgspec.structs.replace(made, **changes)


MINE = hello("b", "a")
THEIRS = hello("a", "b")
NOBODY = {"cluster_id": None, "lineage": None}


def changed(base: Hello, **changes: object) -> Hello:
    return msgspec.structs.replace(base, **changes)


def code(verdict: Accept | Refuse) -> str:
    return verdict.code if isinstance(verdict, Refuse) else "accepted"


def test_members_of_one_log_connect() -> None:
    assert judge(MINE, THEIRS) == Accept(1)


def test_an_unassigned_member_is_adopted_only_by_a_hello_to_its_own_id() -> None:
    mine = changed(MINE, **NOBODY)
    assert judge(mine, THEIRS) == Accept(1, adopt=True)
    assert code(judge(mine, changed(THEIRS, to=MemberId("c")))) == "unknown_member"
    assert judge(mine, changed(THEIRS, to=None)) == Accept(1, introduction=True)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (changed(THEIRS, cluster_id=ClusterId("c2")), "other_cluster"),
        (changed(THEIRS, lineage=Lineage(3, "another")), "other_lineage"),
        (changed(THEIRS, to=MemberId("c")), "unknown_member"),
        (changed(THEIRS, sender=MemberId("b")), "unknown_member"),
        (changed(THEIRS, protocol_min=2, protocol_max=9), "protocol_unsupported"),
        (changed(THEIRS, protocol_min=0, protocol_max=0), "protocol_unsupported"),
        (changed(THEIRS, **NOBODY), "unassigned"),
        (changed(THEIRS, to=None, cluster_id=ClusterId("c2")), "other_cluster"),
    ],
)
def test_strangers_are_refused_by_name(theirs: Hello, expected: str) -> None:
    assert code(judge(MINE, theirs)) == expected


@pytest.mark.parametrize(("number", "fenced"), [(2, False), (4, True)])
def test_only_the_older_life_of_the_log_is_fenced(number: int, fenced: bool) -> None:
    other = Lineage(number, "other")
    verdict = judge(MINE, changed(THEIRS, lineage=other))
    assert isinstance(verdict, Refuse)
    assert verdict.fence == (other if fenced else None)


def test_a_newer_life_of_another_cluster_fences_nobody() -> None:
    theirs = changed(THEIRS, cluster_id=ClusterId("c2"), lineage=Lineage(9, "other"))
    verdict = judge(MINE, theirs)
    assert isinstance(verdict, Refuse)
    assert verdict.fence is None


def test_the_highest_common_protocol_is_spoken() -> None:
    assert judge(changed(MINE, protocol_max=3), changed(THEIRS, protocol_max=2)) == Accept(2)


def test_the_caller_believes_only_the_member_it_called() -> None:
    assert judge_answer(THEIRS, HelloAnswer(me=MINE, protocol=1)) == Accept(1)
    other = HelloAnswer(me=hello("c", "a"), protocol=1)
    assert code(judge_answer(THEIRS, other)) == "unknown_member"
    assert code(judge_answer(THEIRS, HelloAnswer(me=MINE, protocol=2))) == "protocol_unsupported"


def test_a_refusal_that_shows_a_newer_life_fences_the_caller() -> None:
    newer = Lineage(4, "restored")
    answer = HelloAnswer(me=changed(MINE, lineage=newer), protocol=0, refusal="other_lineage")
    verdict = judge_answer(THEIRS, answer)
    assert isinstance(verdict, Refuse)
    assert verdict.fence == newer


def test_hellos_survive_their_bytes() -> None:
    answer = HelloAnswer(me=MINE, protocol=0, refusal="other_cluster", detail="why")
    assert decode_hello(encode_hello(THEIRS)) == THEIRS
    assert decode_answer(encode_answer(answer)) == answer


def test_a_field_that_this_build_does_not_know_is_left_out_of_account() -> None:
    fields = {**msgspec.to_builtins(THEIRS), "invented_later": [1, 2]}
    body = msgspec.msgpack.encode(fields)
    head = HELLO_TYPE.to_bytes(2, "big") + b"\x00\x01" + len(body).to_bytes(4, "big")
    assert decode_hello(head + body) == THEIRS


@pytest.mark.parametrize(
    "nonsense",
    [
        {"peer_address": "nowhere"},
        {"client_address": "127.0.0.1:0"},
        {"sender": ""},
        {"cluster_id": None},
        {"lineage": None},
        {"to": "x" * 301},
    ],
)
def test_a_hello_that_makes_no_sense_is_refused(nonsense: dict[str, object]) -> None:
    with pytest.raises(HelloError):
        decode_hello(encode_hello(changed(THEIRS, **nonsense)))


@given(st.binary(max_size=64), st.sampled_from([HELLO_TYPE, ANSWER_TYPE]))
def test_any_bytes_are_a_hello_or_refused(body: bytes, kind: int) -> None:
    head = kind.to_bytes(2, "big") + b"\x00\x01" + len(body).to_bytes(4, "big")
    for data in (body, head + body):
        for decode in (decode_hello, decode_answer):
            with pytest.raises(HelloError):
                decode(data)


@given(st.data())
def test_a_damaged_hello_is_another_hello_or_refused(data: st.DataObject) -> None:
    whole = bytearray(encode_hello(THEIRS))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] = data.draw(st.integers(0, 255))
    try:
        found = decode_hello(bytes(whole))
    except HelloError:
        return
    assert decode_hello(encode_hello(found)) == found


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        ((2, 2), (2, 1), "accepted"),
        ((2, 1), (1, 1), "accepted"),
        ((2, 2), (1, 1), "feature_level_unsupported"),
        ((1, 1), (2, 2), "feature_level_unsupported"),
    ],
)
def test_who_does_not_speak_what_is_in_force_in_the_others_log_is_refused_on_both_sides(
    mine: tuple[int, int], theirs: tuple[int, int], expected: str
) -> None:
    me, them = (
        changed(base, feature_level=spoken, feature_level_in_force=in_force)
        for base, (spoken, in_force) in ((MINE, mine), (THEIRS, theirs))
    )
    verdict = judge(me, them)
    assert code(verdict) == expected
    answered = judge_answer(changed(me, to=them.sender), HelloAnswer(me=them, protocol=1))
    assert code(answered) == expected
    if isinstance(verdict, Refuse):
        assert "speaks up to feature level 1, the log of" in verdict.detail
    assert judge(me, changed(them, to=None)) == Accept(1, introduction=True)


def test_an_empty_member_that_does_not_speak_the_level_is_not_adopted() -> None:
    caller = changed(THEIRS, feature_level=2, feature_level_in_force=2)
    assert code(judge(changed(MINE, **NOBODY), caller)) == "feature_level_unsupported"
    able = changed(MINE, feature_level=2, **NOBODY)
    assert judge(able, caller) == Accept(1, adopt=True)


def test_the_hello_of_a_build_that_names_no_level_in_force_is_of_the_first() -> None:
    body = msgspec.to_builtins(MINE)
    del body["feature_level_in_force"]
    assert msgspec.convert(body, Hello) == MINE
