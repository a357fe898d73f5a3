"""The order of things in a member's life (replog_node/driver/driver.py, kernel.py)."""

import pytest

from replog_node.driver.kernel import HELD_MAX
from replog_node.driver.messages import ForwardAppends
from replog_node.driver.wire import decode
from replog_node.model.positions import Lineage, MemberId, Term
from replog_node.raft.effects import RoleChanged
from replog_node.raft.events import ReadRequested
from replog_node.raft.messages import AppendReply, Envelope, RequestVote, VoteReply
from replog_node.raft.violation import InvariantViolation
from tests.unit.driver.rig import Answers, Node, Rig, batch


def replies(rig: Rig, kind: type) -> list[Envelope]:
    """Messages of the core of this kind that are on their way."""
    found = [decode(data) for _, _, data in rig.mail]
    return [m for m in found if isinstance(m, Envelope) and isinstance(m.message, kind)]


def test_an_append_reply_leaves_only_after_the_disk_has_the_entries() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    follower.stalled = True
    leader.append(batch("a"))
    sender, to, data = next(m for m in rig.mail if m[1] == follower.member)
    rig.mail.clear()
    follower.driver.receive(decode(data))
    assert replies(rig, AppendReply) == [] and sender == leader.member and to == follower.member
    follower.stalled = False
    follower.work()
    assert len(replies(rig, AppendReply)) == 1


def test_a_vote_leaves_only_after_the_disk_has_it() -> None:
    rig = Rig(3).found()
    _, voter, candidate = rig.nodes
    core = candidate.driver.kernel.core
    assert core is not None
    voter.stalled = True
    request = RequestVote(Term(99), core.status().last, pre=False, transfer=True, attempt=1)
    voter.driver.receive(
        Envelope(candidate.member, voter.member, candidate.driver.kernel.incarnation, None, request)
    )
    assert replies(rig, VoteReply) == []
    voter.stalled = False
    voter.work()
    assert [reply.message.term for reply in replies(rig, VoteReply)] == [99]


def test_messages_that_wait_for_a_disk_are_bounded() -> None:
    rig = Rig(3).found()
    _, voter, candidate = rig.nodes
    voter.stalled = True
    core = candidate.driver.kernel.core
    assert core is not None
    request = RequestVote(Term(99), core.status().last, pre=False, transfer=True, attempt=1)
    envelope = Envelope(
        candidate.member, voter.member, candidate.driver.kernel.incarnation, None, request
    )
    for _ in range(HELD_MAX + 10):
        voter.driver.receive(envelope)
    assert len(voter.driver.kernel._held) == HELD_MAX


def test_a_message_to_another_member_is_dropped() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    last = leader.driver.status("", {}).last_offset
    group = ForwardAppends(
        follower.member, MemberId("elsewhere"), follower.driver.kernel.incarnation, 9, 1000,
        (batch("a").data,),
    )  # fmt: skip
    leader.driver.receive(group)
    rig.tick(3)
    assert leader.driver.status("", {}).last_offset == last


def test_nothing_steps_the_core_while_its_effects_are_carried_out() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    kernel = node.driver.kernel

    def step(_: object) -> None:
        kernel.run(ReadRequested(8))

    kernel._on_effect = step
    with pytest.raises(InvariantViolation, match="while effects"):
        kernel.run(ReadRequested(7))


def test_a_removed_member_says_so_at_once_to_all_who_wait_and_for_good() -> None:
    rig = Rig(3).found()
    removed = rig.nodes[2]
    rig.target(rig.nodes[:2], "fewer")
    rig.tick(20)
    assert removed.parked
    assert removed.append(batch("a")).codes == ["removed"]
    assert removed.read_index().codes == ["removed"]
    assert removed.driver.ready("read") is not None
    assert rig.nodes[0].driver.ready("write") is None


def test_a_fenced_member_answers_everybody_and_says_nothing_more() -> None:
    rig = Rig(3).found()
    leader = rig.nodes[0]
    leader.stalled = True
    begun, read = leader.append(batch("a")), leader.read_index()
    rig.mail.clear()
    leader.driver.fence(Lineage(2, "newer"))
    assert begun.codes == ["outcome_unknown"], "it may be committed by others"
    assert read.codes == ["fenced"]
    rig.tick(2)
    assert not [m for m in rig.mail if m[0] == leader.member]
    assert leader.append(batch("b")).codes == ["fenced"]


def stop(rig: Rig, node: Node, ticks: int) -> int:
    """Let a member stop; return after how many ticks it was drained."""
    node.driver.begin_stop()
    for tick in range(ticks):
        if node.driver.drained:
            return tick
        rig.tick()
    raise AssertionError("it never drained")


def test_a_leader_that_stops_hands_over_and_finishes_what_it_has_begun() -> None:
    rig = Rig(3).found()
    leader = rig.nodes[0]
    begun = leader.append(batch("a"))
    stop(rig, leader, 30)
    assert begun.codes == ["ok"] and not leader.driver.kernel.leading
    assert leader.append(batch("b")).codes == ["shutting_down"]
    rig.tick(3)
    assert any(node.driver.kernel.leading for node in rig.nodes[1:])


def test_a_sole_member_stops_without_waiting_for_anybody() -> None:
    rig = Rig().found()
    assert stop(rig, rig.nodes[0], 3) <= 1


def test_a_stopping_member_waits_for_the_answers_to_what_it_sent_on() -> None:
    rig = Rig(3).found()
    follower = rig.nodes[1]
    answers = follower.append(batch("a"))
    follower.driver.begin_stop()
    assert not follower.driver.drained
    rig.tick(3)
    assert answers.codes == ["ok"] and follower.driver.drained


def test_closing_answers_everybody_once() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    leader.stalled = True
    begun, sent, read = leader.append(batch("a")), follower.append(batch("b")), leader.read_index()
    leader.driver.close()
    follower.driver.close()
    assert begun.codes == ["outcome_unknown"] and sent.codes == ["outcome_unknown"]
    assert read.codes == ["shutting_down"]
    leader.driver.close()
    rig.tick(2)
    assert [len(a) for a in (begun, sent, read)] == [1, 1, 1]


def test_a_lead_lost_and_won_again_within_one_turn_leaves_no_head_state_behind() -> None:
    rig = Rig().found()
    driver = rig.nodes[0].driver
    driver._head._next_producer_id = 77
    for role in ("follower", "leader"):
        driver._role_changed(RoleChanged(role, Term(9), None, driver.applied.offset))
    driver.flush()
    assert driver._head._next_producer_id == 0


def test_pages_hold_committed_entries_only_and_at_least_one() -> None:
    rig = Rig(3).found()
    leader = rig.nodes[0]
    told = leader.append(batch("a"), batch("b"))
    rig.tick(2)
    rig.cut_off = {leader.member}
    leader.append(batch("never"))
    pages = Answers()
    leader.driver.read_entries(told[0].base_offset, 1, pages)
    leader.driver.read_entries(told[1].last_offset + 1, 1 << 20, pages)
    assert [len(page) for page in pages] == [1, 0]


def test_how_stale_a_local_read_may_be_is_known_of_a_follower_and_unknown_without_a_leader() -> (
    None
):
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    assert 0 <= follower.driver.staleness_ms <= 200
    assert leader.driver.staleness_ms == 1000
    rig.cut_off = {follower.member}
    rig.tick(5)
    assert follower.driver.staleness_ms >= 200
    rig.tick(60)
    assert follower.driver.staleness_ms == -1


def test_a_watch_that_is_ended_leaves_nothing_behind() -> None:
    rig = Rig(1).found()
    (only,) = rig.nodes
    woken: list[str] = []
    for _ in range(5000):
        end = only.driver.watch(lambda: woken.append("ended"))
        assert end is not None
        end()
    assert only.driver.watch(lambda: woken.append("waits")) is not None
    only.append(batch("a"))
    rig.tick(3)
    assert woken == ["waits"]


def test_watches_are_bounded() -> None:
    rig = Rig(1).found()
    (only,) = rig.nodes
    made = [only.driver.watch(lambda: None) for _ in range(100_001)]
    assert made[-1] is None and made[-2] is not None


def test_what_others_send_to_a_stopping_leader_finds_the_next_one() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = follower.append(batch("a"))
    leader.driver.begin_stop()
    rig.tick(120)
    assert answers.codes == ["ok"]
