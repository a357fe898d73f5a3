"""Which target is valid, and the next configuration on the way: pure, without a cluster."""

import pytest
from msgspec.structs import replace

from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.membership import REMOVED_MAX, judge_target, next_change, with_target
from tests.unit.raft.cluster import ids, members, target


def settled(voters: str = "abc", *, held: Target | None = None) -> Configuration:
    """A configuration at rest."""
    return Configuration(members(voters), target=held, target_reached=held is not None)


def verdict(configuration: Configuration, wanted: Target, *, offset: int = 5) -> str | None:
    """The code of the refusal."""
    refusal = judge_target(configuration, Offset(offset), wanted, voters_max=5)
    return None if refusal is None else refusal.reason.value


def forward(configuration: Configuration, *, ready: str = "", patient: bool = False
            ) -> ConfigurationChanged | None:  # fmt: skip
    """The next step when `ready` are caught up."""
    return next_change(
        configuration, caught_up=lambda m: m in ids(ready), patient=patient, done_max=3
    )


HELD = target("abc", "op-1", 3, epoch=4, by="one")


def test_a_target_planned_from_the_configuration_in_force_is_taken() -> None:
    assert verdict(settled(), target("abcd", "op-2", 5)) is None
    assert verdict(settled(held=HELD), target("abcd", "op-2", 5, epoch=4, by="one")) is None
    assert verdict(settled(held=HELD), target("abcd", "op-2", 5, epoch=5, by="two")) is None


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        (target("abcd", "op-2", 4, epoch=9), "stale_plan"),
        (target("abcd", "op-2", -1, epoch=9), "stale_plan"),
        (target("abcd", "op-2", 5, epoch=3, by="one"), "stale_epoch"),
        (target("abcd", "op-2", 5, epoch=4, by="two"), "other_holder"),
        (target("abc", "op-1", 3, epoch=4, by="one"), "already_done"),
        (target("xyz", "done", 0, epoch=0, by="??"), "already_done"),
        (target("", "op-2", 5, epoch=9), "invalid_target"),
        (target("abcdef", "op-2", 5, epoch=9), "invalid_target"),
        (target("aab", "op-2", 5, epoch=9), "invalid_target"),
        (target("ab", "", 5, epoch=9), "invalid_target"),
        (target("abr", "op-2", 5, epoch=9), "invalid_target"),
        (Target((Member(MemberId("a"), ""),), "op-2", 9, "one", 5), "invalid_target"),
        (Target((Member(MemberId(""), "a:1"),), "op-2", 9, "one", 5), "invalid_target"),
    ],
)
def test_a_target_is_refused_for_one_reason(wanted: Target, code: str) -> None:
    configuration = replace(settled(held=HELD), done=("done",), removed=ids("r"))
    assert verdict(configuration, wanted) == code


def test_a_target_waits_while_the_configuration_is_joint_but_a_repeated_one_is_known() -> None:
    joint = Configuration(members("cd"), outgoing=members("abc"), target=HELD)
    assert verdict(joint, target("abcd", "op-2", 5, epoch=9)) == "change_in_progress"
    assert verdict(joint, HELD) == "already_done"


def test_a_target_that_names_the_voters_is_reached_without_a_joint_change() -> None:
    wanted = Target((Member(MemberId("a"), "new:1"), *members("bc")), "op-2", 5, "one", 5)
    configuration = replace(settled(), learners=members("x"), removed=ids("r"))
    change = with_target(configuration, wanted, done_max=3)
    assert (change.change, change.operation) == ("target", "op-2")
    assert change.configuration == Configuration(
        wanted.members, target=wanted, target_reached=True, done=("op-2",), removed=ids("r")
    )
    assert forward(change.configuration, ready="abc") is None


def test_the_way_is_target_learners_enter_joint_leave_joint() -> None:
    wanted = target("bcd", "op-2", 5)
    first = with_target(settled(), wanted, done_max=3)
    assert not first.configuration.target_reached
    learning = forward(first.configuration)
    assert learning is not None
    assert (learning.change, learning.configuration.learners) == ("learners", members("d"))
    assert forward(learning.configuration, ready="b") is None
    enter = forward(learning.configuration, ready="bcd")
    assert enter is not None
    assert enter.change == "enter-joint"
    assert enter.configuration.voter_ids() == ids("bcd")
    assert enter.configuration.outgoing_ids() == ids("abc")
    assert enter.configuration.learners == ()
    leave = forward(enter.configuration)
    assert leave is not None
    assert leave.change == "leave-joint"
    assert leave.configuration == Configuration(
        members("bcd"), target=wanted, target_reached=True, done=("op-2",), removed=ids("a")
    )
    assert forward(leave.configuration, ready="bcd") is None


def test_members_that_only_leave_need_no_learners() -> None:
    first = with_target(settled(), target("a", "op-2", 5), done_max=3)
    enter = forward(first.configuration, ready="a")
    assert enter is not None
    assert enter.change == "enter-joint"


def test_joint_is_not_entered_without_a_quorum_of_the_new_set_however_long_it_takes() -> None:
    first = with_target(settled("a"), target("abc", "op-2", 5), done_max=3)
    learning = forward(first.configuration)
    assert learning is not None
    assert forward(learning.configuration, ready="a") is None
    assert forward(learning.configuration, ready="ab", patient=True) is None
    assert forward(learning.configuration, ready="ab", patient=False) is not None


def test_learners_of_a_replaced_target_are_replaced() -> None:
    configuration = replace(settled(), learners=members("xy"), target=target("abcxy", "op-2", 5))
    change = with_target(configuration, target("abcz", "op-3", 6), done_max=3)
    learning = forward(change.configuration, ready="abcxyz")
    assert learning is not None
    assert learning.configuration.learners == members("z")


def test_a_configuration_that_was_reached_once_stays_so_on_the_way_to_the_next_target() -> None:
    first = with_target(settled(held=HELD), target("abcd", "op-2", 5), done_max=3)
    learning = forward(first.configuration)
    assert learning is not None
    enter = forward(learning.configuration, ready="abcd")
    assert enter is not None
    assert [c.configuration.target_reached for c in (first, learning, enter)] == [True] * 3


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first() -> None:
    configuration = replace(settled(), done=("1", "2", "3"))
    change = with_target(configuration, target("abc", "4", 5), done_max=3)
    assert change.configuration.done == ("2", "3", "4")


def test_of_those_that_were_removed_the_latest_are_remembered() -> None:
    gone = tuple(MemberId(f"gone-{number}") for number in range(REMOVED_MAX))
    joint = Configuration(
        members("b"), outgoing=members("ab"), target=target("b", "op", 5), removed=gone
    )
    leave = forward(joint)
    assert leave is not None
    assert leave.configuration.removed == (*gone[1:], *ids("a"))
