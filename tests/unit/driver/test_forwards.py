"""Appends that another member leads (replog_node/driver/forwards.py)."""

from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import (
    ForwardAppends,
    ForwardedAppended,
    ForwardedRefusal,
    ForwardResults,
)
from replog_node.driver.outstanding import GRACE_S
from replog_node.driver.wire import decode
from replog_node.raft.messages import Incarnation
from tests.unit.driver.rig import Answers, Node, Rig, batch

LIMITS = DriverLimits(forwards=1)


def three() -> tuple[Rig, Node, Node, Node]:
    rig = Rig(3).found()
    leader, follower, other = rig.nodes
    return rig, leader, follower, other


def on_the_way(rig: Rig) -> list[ForwardAppends]:
    """Groups that are sent and not delivered."""
    return [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardAppends)]


def lose(rig: Rig) -> None:
    """Lose everything that is on its way."""
    rig.mail.clear()


def refuse(rig: Rig, by: Node, follower: Node, group: ForwardAppends, code: str) -> None:
    """Let a member refuse a whole group with this code."""
    results = tuple(ForwardedRefusal(code, "so it said") for _ in group.batches)
    follower.driver.receive(
        ForwardResults(
            by.member, follower.member, by.driver.kernel.incarnation, group.incarnation, group.id,
            results,
        )
    )  # fmt: skip


def test_a_follower_sends_on_what_came_in_one_turn_as_one_group_and_gives_each_its_answer() -> None:
    rig, _, follower, _ = three()
    answers = follower.append(batch("a"), batch("b", "c"), batch("d"))
    assert [len(group.batches) for group in on_the_way(rig)] == [3]
    rig.deliver()
    rig.tick(2)
    first = answers[0].base_offset
    assert [a.base_offset - first for a in answers] == [0, 1, 3]
    assert follower.forwarded_batches == 3


def test_groups_under_way_are_bounded_and_the_next_one_grows() -> None:
    rig = Rig(3, limits=LIMITS).found()
    follower = rig.nodes[1]
    for value in "abc":
        follower.append(batch(value))
    assert [len(group.batches) for group in on_the_way(rig)] == [1]
    rig.deliver()
    rig.tick(2)
    assert follower.forwarded_batches == 3 and follower.driver.appends.waiting == 0


def test_a_lost_connection_makes_the_outcome_unknown_and_nothing_is_sent_twice() -> None:
    rig, leader, follower, _ = three()
    answers = follower.append(batch("a"))
    sent = follower.forwarded_batches
    follower.driver.peer_down(leader.member)
    assert answers.codes == ["outcome_unknown"] and answers[0].outcome == "unknown"
    rig.deliver()
    rig.tick(5)
    assert len(answers) == 1 and follower.forwarded_batches == sent
    values = b"".join(entry.frame for entry in leader.entries())
    assert values.count(batch("a").data[61:]) == 1, "it happened, all the same"


def test_the_connection_of_somebody_else_changes_nothing() -> None:
    rig, _, follower, other = three()
    answers = follower.append(batch("a"))
    follower.driver.peer_down(other.member)
    rig.deliver()
    rig.tick(2)
    assert answers.codes == ["ok"]


def test_without_a_connection_appends_wait_and_then_surely_did_not_happen() -> None:
    rig, leader, follower, _ = three()
    rig.cut_off = {leader.member}
    answers = follower.append(batch("a"), within_s=0.3)
    rig.tick(4)
    assert [*answers] == []
    rig.tick(4)
    assert answers[0].outcome == "none"


def test_each_batch_of_a_group_is_given_up_in_its_own_time() -> None:
    rig, _, follower, _ = three()
    hurried = Answers()
    follower.driver.append(batch("a"), hurried, deadline_s=rig.now_s + 0.1)
    slow = follower.append(batch("b"), within_s=60)
    lose(rig)
    rig.tick(int((0.2 + GRACE_S) / 0.05) + 1)
    assert hurried.codes == ["timeout"] and [*slow] == []
    follower.driver.close()
    assert slow.codes == ["outcome_unknown"] and len(hurried) == 1


def test_what_a_member_refused_because_it_does_not_lead_waits_for_the_next_leader() -> None:
    rig, leader, follower, _ = three()
    answers = follower.append(batch("a"))
    group = on_the_way(rig)[0]
    lose(rig)
    refuse(rig, leader, follower, group, "not_leader")
    assert [*answers] == [] and on_the_way(rig) == [], "not before the next tick"
    rig.tick(3)
    assert answers.codes == ["ok"]


def test_groups_that_come_back_in_any_order_are_sent_again_in_their_first_order() -> None:
    rig, leader, follower, _ = three()
    answers = [follower.append(batch(value)) for value in "ab"]
    first, second = on_the_way(rig)
    lose(rig)
    for group in (first, second):
        refuse(rig, leader, follower, group, "not_leader")
    later = follower.append(batch("c"))
    rig.tick(3)
    offsets = [one[0].base_offset for one in (*answers, later)]
    assert offsets == sorted(offsets)


def test_a_refusal_that_only_a_newer_build_knows_is_told_as_unknown() -> None:
    rig, leader, follower, _ = three()
    answers = follower.append(batch("a"))
    group = on_the_way(rig)[0]
    lose(rig)
    refuse(rig, leader, follower, group, "from_the_future")
    assert answers.codes == ["outcome_unknown"]


def test_an_answer_to_another_life_or_from_somebody_else_moves_nothing() -> None:
    rig, leader, follower, other = three()
    answers = follower.append(batch("a"))
    group = on_the_way(rig)[0]
    lose(rig)
    refuse(rig, other, follower, group, "overloaded")
    old = ForwardAppends(
        group.sender, group.to, Incarnation(0, 0), group.id, group.budget_ms, group.batches
    )
    refuse(rig, leader, follower, old, "overloaded")
    assert [*answers] == []
    refuse(rig, leader, follower, group, "overloaded")
    assert answers.codes == ["overloaded"]


def test_a_group_that_arrives_twice_is_appended_once() -> None:
    rig, leader, follower, _ = three()
    answers = follower.append(batch("a"))
    rig.mail.extend([*rig.mail])
    rig.deliver()
    rig.tick(3)
    assert answers.codes == ["ok"]
    values = b"".join(entry.frame for entry in leader.entries())
    assert values.count(batch("a").data[61:]) == 1


def test_a_member_that_does_not_lead_refuses_a_group_and_appends_nothing() -> None:
    rig, _, follower, other = three()
    group = ForwardAppends(
        follower.member, other.member, follower.driver.kernel.incarnation, 99, 1000,
        (batch("a").data,),
    )  # fmt: skip
    other.driver.receive(group)
    results = [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardResults)]
    assert [
        result.code for result in results[0].results if isinstance(result, ForwardedRefusal)
    ] == ["not_leader"]


def test_a_batch_that_is_damaged_on_its_way_is_refused_alone_and_the_group_is_answered() -> None:
    rig, leader, follower, _ = three()
    damaged = bytearray(batch("broken").data)
    damaged[-1] ^= 1
    group = ForwardAppends(
        follower.member, leader.member, follower.driver.kernel.incarnation, 99, 1000,
        (bytes(damaged), batch("whole").data),
    )  # fmt: skip
    leader.driver.receive(group)
    rig.tick(2)
    results = [m for data in rig.delivered if isinstance(m := decode(data), ForwardResults)]
    refused, taken = results[-1].results
    assert isinstance(refused, ForwardedRefusal) and refused.code == "batch_invalid"
    assert isinstance(taken, ForwardedAppended)
    values = b"".join(entry.frame for entry in leader.entries())
    assert b"whole" in values and b"broken" not in values


def test_groups_that_are_carried_out_are_bounded() -> None:
    rig = Rig(3, limits=DriverLimits(served_forwards=1)).found()
    follower = rig.nodes[1]
    first, second = follower.append(batch("a")), follower.append(batch("b"))
    rig.deliver()
    rig.tick(2)
    assert first.codes == ["ok"] and second.codes == ["overloaded"]
    third = follower.append(batch("c"))
    rig.tick(2)
    assert third.codes == ["ok"], "an answered group makes room"


def test_what_others_sent_to_a_leader_that_lost_the_lead_finds_the_next_one() -> None:
    rig = Rig(3, limits=DriverLimits(groups_ahead=1)).found()
    leader, follower, other = rig.nodes
    leader.stalled = True
    for node in (leader, follower):
        node.append(*(batch(f"{node.name}{n}") for n in range(2)))
    answers = follower.append(batch("z"), within_s=30)
    rig.deliver()
    rig.cut_off = {leader.member}
    follower.driver.peer_down(leader.member)
    assert set(answers.codes) <= {"outcome_unknown"}
    again = follower.append(batch("y"), within_s=30)
    rig.tick(80)
    assert again.codes == ["ok"] and other.driver.kernel.leader != leader.member
