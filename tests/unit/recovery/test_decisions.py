"""Who may fence a member, what it remembers, and when it may go on alone."""

from typing import Any

import pytest
from msgspec.structs import replace

from replog.wire.problems import ApiError
from replog.wire.recovery import ForceMembersRequest, Survey
from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.positions import Lineage, MemberId, Offset, Position, Term
from replog_node.raft.membership import REMOVED_MAX
from replog_node.recovery.decisions import (
    alone,
    already,
    carried_out,
    fenced,
    given_up,
    heard,
    held_back,
    order,
    refuse_fence,
    refuse_force,
    refuse_unfence,
    unfenced,
)
from replog_node.recovery.record import Fence, Force

OWN = Lineage(2, "own")
FORCE = Force("op", Lineage(3, "next"), Position(Term(4), Offset(9)), b"\1" * 16)
HELD = Fence(operation="op", commit_offset=7)
SURVEY = Survey(
    member="a", fenced_by="op", cluster_id="c", lineage="2.own", number=2, term=5, last_term=4,
    last_offset=9, chain="01" * 16, commit_offset=7, log_start_offset=0, configuration_offset=3,
    whole=True, voters=["a", "b"], outgoing=["b", "c"],
)  # fmt: skip
REQUEST = ForceMembersRequest("op", 3, 9, "01" * 16, ["b", "c"])


def code(refusal: ApiError | None) -> str | None:
    return None if refusal is None else refusal.code


@pytest.mark.parametrize(
    ("fence", "in_force", "held"),
    [
        (Fence(), 0, False),
        (Fence(), 2, False),
        (Fence(), 3, True),
        (Fence(heard=2), 1, False),
        (Fence(heard=3), 2, True),
        (Fence(operation="op"), 0, True),
    ],
)
def test_a_member_is_held_back_by_an_operation_or_a_newer_lineage(
    fence: Fence, in_force: int, held: bool
) -> None:
    assert bool(held_back(fence, OWN, in_force)) == held


def test_a_member_of_no_cluster_is_of_no_lineage_that_could_be_older() -> None:
    assert held_back(Fence(heard=3), None, 4) == ""


@pytest.mark.parametrize(
    ("fence", "operation", "refusal"),
    [
        (Fence(), "op", None),
        (Fence(), "", "body_invalid"),
        (HELD, "op", None),
        (HELD, "other", "conflict"),
        (replace(HELD, force=FORCE), "op", "conflict"),
        (Fence(ended="op"), "op", "conflict"),
        (Fence(ended="op"), "other", None),
    ],
)
def test_one_operation_at_a_time_fences(fence: Fence, operation: str, refusal: str | None) -> None:
    assert code(refuse_fence(fence, operation)) == refusal


@pytest.mark.parametrize(
    ("fence", "operation", "refusal"),
    [
        (Fence(), "op", None),
        (HELD, "op", None),
        (HELD, "other", "conflict"),
        (replace(HELD, force=FORCE), "op", "conflict"),
    ],
)
def test_who_fenced_lifts_it(fence: Fence, operation: str, refusal: str | None) -> None:
    assert code(refuse_unfence(fence, operation)) == refusal


def test_what_is_remembered_of_a_fence() -> None:
    held = fenced(Fence(), "op", 7)
    assert held == HELD
    assert fenced(held, "op", 8) == held
    assert unfenced(held) == Fence(commit_offset=7, ended="op")
    assert unfenced(unfenced(held)) == unfenced(held)
    assert heard(held, 4).heard == heard(heard(held, 4), 3).heard == 4


def test_what_is_remembered_of_an_order() -> None:
    ordered = replace(HELD, force=FORCE)
    assert carried_out(ordered) == Fence(ended="op", forced=FORCE)
    assert carried_out(HELD) == HELD
    assert given_up(ordered) == HELD
    assert already(REQUEST, ordered) == already(REQUEST, carried_out(ordered)) == FORCE
    assert already(REQUEST, HELD) is None
    assert already(replace(REQUEST, number=4), ordered) is None


def test_an_order_is_given_for_the_log_as_the_survey_found_it() -> None:
    assert refuse_force(REQUEST, HELD, SURVEY) is None
    assert order(REQUEST, SURVEY, "next") == FORCE


@pytest.mark.parametrize("fence", [Fence(), Fence(operation="other"), Fence(ended="op")])
def test_only_who_holds_the_fence_gives_an_order(fence: Fence) -> None:
    assert code(refuse_force(REQUEST, fence, SURVEY)) == "not_fenced"


def test_nobody_gives_an_order_in_the_name_of_nobody() -> None:
    assert code(refuse_force(replace(REQUEST, operation=""), Fence(), SURVEY)) == "not_fenced"


@pytest.mark.parametrize(
    ("asked", "found", "words"),
    [
        ({"number": 2}, {}, "number is 3, not 2"),
        ({"number": 4}, {}, "number is 3, not 4"),
        ({"last_offset": 8}, {}, "ends at offset 9"),
        ({"chain": "02" * 16}, {}, "with chain 01"),
        ({}, {"whole": False}, "can't be read"),
        ({"last_offset": -1}, {"last_offset": -1}, "is empty"),
        ({"stopped": ["a", "b", "c"]}, {}, "no other voter: a"),
        ({"stopped": ["b"]}, {}, "not acknowledged as stopped: c"),
        ({"stopped": ["c"]}, {}, "not acknowledged as stopped: b"),
        ({"stopped": []}, {}, "not acknowledged as stopped: b, c"),
        ({"stopped": ["b", "c", "d"]}, {}, "no other voter: d"),
        ({"stopped": ["b", "c"]}, {"voters": ["b"], "outgoing": ["c"]}, "is no voter"),
    ],
)
def test_each_precondition_has_its_sentence(
    asked: dict[str, Any], found: dict[str, Any], words: str
) -> None:
    refusal = refuse_force(replace(REQUEST, **asked), HELD, replace(SURVEY, **found))
    assert code(refusal) == "recovery_refused"
    assert words in str(refusal)


def test_a_sole_voter_has_nobody_to_acknowledge() -> None:
    sole = replace(SURVEY, voters=["a"], outgoing=[])
    assert refuse_force(replace(REQUEST, stopped=[]), HELD, sole) is None


A, B, C, D = (Member(MemberId(name), f"{name}:1", 5) for name in "abcd")


def test_a_member_goes_on_alone_from_either_half_and_the_others_are_removed() -> None:
    joint = Configuration(
        voters=(A, B), outgoing=(B, C), learners=(D,), target=Target((A,), "op", 1, "h", 3),
        target_reached=True, done=("d",), removed=(MemberId("z"),), feature_level=2,
    )  # fmt: skip
    for member, others in ((A, "bcd"), (C, "abd")):
        assert alone(joint, member.id) == Configuration(
            voters=(member,), target_reached=True, done=("d",),
            removed=tuple(MemberId(each) for each in "z" + others), feature_level=2,
        )  # fmt: skip


def test_a_learner_does_not_go_on_alone() -> None:
    assert alone(Configuration(voters=(A,), learners=(D,)), D.id) is None


def test_the_removed_are_bounded_and_the_newest_stay() -> None:
    many = tuple(MemberId(f"r{number}") for number in range(REMOVED_MAX))
    found = alone(Configuration(voters=(A, B, C), removed=many), A.id)
    assert found is not None and found.removed == (*many[2:], B.id, C.id)


def test_a_log_that_never_reached_a_target_still_waits_for_one() -> None:
    found = alone(Configuration(voters=(A, B)), A.id)
    assert found is not None and not found.target_reached
