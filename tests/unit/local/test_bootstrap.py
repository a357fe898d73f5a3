"""The next step, for everything that the members can say."""

from msgspec.structs import replace

from replog.wire.schemas import ClusterStatus, MemberAddress, TargetStatus
from replog_operator.local.bootstrap import (
    Found,
    Joined,
    SetTarget,
    Stuck,
    Wait,
    has_newcomer,
    next_step,
)

ADDRESSES = ["a:1", "b:1", "c:1"]
NEW = ClusterStatus(
    member="", incarnation=1, state="unassigned", cluster_id=None, lineage=None, role="follower",
    term=0, leader=None, leader_client_address=None, commit_offset=-1, applied_offset=-1,
    durable_offset=-1, last_offset=-1, log_start_offset=0, configuration_offset=-1, joint=False,
    members=[], target=None, admitting=False, version="0", feature_level=1,
)  # fmt: skip
A, B, C = (replace(NEW, member=name) for name in "abc")


def _assigned(status: ClusterStatus, cluster_id: str = "x") -> ClusterStatus:
    return replace(status, state="member", cluster_id=cluster_id, term=2, configuration_offset=4)


def _leader(status: ClusterStatus, *members: str, reached: bool = True) -> ClusterStatus:
    target = TargetStatus(list(members), "op", reached) if members else None
    return replace(_assigned(status), role="leader", target=target, admitting=reached)


def test_new_members_found_a_log() -> None:
    assert next_step([A, B, C], ADDRESSES) == Found()


def test_a_copied_data_directory_is_named() -> None:
    for seen in ([_assigned(A), _assigned(B), _assigned(A)], [A, B, A]):
        step = next_step(seen, ADDRESSES)
        assert isinstance(step, Stuck) and step.why.startswith("member-0, member-2 are one"), step


def test_nothing_is_founded_while_a_member_is_silent() -> None:
    step = next_step([A, None, C], ADDRESSES)
    assert step == Wait("no answer from member-1 yet")


def test_the_founder_is_asked_for_all_members() -> None:
    step = next_step([_leader(A), B, C], ADDRESSES)
    members = tuple(map(MemberAddress, "abc", ADDRESSES))
    assert step == SetTarget(0, members, planned_from=4)


def test_a_founder_that_does_not_lead_yet_is_waited_for() -> None:
    assert next_step([_assigned(A), B, C], ADDRESSES) == Wait("no leader yet")


def test_members_that_join_are_waited_for() -> None:
    seen = [_leader(A, "a", "b", "c", reached=False), B, C]
    assert next_step(seen, ADDRESSES) == Wait("3 members are joining")


def test_it_is_over_when_all_belong_to_it() -> None:
    seen = [_assigned(A), _leader(B, "a", "b", "c"), _assigned(C)]
    assert next_step(seen, ADDRESSES) == Joined(1)


def test_a_log_that_is_there_goes_on_without_its_silent_member() -> None:
    assert next_step([None, _leader(B, "a", "b", "c"), _assigned(C)], ADDRESSES) == Joined(1)


def test_a_leader_that_does_not_append_yet_is_waited_for() -> None:
    leader = replace(_leader(A, "a", "b", "c"), admitting=False)
    step = next_step([leader, _assigned(B), _assigned(C)], ADDRESSES)
    assert step == Wait("the leader is getting ready")


def test_of_two_that_claim_to_lead_the_newer_one_counts() -> None:
    newer = replace(_leader(B, "a", "b", "c"), term=7)
    assert next_step([_leader(A, "a", "b", "c"), newer, _assigned(C)], ADDRESSES) == Joined(1)


def test_more_members_than_before_are_asked_for() -> None:
    step = next_step([_leader(A, "a"), B, C], ADDRESSES)
    assert isinstance(step, SetTarget) and [m.id for m in step.members] == ["a", "b", "c"]


def test_more_members_are_not_asked_for_while_one_of_them_is_silent() -> None:
    step = next_step([_leader(A, "a"), B, None], ADDRESSES)
    assert step == Wait("no answer from member-2 yet")


def test_a_member_with_an_emptied_directory_is_replaced() -> None:
    fresh = replace(NEW, member="d")
    step = next_step([_leader(A, "a", "b", "c"), _assigned(B), fresh], ADDRESSES)
    assert isinstance(step, SetTarget) and [m.id for m in step.members] == ["a", "b", "d"]


def test_a_running_log_takes_in_who_came_back_empty_and_nobody_else() -> None:
    fresh = replace(NEW, member="d")
    leader = _leader(A, "a", "b", "c")
    assert has_newcomer([leader, _assigned(B), fresh], ADDRESSES)
    for seen in (
        [leader, _assigned(B), _assigned(C)],
        [leader, None, fresh],
        [_assigned(A), _assigned(B), fresh],
        [replace(leader, joint=True), _assigned(B), fresh],
        [_leader(A, "a", "b"), _assigned(B), _assigned(C)],
        [None, None, None],
    ):
        assert not has_newcomer(seen, ADDRESSES)


def test_a_change_that_is_under_way_is_waited_for() -> None:
    leader = replace(_leader(A, "a"), joint=True)
    assert next_step([leader, B, C], ADDRESSES) == Wait("a membership change is under way")


def test_data_of_two_logs_is_never_joined() -> None:
    step = next_step([_assigned(A, "x"), _assigned(B, "y"), C], ADDRESSES)
    assert isinstance(step, Stuck) and "x, y" in step.why


def test_a_removed_member_needs_a_human() -> None:
    step = next_step([_leader(A, "a"), replace(_assigned(B), state="removed"), C], ADDRESSES)
    assert isinstance(step, Stuck) and "member b" in step.why
