"""What a member's disk permits: room, holes, a lost end (design section 3, Storage)."""

from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import HandingOver, Persist, Reason, Rejected
from replog_node.raft.events import DiskState
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    RequestVote,
    TimeoutNow,
    VoteReply,
)
from replog_node.raft.state import MemberProgress
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import LIMITS, Cluster, Node, messages, sends, target


def at(term: int, offset: int) -> Position:
    return Position(Term(term), Offset(offset))


def led(voters: str = "abc", others: str = "") -> tuple[Cluster, Node]:
    """a leads, everybody has everything."""
    cluster = Cluster(voters, others=others, watcher=Figure3())
    a = cluster.elect("a")
    cluster.run(2)
    return cluster, a


def known(leader: Node, member: str) -> MemberProgress:
    """What a leader knows of a member."""
    return leader.core.status().progress[MemberId(member)]


# Room.


def test_a_heartbeats_answer_says_what_the_disk_is_like() -> None:
    cluster, a = led()
    cluster["b"].disk_is(low=True)
    cluster.run(2)
    b = known(a, "b")
    assert (b.free_bytes, b.low, b.full, b.whole) == (1000, True, False, True)


def test_data_is_taken_while_the_leader_and_a_quorum_have_room() -> None:
    cluster, a = led()
    assert a.core.roomy
    cluster["b"].disk_is(low=True)
    cluster.run(2)
    assert a.core.roomy
    cluster["c"].disk_is(low=True)
    cluster.run(2)
    assert not a.core.roomy
    cluster["b"].disk_is()
    cluster.run(2)
    assert a.core.roomy
    cluster["b"].disk_is(full=True)
    cluster.run(2)
    assert not a.core.roomy
    cluster["b"].disk_is()
    cluster.run(2)
    a.disk_is(low=True)
    assert not a.core.roomy
    assert not cluster["b"].core.roomy


def test_a_member_that_is_silent_has_no_room_that_counts() -> None:
    cluster, a = led()
    cluster["b"].disk_is(low=True)
    cluster.isolate("c")
    cluster.run(LIMITS.election_ticks + 2)
    assert not a.core.roomy


def test_while_joint_both_halves_need_room() -> None:
    cluster, a = led("abc", others="xyz")
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries) and e.to in "xyz" and (
        cluster["a"].core.configuration is None or cluster["a"].core.configuration.joint
    )  # fmt: skip
    a.aim(target("axyz", "op-1", a.core.status().configuration_offset))
    cluster.run_until(lambda: bool(a.core.configuration and a.core.configuration.joint))
    assert a.core.roomy
    for name in "bc":
        cluster[name].disk_is(low=True)
    cluster.run(2)
    assert a.core.configuration is not None
    assert a.core.configuration.joint
    assert not a.core.roomy


def test_a_full_follower_takes_nothing_more_and_is_paused_until_it_says_otherwise() -> None:
    cluster, a = led()
    b = cluster["b"]
    b.disk_is(full=True)
    b.forget()
    a.propose()
    cluster.run(2)
    assert b.log()[-1] == (2, 2)
    assert b.said(Persist) == []
    assert a.core.status().commit == at(2, 3)
    a.forget()
    for _ in range(3):
        a.propose()
    cluster.run(3 * LIMITS.resend_ticks)
    sent = [send.message for send in sends(a.effects, AppendEntries) if send.to == "b"]
    assert [m for m in sent if isinstance(m, AppendEntries) and m.entries] == []
    assert known(a, "b").full
    b.disk_is()
    cluster.run(3)
    assert b.log()[-1] == (2, 6)
    assert known(a, "b").match == at(2, 6)


def test_what_a_full_follower_did_not_take_comes_as_soon_as_it_has_room() -> None:
    cluster, a = led()
    b = cluster["b"]
    b.disk_is(full=True)
    a.propose()
    cluster.run()
    b.disk_is()
    cluster.run(LIMITS.heartbeat_ticks + 1)
    assert LIMITS.heartbeat_ticks + 1 < LIMITS.resend_ticks
    assert b.log()[-1] == (2, 3)


def test_an_answer_that_says_full_stops_the_entries() -> None:
    _, a = led()
    for name in "bc":
        for number in range(5):  # one of them is its session
            reply = AppendReply(Term(2), number, True, at(2, 2), at(2, 2), full=True)
            a.hear(name, reply, run=1)
    a.forget()
    a.propose()
    assert sends(a.effects, AppendEntries) == []


def test_a_full_follower_says_so_when_it_is_sent_entries() -> None:
    cluster, a = led()
    b = cluster["b"]
    a.propose()
    entry = a.entries[-1]
    b.disk_is(full=True)
    effects = b.hear("a", AppendEntries(Term(2), 9, at(2, 2), Offset(2), (entry,)), run=1)
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.match, reply.full) == (True, at(2, 2), True)


# Holes.


def test_from_its_first_hole_on_a_member_acknowledges_only_what_is_committed() -> None:
    cluster, a = led()
    b = cluster["b"]
    cluster.isolate("c")
    b.disk_is(hole=2)
    a.propose()
    cluster.run(3 * LIMITS.resend_ticks)
    assert b.log()[-1] == (2, 3)
    assert known(a, "b").match == at(2, 2)
    assert a.core.status().commit == at(2, 2)
    assert not known(a, "b").whole
    cluster.heal()
    cluster.run(2)
    assert a.core.status().commit == at(2, 3)
    assert known(a, "b").match == at(2, 3)


def test_a_hole_that_is_filled_is_acknowledged_at_once() -> None:
    cluster, a = led()
    b = cluster["b"]
    cluster.isolate("c")
    b.disk_is(hole=2)
    a.propose()
    cluster.run(2)
    assert a.core.status().commit == at(2, 2)
    b.disk_is()
    cluster.run(2)
    assert a.core.status().commit == at(2, 3)


def test_after_a_restart_a_hole_holds_back_what_the_member_has_above_it() -> None:
    cluster, a = led()
    b = cluster["b"]
    for _ in range(3):
        a.propose()
    cluster.run(2)
    cluster.crash("b")
    b.disk.state = DiskState(1000, False, False, Offset(4))
    cluster.isolate("a")
    cluster.isolate("c")
    b = cluster.restart("b")
    effects = b.hear("a", AppendEntries(Term(2), 9, at(2, 5), Offset(2), ()), run=1)
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.match) == (True, at(2, 3))


def test_a_leader_does_not_count_its_own_entries_behind_its_hole() -> None:
    cluster, a = led()
    cluster.isolate("c")
    a.disk_is(hole=2)
    a.propose()
    cluster.deliver()
    assert known(a, "b").match == at(2, 3)
    assert a.core.status().commit == at(2, 2)


def test_a_leaders_hole_that_is_filled_holds_nothing_back_any_longer() -> None:
    cluster, a = led()
    cluster.isolate("c")
    a.disk_is(hole=2)
    a.propose()
    cluster.deliver()
    assert a.core.status().commit == at(2, 2)
    a.disk_is()
    assert a.core.status().commit == at(2, 3)


def test_a_member_with_a_hole_votes_and_neither_campaigns_nor_takes_the_lead() -> None:
    cluster, _a = led()
    b = cluster["b"]
    b.disk_is(hole=2)
    b.forget()
    assert b.hear("a", TimeoutNow(Term(2)), run=1) == []
    cluster.isolate("a")
    for _ in range(5 * LIMITS.election_ticks):
        b.tick()
    assert messages(b.effects, RequestVote) == []
    c = cluster.elect("c")
    assert c.core.term == 3


def test_nobody_hands_over_to_a_member_with_a_hole() -> None:
    cluster, a = led()
    cluster["b"].disk_is(hole=2)
    cluster.run(2)
    (refusal,) = a.transfer("b")
    assert isinstance(refusal, Rejected)
    assert refusal.reason is Reason.MEMBER_BEHIND
    assert "whole log" in refusal.detail
    a.transfer()
    cluster.deliver()
    assert cluster["c"].core.role == "leader"


def test_a_leader_that_gets_a_hole_hands_over() -> None:
    cluster, a = led()
    a.disk_is(hole=2)
    cluster.run(2)
    assert a.said(HandingOver) == [HandingOver(MemberId("b"), "hole")]
    assert cluster["b"].core.role == "leader"


def test_a_leader_with_a_hole_stays_when_nobody_else_can_lead() -> None:
    cluster, a = led()
    for name in "bc":
        cluster[name].disk_is(hole=1)
    cluster.run(2)
    a.disk_is(hole=2)
    cluster.run(5)
    assert a.said(HandingOver) == []
    assert a.core.role == "leader"
    cluster["c"].disk_is()
    cluster.run(3)
    assert cluster["c"].core.role == "leader"


def test_a_learner_with_a_hole_is_not_caught_up() -> None:
    cluster, a = led(others="x")
    x = cluster["x"]
    a.aim(target("abcx", "op-1", a.core.status().configuration_offset))
    x.disk_is(hole=1)
    cluster.run(30)
    assert cluster.changes() == ["target", "learners"]
    x.disk_is()
    cluster.run(10)
    assert cluster.changes()[-1] == "leave-joint"


# A lost end.


def test_a_member_that_lost_the_end_of_its_log_neither_votes_nor_campaigns() -> None:
    """It may have acknowledged entry 4 with a alone; with its vote c could lead without it."""
    cluster, a = led()
    cluster.isolate("c")
    for _ in range(2):
        a.propose()
    cluster.run(2)
    assert a.core.status().commit == at(2, 4)
    cluster.crash("a")
    b = cluster.tear("b", 2)
    cluster.heal()
    cluster.run(6 * LIMITS.election_ticks)
    assert b.core.status().unproven
    assert cluster["c"].core.role != "leader"
    assert messages(b.effects, RequestVote) == []
    assert all(not reply.granted for reply in messages(b.effects, VoteReply))


def test_it_votes_again_once_a_leader_has_replicated_past_the_mark() -> None:
    cluster, a = led()
    cluster.isolate("c")
    for _ in range(2):
        a.propose()
    cluster.run(2)
    b = cluster.tear("b", 2)
    cluster.run(3)
    assert b.log()[-1] == (2, 4)
    assert not b.core.status().unproven
    cluster.isolate("a")
    cluster.cut = {link for link in cluster.cut if "a" in link}
    cluster.elect("b")


def test_it_is_not_past_the_mark_before_its_disk_has_it() -> None:
    cluster, a = led()
    for _ in range(2):
        a.propose()
    cluster.run(2)
    b = cluster.tear("b", 2)
    b.disk.stalled = True
    cluster.run(3)
    assert b.core.status().last == at(2, 4)
    assert b.core.status().unproven


def test_a_heartbeat_that_counts_on_what_was_lost_harms_nobody() -> None:
    cluster, a = led()
    a.propose()
    cluster.run(2)
    b = cluster.tear("b", 2)
    effects = b.hear("a", Heartbeat(Term(2), Offset(3), 99, 0), run=1)
    (reply,) = messages(effects, HeartbeatReply)
    assert not reply.whole
    assert b.core.status().commit.offset <= 2
    cluster.run(2)
    assert b.log()[-1] == (2, 3)


def test_a_leader_counts_a_member_that_lost_its_end_for_what_it_has_now() -> None:
    cluster, a = led()
    a.propose()
    cluster.run(2)
    cluster.doubtful = lambda e: bool(getattr(e.message, "entries", ()))
    cluster.tear("b", 2)
    cluster.run(1)
    assert known(a, "b").match.offset <= 2
