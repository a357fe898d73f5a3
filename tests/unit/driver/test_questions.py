"""What a leader answers from what it knows (replog_node/driver/questions.py)."""

from typing import Any

import pytest

from replog.wire.problems import ApiError
from replog.wire.schemas import MayStop, MemberAddress, TargetPlan, TargetRequest
from replog_node.driver.calls import Plan, StopQuestion
from tests.unit.driver.rig import Node, Rig, batch

TAKERS = pytest.mark.parametrize("taker", [0, 2], ids=["leader", "follower"])


def asked(rig: Rig, taker: int, request: object) -> Any:
    answers = rig.nodes[taker].call(request)
    rig.deliver()
    rig.tick(2)
    (answer,) = answers
    return answer


def may_stop(rig: Rig, node: Node, taker: int = 0) -> MayStop:
    answer = asked(rig, taker, StopQuestion(node.member))
    assert isinstance(answer, MayStop), answer
    return answer


def target(rig: Rig, nodes: list[Node], **more: Any) -> TargetRequest:
    members = [MemberAddress(node.member, f"{node.name}:1") for node in nodes]
    at = rig.nodes[0].driver.status("", {}).configuration_offset
    return TargetRequest(members, "operation", **{"planned_from": at, **more})


@TAKERS
def test_of_three_healthy_members_each_may_be_stopped(taker: int) -> None:
    rig = Rig(3).found()
    for node in rig.nodes:
        answer = may_stop(rig, node, taker)
        assert (answer.may_stop, answer.reasons, answer.caught_up) == (True, [], True)
        assert (answer.role, answer.leads) == ("voter", node is rig.nodes[0])


def test_while_one_member_is_silent_no_other_may_be_stopped_and_the_silent_one_is_named() -> None:
    rig = Rig(3).found()
    leader, silent, other = rig.nodes
    silent.asleep = True
    rig.tick(30)
    for node in (leader, other):
        answer = may_stop(rig, node)
        assert not answer.may_stop
        assert answer.reasons == [f"{silent.member}, which would be needed then, does not answer"]
    answer = may_stop(rig, silent)
    assert (answer.may_stop, answer.caught_up) == (True, False)


def test_a_member_that_lags_is_waited_for_before_the_next_is_stopped() -> None:
    rig = Rig(3).found()
    leader, lagging, other = rig.nodes
    lagging.stalled = True
    leader.append(*[batch("x")] * 5)
    rig.tick(40)
    answer = may_stop(rig, lagging)
    assert (answer.may_stop, answer.caught_up, answer.behind > 0) == (True, False, True)
    assert not may_stop(rig, other).may_stop
    lagging.stalled = False
    rig.tick(5)
    assert may_stop(rig, other).may_stop
    assert may_stop(rig, lagging).behind == 0


@pytest.mark.parametrize("count", [1, 2])
def test_of_one_or_two_members_none_may_be_stopped(count: int) -> None:
    rig = Rig(count).found()
    answer = may_stop(rig, rig.nodes[-1])
    assert answer.reasons == ["without it no quorum is left: the others are too few"]
    assert answer.caught_up


def test_during_a_membership_change_nobody_may_be_stopped() -> None:
    rig = Rig(4).found(voters=3)
    rig.nodes[3].asleep = True
    rig.target(rig.nodes, "fourth")
    rig.tick(2)
    assert any("change is under way" in reason for reason in may_stop(rig, rig.nodes[1]).reasons)


def test_an_unknown_member_is_told_to_be_one() -> None:
    answer = asked(Rig(1).found(), 0, StopQuestion("nobody"))
    assert isinstance(answer, ApiError) and answer.code == "unknown_member"


@TAKERS
def test_a_dry_run_tells_the_steps_and_changes_nothing(taker: int) -> None:
    rig = Rig(4).found(voters=3)
    before = rig.nodes[0].driver.applied.offset
    plan = asked(rig, taker, Plan(target(rig, [*rig.nodes[1:]])))
    assert isinstance(plan, TargetPlan), plan
    assert [step.step for step in plan.steps] == [
        "target",
        "learners",
        "enter-joint",
        "leave-joint",
    ]
    ids = [node.member for node in rig.nodes]
    assert (plan.steps[1].voters, plan.steps[1].learners) == (ids[:3], ids[3:])
    assert (plan.steps[2].voters, plan.steps[2].outgoing) == (ids[1:], ids[:3])
    assert (plan.steps[3].voters, plan.steps[3].outgoing) == (ids[1:], [])
    assert rig.nodes[0].driver.applied.offset == before


def test_a_dry_run_meets_the_refusals_that_the_call_would_meet() -> None:
    rig = Rig(3).found()
    stale = asked(rig, 0, Plan(target(rig, rig.nodes, planned_from=0)))
    assert isinstance(stale, ApiError) and stale.code == "stale_plan"
    nobody = asked(rig, 0, Plan(target(rig, [])))
    assert isinstance(nobody, ApiError) and nobody.code == "invalid_target"


def test_a_dry_run_of_what_was_done_has_no_steps() -> None:
    rig = Rig(3).found()
    request = target(rig, rig.nodes)
    rig.target(rig.nodes, "operation")
    rig.tick(3)
    plan = asked(rig, 0, Plan(request))
    assert isinstance(plan, TargetPlan) and plan.steps == []
