"""Replication and commit (paper 5.3, 5.4.2, figure 8), and what late or lost answers may do."""

import pytest
from msgspec.structs import replace

from replog_node.model.entries import Tail
from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.effects import (
    Accepted,
    Commit,
    Persist,
    ReadEntries,
    Reason,
    Rejected,
    RoleChanged,
)
from replog_node.raft.events import EntriesRead, PeerUp
from replog_node.raft.messages import AppendEntries, AppendReply, Heartbeat, HeartbeatReply
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import LIMITS, Cluster, Node, data, framer, messages, sends


def at(term: int, offset: int) -> Position:
    """A position."""
    return Position(Term(term), Offset(offset))


def appends(node: Node) -> list[AppendEntries]:
    """The AppendEntries that a node sent since it forgot."""
    return messages(node.effects, AppendEntries)


def led(voters: str = "abc", leader: str = "a") -> tuple[Cluster, Node]:
    """A cluster with an established leader."""
    cluster = Cluster(voters)
    node = cluster.elect(leader)
    cluster.run(2)
    for other in cluster.nodes.values():
        other.forget()
    return cluster, node


def test_a_proposal_is_accepted_at_the_next_offset_and_committed_by_a_majority() -> None:
    cluster, a = led()
    cluster.isolate("c")
    accepted = a.propose(data(3))
    assert isinstance(accepted, Accepted)
    assert (accepted.entry.base, accepted.entry.last) == (3, 5)
    cluster.deliver()
    assert a.core.status().commit == at(2, 5)
    assert cluster["b"].core.status().commit == at(2, 5)


def test_nothing_is_committed_without_a_majority() -> None:
    cluster, a = led()
    cluster.isolate("a")
    a.propose()
    cluster.deliver()
    assert a.said(Commit) == []


def test_a_follower_refuses_proposals() -> None:
    cluster, _ = led()
    assert cluster["b"].propose() == Rejected(Reason.NOT_LEADER)
    assert cluster["b"].core.admitting is Reason.NOT_LEADER


def test_nothing_is_admitted_before_the_no_op_is_committed() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    while a.core.role != "leader":
        a.tick()
        cluster.deliver()
    assert a.core.admitting is Reason.NOT_READY
    assert a.propose() == Rejected(Reason.NOT_READY)
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: a.core.admitting is None)


def test_entries_travel_beside_the_leaders_own_write() -> None:
    cluster, a = led()
    a.disk.stalled = True
    a.propose()
    assert all(send.after_ticket == 0 for send in sends(a.effects, AppendEntries))
    cluster.deliver()
    assert a.core.status().commit == at(2, 3)
    assert a.core.status().durable == at(2, 2)


def test_the_leaders_own_write_counts_only_when_it_is_durable() -> None:
    cluster, a = led()
    a.disk.stalled = True
    cluster.isolate("c")
    a.propose()
    cluster.deliver()
    assert a.said(Commit) == []
    a.disk.stalled = False
    cluster.deliver()
    assert a.said(Commit) == [Commit(at(2, 3))]


def test_a_follower_acknowledges_only_what_is_durable() -> None:
    cluster, a = led()
    b = cluster["b"]
    b.disk.stalled = True
    cluster.isolate("c")
    a.propose()
    cluster.deliver()
    assert [send.after_ticket for send in sends(b.effects, AppendReply)] != [0]
    assert a.said(Commit) == []
    b.disk.stalled = False
    cluster.deliver()
    assert a.said(Commit) == [Commit(at(2, 3))]


def test_an_entry_of_an_older_term_is_not_committed_by_counting() -> None:
    """Figure 8: an entry of term 2 lies on a majority, and still only the entry of the leader's
    own term commits it."""
    cluster, a = led()
    cluster.doubtful = lambda e: e.to == "c" or isinstance(e.message, AppendReply)
    a.propose()
    cluster.deliver()
    cluster.crash("a")
    cluster.restart("a")
    cluster.doubtful = lambda e: e.to == "c" and isinstance(e.message, AppendEntries)
    a.disk.stalled = False
    while a.core.role != "leader":
        a.tick()
        cluster["b"].tick()
        cluster.deliver()
        cluster.doubtful = lambda e: (
            isinstance(e.message, AppendEntries) and bool(e.message.entries)
        )
    cluster.deliver()
    assert (2, 3) in a.log()
    assert (2, 3) in cluster["b"].log()
    assert a.core.status().progress[cluster["b"].member].match.offset >= 3
    assert a.core.status().commit == ORIGIN
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: a.core.status().commit.offset == 4)


def test_a_follower_with_entries_that_nobody_committed_gets_them_cut_off() -> None:
    cluster, a = led()
    cluster.isolate("a")
    for _ in range(3):
        a.propose()
    cluster.deliver()
    cluster.elect("b")
    for _ in range(2):
        cluster["b"].propose()
    cluster.deliver()
    a.forget()
    cluster.heal()
    cluster.run_until(lambda: a.log() == cluster["b"].log())
    cuts = [e.truncate_to for e in a.effects if isinstance(e, Persist) and e.truncate_to]
    assert cuts == [at(2, 2)]


def test_a_follower_far_apart_is_found_in_one_question_a_term() -> None:
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.run(2)
    cluster.isolate("c")
    for _ in range(5):
        for leader in "ab":
            cluster.elect(leader)
            for _ in range(10):
                cluster[leader].propose()
            cluster.run(2)
    leader_ = cluster.leader
    held = cluster["c"].core.status().last.offset
    leader_.forget()
    cluster.heal()
    cluster.run_until(lambda: cluster["c"].log() == leader_.log())
    to_c = [s.message for s in sends(leader_.effects, AppendEntries) if s.to == "c"]
    sent = [e.base for m in to_c if isinstance(m, AppendEntries) for e in m.entries]
    questions = [m for m in to_c if isinstance(m, AppendEntries) and m.prev.offset > held]
    assert sent == list(range(held + 1, leader_.core.status().last.offset + 1))
    assert len([m for m in questions if not m.entries]) <= 3


def test_committed_entries_are_never_overwritten() -> None:
    cluster, _ = led()
    b = cluster["b"]
    forged = framer(data(), Term(2), Tail(at(1, 1), b"", 0), 0)
    with pytest.raises(InvariantViolation, match="is committed"):
        b.hear("a", AppendEntries(Term(3), 1, at(1, 1), Offset(-1), (replace(forged, term=3),)))


def test_an_answer_in_a_new_term_waits_until_the_term_is_durable() -> None:
    b = Cluster("abc")["b"]
    last = b.core.status().last
    effects = b.hear("a", AppendEntries(Term(2), 1, last, Offset(-1), ()))
    persist = next(effect for effect in effects if isinstance(effect, Persist))
    assert persist.hard_state is not None
    assert [s.after_ticket for s in sends(effects, AppendReply)] == [persist.ticket]
    effects = b.hear("a", Heartbeat(Term(2), Offset(-1), 1, 0))
    assert [s.after_ticket for s in sends(effects, HeartbeatReply)] == [persist.ticket]


def test_a_follower_that_reconnects_before_its_first_answer_is_not_sent_everything() -> None:
    cluster, a = led()
    for _ in range(5):
        a.propose()
    cluster.deliver()
    cluster.doubtful = lambda e: e.to == "c" and isinstance(e.message, AppendEntries)
    cluster.elect("b")
    cluster.doubtful = lambda _: False
    cluster["b"].forget()
    cluster["b"].step(PeerUp(cluster["c"].member))
    cluster.deliver()
    sent = [e.base for m in appends(cluster["b"]) for e in m.entries]
    assert sent
    assert min(sent) > 7


def test_a_late_append_takes_nothing_back() -> None:
    cluster, a = led()
    for _ in range(3):
        a.propose()
        cluster.deliver()
    first = appends(a)[0]
    b = cluster["b"]
    commit, log = b.core.status().commit, b.log()
    b.hear("a", first, run=1)
    cluster.deliver()
    assert (b.core.status().commit, b.log()) == (commit, log)


def test_a_follower_commits_no_further_than_its_log_is_known_to_agree() -> None:
    cluster, a = led()
    b = cluster["b"]
    last = b.core.status().last
    b.hear("a", AppendEntries(a.core.term, 1, last, Offset(999), ()), run=1)
    assert b.core.status().commit == last


def test_a_heartbeat_carries_a_commit_that_the_follower_has_acknowledged() -> None:
    cluster, a = led()
    cluster.isolate("c")
    for _ in range(5):
        a.propose()
    cluster.deliver()
    a.forget()
    a.tick()
    beats = sends(a.effects, Heartbeat)
    told = {s.to: s.message.commit for s in beats if isinstance(s.message, Heartbeat)}
    assert told == {"b": 7, "c": 2}


def test_a_heartbeat_beyond_the_log_is_a_violation() -> None:
    cluster, a = led()
    with pytest.raises(InvariantViolation, match="the log ends at"):
        cluster["b"].hear("a", Heartbeat(a.core.term, Offset(50), 1, 0), run=1)


def test_answers_of_an_older_session_move_nothing() -> None:
    cluster, a = led()
    cluster.isolate("b")
    a.propose()
    old = appends(a)[0].session
    cluster.heal()
    before = a.core.status().progress[cluster["b"].member]
    cluster.flying.clear()
    a.hear("b", AppendReply(a.core.term, old, True, at(2, 3), at(2, 3)), run=1)
    a.hear("b", AppendReply(a.core.term, old, False, ORIGIN, ORIGIN), run=1)
    assert a.core.status().progress[cluster["b"].member].match == before.match


def test_a_refusal_that_was_overtaken_takes_no_acknowledgement_back() -> None:
    cluster, a = led()
    a.propose()
    session = appends(a)[0].session
    cluster.deliver()
    a.hear("b", AppendReply(a.core.term, session, False, ORIGIN, ORIGIN), run=1)
    assert a.core.status().progress[cluster["b"].member].match == at(2, 3)


def test_answers_about_entries_that_are_not_the_leaders_move_nothing() -> None:
    cluster, a = led()
    a.propose()
    cluster.flying.clear()
    for send in sends(a.effects, AppendEntries):
        assert isinstance(send.message, AppendEntries)
        for match in (at(1, 3), at(2, 99)):
            reply = AppendReply(a.core.term, send.message.session, True, match, match)
            a.hear(send.to, reply, run=1)
    assert a.said(Commit) == []
    assert {p.match for p in a.core.status().progress.values()} == {at(2, 2)}


def test_entries_are_pipelined_without_waiting_for_answers() -> None:
    cluster, a = led()
    for _ in range(5):
        a.propose()
    to_b = [s.message for s in sends(a.effects, AppendEntries) if s.to == "b"]
    assert [m.entries[0].base for m in to_b if isinstance(m, AppendEntries)] == [3, 4, 5, 6, 7]
    cluster.deliver()
    assert a.core.status().commit.offset == 7


@pytest.mark.parametrize(
    "limits",
    [replace(LIMITS, max_inflight_count=2), replace(LIMITS, max_inflight_bytes=100)],
)
def test_what_is_under_way_is_bounded_and_goes_on_with_the_answers(limits: object) -> None:
    cluster = Cluster("abc", limits=limits)  # type: ignore[arg-type]
    a = cluster.elect("a")
    cluster.run(2)
    a.forget()
    for _ in range(20):
        a.propose(data(size=60))
    under_way = [s for s in sends(a.effects, AppendEntries) if s.to == "b"]
    assert len(under_way) <= 2
    cluster.deliver()
    assert a.core.status().commit.offset == 22


def test_a_message_holds_no_more_bytes_than_allowed_but_at_least_one_entry() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, max_append_bytes=400))
    a = cluster.elect("a")
    cluster.isolate("b")
    for size in (50, 50, 50, 50, 3000, 50):
        a.propose(data(size=size))
    cluster.deliver()
    a.forget()
    cluster.heal()
    cluster.deliver()
    sizes = [sum(e.size_bytes for e in m.entries) for m in appends(a) if len(m.entries) > 1]
    assert cluster["b"].log() == a.log()
    assert sizes
    assert max(sizes) <= 400


def test_lost_entries_are_sent_again_after_a_while() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries)
    a.propose()
    cluster.deliver()
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.resend_ticks + 3)
    assert {n.core.status().commit.offset for n in cluster.nodes.values()} == {3}


def test_lost_answers_are_asked_for_again() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    a.propose()
    cluster.run(2)
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.resend_ticks + 3)
    assert a.core.status().commit.offset == 3


def test_a_follower_whose_disk_stalled_is_served_again_when_it_recovers() -> None:
    """hashicorp/raft #612: replication of its own accord, not only on the next proposal."""
    cluster, a = led()
    b = cluster["b"]
    b.disk.stalled = True
    for _ in range(10):
        a.propose()
    cluster.run(3 * LIMITS.resend_ticks)
    b.disk.stalled = False
    cluster.run(LIMITS.resend_ticks + 3)
    assert b.log() == a.log()
    assert a.core.status().progress[b.member].match.offset == 12


def test_a_new_connection_makes_the_leader_ask_anew() -> None:
    _, a = led()
    a.propose()
    session = appends(a)[0].session
    a.forget()
    a.step(PeerUp(a.cluster["b"].member))
    assert [(m.session > session, m.entries) for m in appends(a)] == [(True, ())]


def test_followers_beyond_the_cache_are_served_from_disk() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, cache_bytes=500))
    a = cluster.elect("a")
    cluster.isolate("c")
    for _ in range(30):
        a.propose(data(size=50))
        cluster.deliver()
    assert a.core.recent(Offset(3)) is None
    a.forget()
    cluster.heal()
    cluster.run(5)
    assert a.said(ReadEntries)
    assert cluster["c"].log() == a.log()


def test_only_the_answer_to_the_read_that_is_asked_for_is_sent_on() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, cache_bytes=500))
    a = cluster.elect("a")
    cluster.isolate("c")
    for _ in range(30):
        a.propose(data(size=50))
        cluster.deliver()
    a.forget()
    cluster.heal()
    while not cluster.reads:
        assert cluster.move()
    (_, asked) = cluster.reads.pop()
    held = [entry for entry in a.entries if entry.base > asked.after.offset]
    earlier = next(entry for entry in a.entries if entry.last < asked.after.offset)
    a.forget()
    a.step(EntriesRead(asked.follower, earlier.position, tuple(held)))
    assert appends(a) == []
    a.step(EntriesRead(asked.follower, asked.after, tuple(held[:2])))
    assert appends(a)[0].entries == tuple(held[:2])


def test_entries_that_were_read_and_are_not_in_the_log_are_not_sent() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, cache_bytes=500))
    a = cluster.elect("a")
    cluster.isolate("c")
    for _ in range(30):
        a.propose(data(size=50))
        cluster.deliver()
    cluster.heal()
    while not cluster.reads:
        assert cluster.move()
    (_, asked) = cluster.reads.pop()
    a.forget()
    forged = framer(data(), Term(1), Tail(asked.after, b"", 0), 0)
    a.step(EntriesRead(asked.follower, asked.after, (forged,)))
    assert appends(a) == []
    cluster.run(5)
    assert cluster["c"].log() == a.log()


def test_entries_that_can_not_be_read_are_asked_for_again_at_the_next_tick() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, cache_bytes=500))
    a = cluster.elect("a")
    cluster.isolate("c")
    for _ in range(30):
        a.propose(data(size=50))
        cluster.deliver()
    entries, a.disk.entries = a.disk.entries, []
    cluster.heal()
    cluster.deliver()
    a.disk.entries = entries
    cluster.run(5)
    assert cluster["c"].log() == a.log()


def test_a_restarted_member_holds_what_was_durable_and_gets_the_rest() -> None:
    cluster, a = led()
    a.propose()
    cluster.deliver()
    b = cluster["b"]
    b.disk.stalled = True
    a.propose()
    cluster.deliver()
    cluster.crash("b")
    b.disk.stalled = False
    cluster.restart("b")
    assert b.core.status().last == at(2, 3)
    cluster.run(5)
    assert b.log() == a.log()
    assert b.core.status().commit.offset == 4


def test_all_members_restart_and_nothing_acknowledged_is_lost() -> None:
    cluster, a = led()
    for _ in range(5):
        a.propose()
    cluster.deliver()
    committed = dict(cluster.log)
    for name in "abc":
        cluster.crash(name)
    for name in "abc":
        cluster.restart(name)
    cluster.run_until(lambda: any(n.core.role == "leader" for n in cluster.nodes.values()))
    cluster.run(5)
    assert all(cluster.log[base].frame == entry.frame for base, entry in committed.items())
    assert cluster.leader.core.status().commit.offset == 8


def test_uncommitted_bytes_are_bounded_and_the_bound_lifts_with_the_commit() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, uncommitted_bytes=1000))
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("a")
    while isinstance(a.propose(data(size=100)), Accepted):
        assert a.core.status().last.offset < 50
    assert a.propose() == Rejected(Reason.OVERLOADED)
    assert a.core.admitting is Reason.OVERLOADED
    cluster.heal()
    cluster.run(LIMITS.resend_ticks)
    assert a.core.admitting is None


def test_a_stale_leader_learns_of_the_newer_term_from_the_answer() -> None:
    cluster, a = led()
    cluster.isolate("a")
    cluster.elect("b", still="a")
    assert a.core.role == "leader"
    cluster.cut.clear()
    a.forget()
    a.tick()
    cluster.deliver()
    assert a.core.role == "follower"
    assert a.core.term == cluster["b"].core.term
    assert a.said(RoleChanged)


def test_heartbeat_answers_of_an_earlier_run_of_the_leader_are_ignored() -> None:
    cluster, a = led()
    life = a.incarnation
    cluster.crash("a")
    cluster.restart("a")
    cluster.elect("a")
    cluster.isolate("a")
    for _ in range(LIMITS.election_ticks + 1):
        a.hear("b", HeartbeatReply(a.core.term, 1, 0), answering=life)
        a.tick()
    assert a.core.role == "follower"


def test_messages_of_an_earlier_run_of_the_sender_are_ignored() -> None:
    cluster, a = led()
    b = cluster["b"]
    b.hear("a", Heartbeat(a.core.term, Offset(-1), 1, 0), run=5)
    b.forget()
    b.hear("a", Heartbeat(a.core.term, Offset(-1), 1, 0), run=4)
    assert b.effects == []


def test_nonsense_that_leaves_a_gap_is_not_taken() -> None:
    cluster, a = led()
    b = cluster["b"]
    far = framer(data(), Term(2), Tail(at(2, 9), b"", 0), 0)
    b.hear("a", AppendEntries(a.core.term, 1, at(2, 2), Offset(-1), (far,)), run=1)
    assert messages(b.effects, AppendReply) == []
    assert b.core.status().last == at(2, 2)
