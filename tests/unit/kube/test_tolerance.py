"""How many members may fail right now, from what the leader says."""

import pytest

from replog.wire.schemas import ClusterStatus, MayStop, MemberStatus
from replog_operator.kube.tolerance import tolerates
from tests.unit.kube.members import leader_of, may_stop, member


@pytest.mark.parametrize(("size", "may_fail"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (9, 4)])
def test_a_healthy_log_tolerates_what_its_size_promises(size: int, may_fail: int) -> None:
    assert tolerates(leader_of([member(str(number)) for number in range(size)]), {}) == may_fail


def test_without_a_leader_nobody_knows() -> None:
    assert tolerates(None, {}) is None
    assert tolerates(leader_of([member("a")], role="follower"), {}) is None


@pytest.mark.parametrize(
    "ill",
    [member("c", alive=False), member("c", match=3), member("c", match=None, alive=None)],
    ids=["does not answer", "is behind", "is not known"],
)
def test_a_member_that_is_no_help_counts_as_failed(ill: MemberStatus) -> None:
    assert tolerates(leader_of([member("a"), member("b"), ill]), {}) == 0


def test_a_lost_majority_tolerates_nothing_rather_than_less() -> None:
    dead = [member(name, alive=False) for name in "bc"]

    assert tolerates(leader_of([member("a"), *dead]), {}) == 0


def test_learners_help_nobody() -> None:
    voters = [member("a"), member("b")]

    assert tolerates(leader_of([*voters, member("c", role="learner")]), {}) == 0


def test_what_the_leader_answers_about_a_member_wins_over_offsets() -> None:
    """Under load everybody is a little behind the commit all the time, and caught up."""
    status = leader_of([member("a"), member("b"), member("c", match=99)])
    answers: dict[str, MayStop] = {"c": may_stop("c", caught_up=True)}

    assert tolerates(status, {}) == 0
    assert tolerates(status, answers) == 1
    assert tolerates(status, {"b": may_stop("b", caught_up=False)} | answers) == 0


def test_while_two_majorities_are_needed_nobody_may_fail() -> None:
    status: ClusterStatus = leader_of([member(name) for name in "abcde"], joint=True)

    assert tolerates(status, {}) == 0
