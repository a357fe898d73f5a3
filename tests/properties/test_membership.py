"""From any set to any set: one enter, one leave, and quorums that always overlap."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.positions import MemberId, Offset
from replog_node.raft.membership import judge_target, next_change, with_target
from tests.properties import naive

NAMES = "abcdef"
SETS = st.sets(st.sampled_from(NAMES), min_size=1, max_size=5)


def members(names: set[str]) -> tuple[Member, ...]:
    return tuple(Member(MemberId(name), f"{name}:1") for name in sorted(names))


def carried_out(start: Configuration, target: Target, slow: set[str]) -> list[ConfigurationChanged]:
    """Every change up to the target; members in `slow` are caught up only after patience ends."""
    changes = [with_target(start, target, done_max=8)]
    for step in range(20):
        change = next_change(
            changes[-1].configuration,
            caught_up=lambda member, step=step: member not in slow or step > 3,  # type: ignore[misc]
            patient=True,
            done_max=8,
        )
        if change is not None:
            changes.append(change)
    return changes


@given(SETS, SETS, st.sets(st.sampled_from(NAMES), max_size=3))
def test_any_set_becomes_any_set_by_one_enter_and_one_leave(
    before: set[str], after: set[str], slow: set[str]
) -> None:
    start = Configuration(members(before))
    target = Target(members(after), "op", 1, "x", 0)
    changes = carried_out(start, target, slow)
    kinds = [change.change for change in changes]
    joint = [] if before == after else ["enter-joint", "leave-joint"]
    learning = ["learners"] if after - before else []
    assert kinds == ["target", *learning, *joint]
    last = changes[-1].configuration
    assert set(last.voter_ids()) == after
    assert (last.target_reached, last.joint, last.learners) == (True, False, ())
    assert set(last.removed) == (before - after)
    assert judge_target(last, Offset(0), target, voters_max=9) is not None, "done is done"


@given(SETS, SETS)
def test_quorums_of_neighbouring_configurations_share_a_member(
    before: set[str], after: set[str]
) -> None:
    """So no two leaders of one term, and nothing committed is lost, on the way (thesis 4.3)."""
    start = Configuration(members(before))
    changes = carried_out(start, Target(members(after), "op", 1, "x", 0), set())
    stations = [start, *(change.configuration for change in changes)]
    for one, other in pairwise(stations):
        for mine in naive.quorums(set(one.voter_ids()), set(one.outgoing_ids())):
            for theirs in naive.quorums(set(other.voter_ids()), set(other.outgoing_ids())):
                assert mine & theirs, f"{one} and {other}"
