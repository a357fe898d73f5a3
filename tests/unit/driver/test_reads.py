"""Linearizable reads (replog_node/driver/reads.py)."""

from replog_node.driver.limits import DriverLimits
from tests.unit.driver.rig import Rig, batch


def test_a_read_at_a_follower_sees_what_was_acknowledged_before_it_began() -> None:
    rig = Rig(3).found()
    told = rig.nodes[0].append(batch("a"))
    rig.tick(2)
    follower = rig.nodes[2]
    answers = follower.read_index()
    assert [*answers] == [], "nobody answers before somebody was asked"
    rig.deliver()
    rig.tick(2)
    assert answers[0] >= told[0].last_offset
    assert follower.driver.applied.offset >= answers[0]


def test_a_leader_that_is_cut_off_confirms_nothing() -> None:
    rig = Rig(3).found()
    rig.cut_off = {rig.nodes[0].member}
    answers = rig.nodes[0].read_index(within_s=0.5)
    rig.tick(5)
    assert [*answers] == []
    rig.tick(10)
    assert answers.codes == ["read_unconfirmed"] and answers[0].outcome == "none"


def test_reads_that_come_in_one_turn_share_a_round_and_rounds_under_way_are_bounded() -> None:
    rig = Rig(3, limits=DriverLimits(read_rounds=1)).found()
    follower = rig.nodes[1]
    before = len(rig.mail)
    answers = [follower.read_index() for _ in range(5)]
    assert len(rig.mail) == before + 1
    rig.deliver()
    rig.tick(2)
    assert [a.codes for a in answers] == [["ok"]] * 5


def test_a_round_that_failed_is_asked_again_while_there_is_time() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.read_index(within_s=30)
    rig.mail.clear()
    rig.cut_off = {leader.member}
    rig.tick(80)
    assert answers.codes == ["ok"]


def test_reads_that_wait_are_bounded_wherever_they_are() -> None:
    rig = Rig(3, limits=DriverLimits(reads=2)).found()
    rig.cut_off = {node.member for node in rig.nodes}
    node = rig.nodes[0]
    answers = [node.read_index(within_s=0.5) for _ in range(3)]
    assert [a.codes for a in answers] == [[], [], ["overloaded"]]
    rig.tick(15)
    assert [a.codes for a in answers[:2]] == [["read_unconfirmed"]] * 2
    rig.cut_off = set()
    rig.tick(80)
    again = node.read_index()
    rig.tick(4)
    assert again.codes == ["ok"], "who was answered makes room"


def test_a_read_waits_until_what_it_names_is_applied_here() -> None:
    rig = Rig(3).found()
    follower = rig.nodes[1]
    follower.stalled = True
    told = rig.nodes[0].append(batch("a"))
    rig.tick(3)
    assert told.codes == ["ok"]
    answers = follower.read_index(within_s=30)
    rig.tick(3)
    held = follower.driver.applied.offset
    assert [*answers] == [] or answers[0] <= held
    follower.stalled = False
    rig.tick(5)
    assert answers[0] >= told[0].last_offset


def test_reads_that_wait_at_the_end_are_refused() -> None:
    rig = Rig(3).found()
    answers = rig.nodes[1].read_index()
    rig.nodes[1].driver.close()
    assert answers.codes == ["shutting_down"]


def test_a_confirmation_counts_from_when_its_question_was_sent() -> None:
    rig = Rig(3).found()
    follower = rig.nodes[1]
    before = follower.driver.confirmed_s
    assert before is not None and before < rig.now_s, "that it asked at its start"
    answers = follower.read_index(within_s=30)
    asked_s = rig.now_s
    rig.tick(3)
    assert answers.codes == ["ok"]
    assert follower.driver.confirmed_s == asked_s


def test_what_is_confirmed_and_not_applied_here_confirms_nothing_yet() -> None:
    rig = Rig(3).found()
    follower = rig.nodes[1]
    before = follower.driver.confirmed_s
    follower.stalled = True
    rig.nodes[0].append(batch("a"))
    rig.tick(3)
    answers = follower.read_index(within_s=30)
    asked_s = rig.now_s
    rig.tick(3)
    waited = follower.driver.confirmed_s
    follower.stalled = False
    rig.tick(5)
    assert (waited, follower.driver.confirmed_s, answers.codes) == (before, asked_s, ["ok"])


def test_a_question_that_failed_confirms_from_when_it_was_asked_again() -> None:
    rig = Rig(3).found()
    follower = rig.nodes[1]
    follower.read_index(within_s=30)
    asked_s = rig.now_s
    rig.mail.clear()
    rig.cut_off = {rig.nodes[0].member}
    rig.tick(80)
    confirmed_s = follower.driver.confirmed_s
    assert confirmed_s is not None and confirmed_s > asked_s
