"""Majorities, alone and joint, compared with counting by hand."""

from itertools import product

import pytest

from replog_node.model.configuration import Configuration
from replog_node.raft.quorum import NOTHING, Electorate, Verdict, majority_reached
from tests.unit.raft.cluster import ids, members


@pytest.mark.parametrize("voters", ["a", "ab", "abc", "abcd", "abcde"])
def test_what_a_majority_reached_is_the_highest_number_that_more_than_half_hold(
    voters: str,
) -> None:
    for numbers in product(range(3), repeat=len(voters)):
        held = dict(zip(ids(voters), numbers, strict=True))
        wanted = max(
            n for n in range(-1, 3) if sum(h >= n for h in numbers) * 2 > len(voters)
        )  # fmt: skip
        assert majority_reached(ids(voters), held) == wanted


def test_who_never_answered_counts_as_nothing() -> None:
    assert majority_reached(ids("abc"), dict.fromkeys(ids("a"), 5)) == NOTHING
    assert majority_reached((), dict.fromkeys(ids("a"), 5)) == NOTHING


def test_a_joint_electorate_needs_both_halves() -> None:
    joint = Electorate(ids("cde"), ids("abc"))
    assert joint.everyone == ids("abcde")
    held = dict(zip(ids("abcde"), (9, 9, 4, 2, 1), strict=True))
    assert joint.reached(held) == 2
    assert not joint.agreed(ids("abc"))
    assert joint.agreed(ids("bcd"))
    assert joint.verdict(dict.fromkeys(ids("ab"), False)) is Verdict.LOST
    assert joint.verdict(dict.fromkeys(ids("ac"), True)) is Verdict.OPEN


def test_an_election_is_lost_as_soon_as_a_majority_is_out_of_reach() -> None:
    even = Electorate(ids("abcd"))
    assert even.verdict({ids("a")[0]: False}) is Verdict.OPEN
    assert even.verdict(dict.fromkeys(ids("ab"), False)) is Verdict.LOST
    assert even.verdict(dict.fromkeys(ids("ab"), True)) is Verdict.OPEN
    assert even.verdict(dict.fromkeys(ids("abc"), True)) is Verdict.WON


def test_votes_of_others_than_voters_do_not_count() -> None:
    assert Electorate(ids("abc")).verdict(dict.fromkeys(ids("axyz"), True)) is Verdict.OPEN


def test_without_a_configuration_nobody_wins_and_nobody_is_alone() -> None:
    nobody = Electorate.of(None)
    assert nobody.verdict(dict.fromkeys(ids("abc"), True)) is not Verdict.WON
    assert nobody.reached(dict.fromkeys(ids("abc"), 5)) == NOTHING
    assert not nobody.is_only(ids("a")[0])


def test_a_sole_voter_decides_alone_unless_an_outgoing_half_remains() -> None:
    a = ids("a")[0]
    assert Electorate.of(Configuration(members("a"))).is_only(a)
    assert not Electorate.of(Configuration(members("a"), outgoing=members("ab"))).is_only(a)
    assert not Electorate.of(Configuration(members("b"))).is_only(a)
