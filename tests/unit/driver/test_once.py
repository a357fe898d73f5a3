"""Calls are carried out once (replog_node/driver/once.py)."""

from replog_node.driver.once import SENDERS_MAX, WINDOW, Once
from replog_node.model.positions import MemberId
from replog_node.raft.messages import Incarnation

A = MemberId("a")
FIRST, SECOND = Incarnation(1, 10), Incarnation(2, 20)


def test_a_call_is_new_once() -> None:
    once = Once()
    assert [once.first(A, FIRST, call) for call in (0, 1, 0, 1, 2)] == [
        True,
        True,
        False,
        False,
        True,
    ]


def test_calls_that_overtook_each_other_are_new() -> None:
    once = Once()
    assert once.first(A, FIRST, 5) and once.first(A, FIRST, 3) and not once.first(A, FIRST, 5)


def test_the_next_incarnation_begins_anew_and_the_last_one_says_nothing_more() -> None:
    once = Once()
    assert once.first(A, FIRST, 0)
    assert once.first(A, SECOND, 0)
    assert not once.first(A, FIRST, 1)


def test_a_call_older_than_the_window_counts_as_seen() -> None:
    once = Once()
    once.first(A, FIRST, WINDOW)
    assert not once.first(A, FIRST, 0)
    assert once.first(A, FIRST, 1)


def test_what_is_remembered_of_a_member_is_bounded_and_still_right() -> None:
    once = Once()
    for call in range(3 * WINDOW):
        assert once.first(A, FIRST, call)
    assert not any(once.first(A, FIRST, call) for call in range(3 * WINDOW))
    assert len(once._seen[A][1]) <= 2 * WINDOW


def test_members_remembered_are_bounded() -> None:
    once = Once()
    for number in range(SENDERS_MAX + 5):
        once.first(MemberId(str(number)), FIRST, 0)
    assert len(once._seen) == SENDERS_MAX
