"""Elections, terms and votes (paper 5.2, 5.4.1; thesis 4.2.3, 9.6)."""

import itertools

import pytest

from replog_node.model.positions import TERM_MAX, MemberId, Offset, Position, Term
from replog_node.raft.effects import Effect, Persist, RoleChanged, Send
from replog_node.raft.events import HardState
from replog_node.raft.messages import (
    AppendEntries,
    Envelope,
    Heartbeat,
    Incarnation,
    RequestVote,
    TimeoutNow,
    VoteReply,
)
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import LIMITS, Cluster, data, framer, messages, sends


def test_three_members_elect_one_leader_that_commits_its_no_op_everywhere() -> None:
    cluster = Cluster("abc")
    cluster.run_until(lambda: any(n.core.role == "leader" for n in cluster.nodes.values()))
    cluster.run(3)
    leader = cluster.leader
    assert [n.core.role for n in cluster.nodes.values()].count("leader") == 1
    assert {n.core.leader for n in cluster.nodes.values()} == {leader.member}
    assert {n.core.status().commit.offset for n in cluster.nodes.values()} == {2}
    assert leader.core.ready_at == 2


def test_a_leader_that_is_heard_stays_leader() -> None:
    cluster = Cluster("abc")
    cluster.elect("b")
    cluster.run(2)
    for node in cluster.nodes.values():
        node.forget()
    cluster.run(20 * LIMITS.election_ticks)
    assert [n.said(RoleChanged) for n in cluster.nodes.values()] == [[], [], []]


def test_a_sole_voter_leads_after_one_tick_and_commits_only_what_is_durable() -> None:
    cluster = Cluster("a")
    a = cluster["a"]
    a.disk.stalled = True
    a.tick()
    assert a.core.role == "candidate"
    a.persist_one()
    assert a.core.role == "leader"
    assert a.core.status().commit == (0, -1)
    a.persist_one()
    assert a.core.status().commit.offset == 2


def test_a_pre_candidate_without_a_quorum_never_raises_its_term() -> None:
    cluster = Cluster("abc")
    cluster.isolate("a")
    for _ in range(200):
        cluster["a"].tick()
        cluster.deliver()
    assert cluster["a"].core.role == "pre-candidate"
    assert cluster["a"].core.term == 1


def test_a_member_that_was_cut_off_does_not_disturb_the_leader_when_it_comes_back() -> None:
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.isolate("c")
    cluster.run(100)
    term = cluster["a"].core.term
    cluster.heal()
    cluster.run(30)
    assert cluster["a"].core.role == "leader"
    assert {n.core.term for n in cluster.nodes.values()} == {term}


def test_a_vote_leaves_only_after_term_and_vote_are_durable() -> None:
    cluster = Cluster("abc")
    b = cluster["b"]
    effects = b.hear("a", _ask(2))
    persist = [e for e in effects if isinstance(e, Persist)]
    reply = sends(effects, VoteReply)[0]
    assert persist[-1].hard_state == HardState(Term(2), MemberId("a"))
    assert reply.after_ticket == persist[-1].ticket
    assert effects.index(persist[-1]) < effects.index(reply)


def test_a_pre_vote_is_given_for_the_next_term_and_promises_nothing() -> None:
    b = Cluster("abc")["b"]
    effects = b.hear("a", _ask(2, pre=True))
    assert messages(effects, VoteReply) == [VoteReply(Term(2), True, True, 1)]
    assert effects == sends(effects, VoteReply)
    assert _granted(b.hear("c", _ask(2, pre=True)))
    assert b.core.term == 1


def test_a_candidate_that_a_majority_refuses_follows_again_at_once() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    cluster.doubtful = lambda e: e.to == "a" and not messages_pre(e)
    while a.core.role != "candidate":
        a.tick()
        cluster.deliver()
    attempt = messages(a.effects, RequestVote)[-1].attempt
    for other in "bc":
        a.hear(other, VoteReply(a.core.term, False, False, attempt))
    assert a.core.role == "follower"


def messages_pre(envelope: Envelope) -> bool:
    """Whether it answers a pre-vote."""
    return isinstance(envelope.message, VoteReply) and envelope.message.pre


def test_an_earlier_write_that_ends_does_not_count_the_own_vote() -> None:
    """A sole voter, which an older leader outside its configuration gave an entry and a term."""
    a = Cluster("a")["a"]
    a.disk.stalled = True
    entry = framer(data(), Term(2), a.core.tail, 0)
    a.hear("z", AppendEntries(Term(2), 1, _at(1, 1), Offset(-1), (entry,)))
    while a.core.role != "candidate":
        a.tick()
    for _ in range(2):
        a.persist_one()
        assert a.core.role == "candidate"
    a.persist_one()
    assert a.core.role == "leader"


def test_a_candidates_own_vote_counts_only_once_it_is_durable() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    a.disk.stalled = True
    while a.core.role != "candidate":
        a.tick()
        cluster.deliver()
    assert sends(a.effects, RequestVote)[-1].after_ticket == 1
    assert not cluster.flying
    a.persist_one()
    cluster.deliver()
    assert a.core.role == "leader"


def test_a_member_votes_once_a_term_and_remembers_it_over_a_restart() -> None:
    cluster = Cluster("abc")
    b = cluster["b"]
    b.hear("a", _ask(2))
    cluster.deliver()
    b.start()
    effects = b.hear("c", _ask(2))
    assert not _granted(effects)
    effects = b.hear("a", _ask(2))
    assert _granted(effects)


def test_a_candidate_with_an_older_log_gets_no_vote() -> None:
    cluster = Cluster("abc")
    for pre in (True, False):
        assert not _granted(cluster["b"].hear("a", _ask(2, last=_at(1, 0), pre=pre)))
        assert _granted(cluster["b"].hear("a", _ask(2, last=_at(1, 1), pre=pre)))


def test_a_longer_log_of_an_older_term_loses_to_a_shorter_one_of_a_newer_term() -> None:
    cluster = Cluster("abc")
    cluster.elect("b")
    cluster["b"].start()
    assert cluster["b"].core.status().last == (2, 2)
    assert not _granted(cluster["b"].hear("a", _ask(3, last=_at(1, 99))))
    assert _granted(cluster["b"].hear("c", _ask(3, last=_at(2, 2))))


def test_who_hears_a_leader_ignores_candidates_unless_the_leader_asked_for_it() -> None:
    cluster = Cluster("abc")
    a = cluster.elect("a")
    b = cluster["b"]
    high = _at(9, 99)
    assert b.hear("c", _ask(9, last=high)) == []
    assert a.hear("c", _ask(9, last=high)) == []
    assert b.core.term == a.core.term == 2
    effects = b.hear("c", _ask(9, last=high, transfer=True))
    assert _granted(effects)


def test_the_leader_that_is_known_may_be_a_candidate_again_at_once() -> None:
    cluster = Cluster("abc")
    cluster.elect("a")
    assert _granted(cluster["b"].hear("a", _ask(3, last=_at(2, 2), pre=True)))


def test_a_refused_pre_vote_teaches_the_newer_term() -> None:
    cluster = Cluster("abc")
    cluster["b"].disk.hard = HardState(Term(7), None)
    cluster["b"].start()
    cluster.isolate("c")
    a = cluster["a"]
    while a.core.role != "pre-candidate":
        a.tick()
    cluster.deliver()
    assert a.core.term == 7


def test_answers_to_an_earlier_attempt_or_another_incarnation_count_for_nothing() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    a.disk.stalled = True
    while a.core.role != "pre-candidate":
        a.tick()
    cluster.flying.clear()
    attempt = messages(a.effects, RequestVote)[-1]
    granted = VoteReply(Term(2), True, True, attempt.attempt)
    stale = VoteReply(Term(2), True, True, attempt.attempt - 1)
    a.hear("b", stale)
    a.hear("b", granted, answering=Incarnation(0, 7))
    assert a.core.role == "pre-candidate"
    a.hear("b", granted)
    assert a.core.role == "candidate"


def test_a_leader_without_a_quorum_of_answers_steps_down_within_an_election_timeout() -> None:
    cluster = Cluster("abc")
    a = cluster.elect("a")
    cluster.isolate("a")
    for tick in range(LIMITS.election_ticks + 1):
        a.tick()
        cluster.deliver()
        if a.core.role != "leader":
            assert tick > 0
            break
    assert a.core.role == "follower"
    assert a.core.leader is None
    assert a.core.term == 2
    assert a.core.ready_at == -1


def test_election_timeouts_lie_between_once_and_twice_and_differ_between_members() -> None:
    waits = {}
    for name in "abcdefgh":
        cluster = Cluster("abcdefgh")
        node = cluster[name]
        cluster.isolate(name)
        ticks = 0
        while node.core.role == "follower":
            node.tick()
            ticks += 1
        waits[name] = ticks
    assert all(LIMITS.election_ticks <= w < 2 * LIMITS.election_ticks for w in waits.values())
    assert len(set(waits.values())) > 3


def test_a_timeout_changes_with_every_attempt() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    cluster.isolate("a")
    at = []
    for tick in range(200):
        a.forget()
        a.tick()
        if [e for e in a.effects if isinstance(e, RoleChanged | Send)]:
            at.append(tick)
    gaps = {after - before for before, after in itertools.pairwise(at)}
    assert len(gaps) > 2


def test_a_member_that_no_configuration_names_neither_campaigns_nor_votes() -> None:
    cluster = Cluster("abc", others="x")
    x = cluster["x"]
    for _ in range(100):
        x.tick()
    assert x.core.role == "follower"
    assert sends(x.effects, RequestVote) == []
    assert not _granted(x.hear("a", _ask(2)))


def test_a_learner_never_campaigns_and_forgets_a_leader_that_is_silent() -> None:
    cluster = Cluster("abc", learners="x")
    cluster.elect("a")
    cluster.run(3)
    assert cluster["x"].core.leader == "a"
    cluster.isolate("x")
    for _ in range(60):
        cluster["x"].tick()
    assert cluster["x"].core.role == "follower"
    assert cluster["x"].core.leader is None
    assert sends(cluster["x"].effects, RequestVote) == []


def test_the_last_term_ends_elections_not_the_member() -> None:
    a = Cluster("ab")["a"]
    a.disk.hard = HardState(Term(TERM_MAX), None)
    a.start()
    for _ in range(100):
        a.tick()
    a.hear("b", Heartbeat(Term(TERM_MAX), Offset(-1), 1, 0))
    a.hear("b", TimeoutNow(Term(TERM_MAX)))
    assert sends(a.effects, RequestVote) == []
    assert a.core.term == TERM_MAX


def test_two_leaders_of_one_term_are_a_violation() -> None:
    cluster = Cluster("abc")
    a = cluster.elect("a")
    with pytest.raises(InvariantViolation, match="both lead term 2"):
        a.hear("b", AppendEntries(a.core.term, 1, _at(1, 1), Offset(-1), ()))


def _ask(
    term: int, *, last: Position | None = None, pre: bool = False, transfer: bool = False
) -> RequestVote:
    end = Position(Term(1), Offset(1)) if last is None else last
    return RequestVote(Term(term), end, pre, transfer, 1)


def _at(term: int, offset: int) -> Position:
    return Position(Term(term), Offset(offset))


def _granted(effects: list[Effect]) -> bool:
    replies = messages(effects, VoteReply)
    assert len(replies) == 1
    return replies[0].granted
