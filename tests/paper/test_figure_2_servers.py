"""Figure 2: state, RequestVote, and the rules for servers."""

import pytest

from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.effects import Commit, Persist, Send
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    RequestVote,
    VoteReply,
)
from tests.unit.raft.cluster import LIMITS, Cluster, Node, messages, sends


def vote(term: int, last: tuple[int, int] = (9, 99), *, pre: bool = False) -> RequestVote:
    """A candidate's request, as far as possible up to date; stickiness doesn't count."""
    position = Position(Term(last[0]), Offset(last[1]))
    return RequestVote(Term(term), position, pre, transfer=not pre, attempt=1)


def answer(node: Node) -> VoteReply:
    """The last vote that a member gave or refused."""
    return messages(node.effects, VoteReply)[-1]


def test_term_and_vote_are_on_stable_storage_before_a_vote_is_answered() -> None:
    """Persistent state: updated on stable storage before responding to RPCs."""
    a = Cluster("abc")["a"]
    effects = a.hear("b", vote(5))
    persist = [e for e in effects if isinstance(e, Persist)][-1]
    (reply,) = (e for e in effects if isinstance(e, Send))
    assert persist.hard_state is not None and persist.hard_state.voted_for == "b"
    assert reply.after_ticket == persist.ticket
    assert a.disk.hard.voted_for is None, "nothing is durable yet"


def test_a_candidates_term_and_own_vote_are_on_stable_storage_before_it_asks_or_wins() -> None:
    """Persistent state, for the vote that a candidate gives itself."""
    a = Cluster("abc")["a"]
    a.disk.stalled = True
    while a.core.role != "pre-candidate":
        a.tick()
    attempt = messages(a.effects, RequestVote)[-1].attempt
    effects = a.hear("b", VoteReply(Term(2), True, True, attempt))
    persist = [e for e in effects if isinstance(e, Persist)][-1]
    assert persist.hard_state is not None and persist.hard_state.voted_for == "a"
    assert {send.after_ticket for send in sends(effects, RequestVote)} == {persist.ticket}
    attempt = messages(effects, RequestVote)[-1].attempt
    a.hear("b", VoteReply(Term(2), True, False, attempt))
    assert a.core.role == "candidate", "b's vote and its own that isn't durable: no majority"
    a.persist_one()
    assert a.core.role == "leader"


def test_entries_are_on_stable_storage_before_they_are_acknowledged() -> None:
    """Persistent state: log[] is updated before responding."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster["b"].disk.stalled = True
    leader.propose()
    cluster["b"].forget()
    cluster.deliver()
    (reply,) = sends(cluster["b"].effects, AppendReply)
    assert reply.after_ticket > cluster["b"].ticket


def test_a_vote_is_refused_in_an_older_term() -> None:
    """RequestVote 1: reply false if term < currentTerm."""
    cluster = Cluster("abc")
    a = cluster["a"]
    a.hear("b", vote(5))
    cluster.deliver()
    a.hear("c", vote(4))
    assert (answer(a).granted, answer(a).term) == (False, 5)


def test_a_vote_is_given_to_one_candidate_a_term() -> None:
    """RequestVote 2: votedFor is null or candidateId."""
    cluster = Cluster("abc")
    a = cluster["a"]
    a.hear("b", vote(5))
    assert answer(a).granted
    a.hear("c", vote(5))
    assert not answer(a).granted
    a.hear("b", vote(5))
    assert answer(a).granted, "to the same one again"


def test_the_vote_survives_a_crash() -> None:
    """Persistent state: votedFor."""
    cluster = Cluster("abc")
    cluster["a"].hear("b", vote(5))
    cluster.deliver()
    a = cluster.restart("a")
    a.hear("c", vote(5))
    assert not answer(a).granted


@pytest.mark.parametrize(
    ("last", "granted"),
    [((1, 1), False), ((2, 0), False), ((2, 3), True), ((2, 9), True), ((3, 0), True)],
)
def test_a_vote_goes_to_logs_at_least_as_up_to_date(last: tuple[int, int], granted: bool) -> None:
    """RequestVote 2 and 5.4.1: later last term, or the same and at least as long."""
    cluster = Cluster("abc")
    cluster.elect("a").propose()
    cluster.deliver()
    b = cluster["b"]
    b.hear("c", vote(7, last))
    assert b.core.term == 7
    assert answer(b).granted is granted


def test_a_newer_term_in_any_message_makes_a_follower() -> None:
    """All servers: if RPC request or response contains term T > currentTerm, convert."""
    for message in (
        vote(8),
        VoteReply(Term(8), False, False, 1),
        AppendReply(
            Term(8), 1, False, Position(Term(0), Offset(-1)), Position(Term(0), Offset(-1))
        ),
        Heartbeat(Term(8), Offset(-1), 1, 0),
    ):
        leader = Cluster("abc").elect("a")
        leader.hear("b", message)
        assert (leader.core.role, leader.core.term) == ("follower", 8)


def test_a_follower_campaigns_after_an_election_timeout_of_silence_and_not_before() -> None:
    """Followers: election timeout elapses without AppendEntries or granting a vote."""
    a = Cluster("abc")["a"]
    for _ in range(LIMITS.election_ticks - 1):
        a.tick()
    assert a.core.role == "follower"
    for _ in range(LIMITS.election_ticks + 1):
        a.tick()
    assert a.core.role == "pre-candidate"


def test_a_follower_that_hears_a_leader_does_not_campaign() -> None:
    """Followers: receiving AppendEntries from the current leader resets the timeout."""
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.run(5 * LIMITS.election_ticks)
    assert {node.core.role for node in cluster.nodes.values()} == {"leader", "follower"}
    assert cluster.leader.core.term == 2


def test_a_candidate_raises_its_term_votes_for_itself_and_asks_everybody() -> None:
    """Candidates: on conversion increment currentTerm, vote for self, send RequestVote to all."""
    cluster = Cluster("abc")
    a = cluster["a"]
    while a.core.role != "pre-candidate":
        a.tick()
    for voter in "bc":
        reply = VoteReply(Term(2), True, True, messages(a.effects, RequestVote)[-1].attempt)
        a.hear(voter, reply)
    assert (a.core.role, a.core.term) == ("candidate", 2)
    real = [s for s in sends(a.effects, RequestVote) if not _pre(s)]
    assert {send.to for send in real} == {"b", "c"}
    cluster.deliver()
    assert (a.disk.hard.current_term, a.disk.hard.voted_for) == (2, "a")


def _pre(send: Send) -> bool:
    return isinstance(send.message, RequestVote) and send.message.pre


def test_a_candidate_with_a_majority_becomes_leader() -> None:
    """Candidates: votes from a majority make a leader; a minority doesn't."""
    cluster = Cluster("abcde")
    cluster.isolate("d")
    cluster.isolate("e")
    assert cluster.elect("a").core.role == "leader"
    alone = Cluster("abcde")
    for name in "cde":
        alone.isolate(name)
    alone.run(6 * LIMITS.election_ticks)
    assert all(node.core.role != "leader" for node in alone.nodes.values())


def test_a_candidate_follows_whoever_leads_its_term() -> None:
    """Candidates: AppendEntries from a new leader: convert to follower."""
    cluster = Cluster("abc")
    a = cluster["a"]
    while a.core.role != "pre-candidate":
        a.tick()
    attempt = messages(a.effects, RequestVote)[-1].attempt
    a.hear("b", VoteReply(Term(2), True, True, attempt))
    assert a.core.role == "candidate"
    a.hear("c", Heartbeat(Term(2), Offset(-1), 1, 0))
    assert (a.core.role, a.core.leader) == ("follower", "c")


def test_a_candidate_without_a_result_begins_anew() -> None:
    """Candidates: election timeout elapses: start new election."""
    cluster = Cluster("abc")
    cluster.isolate("a")
    a = cluster["a"]
    for _ in range(8 * LIMITS.election_ticks):
        a.tick()
    attempts = {message.attempt for message in messages(a.effects, RequestVote)}
    assert len(attempts) > 2


def test_split_votes_are_rare_because_timeouts_differ() -> None:
    """5.2: randomized election timeouts (here drawn from member, term and attempt)."""
    cluster = Cluster("abcdefghi")
    waited = []
    for node in cluster.nodes.values():
        ticks = 0
        while node.core.role == "follower":
            node.tick()
            ticks += 1
        waited.append(ticks)
    assert len(set(waited)) >= 5
    assert LIMITS.election_ticks <= min(waited) and max(waited) <= 2 * LIMITS.election_ticks


def test_committed_entries_are_handed_over_in_order_and_once() -> None:
    """All servers: if commitIndex > lastApplied, apply: the commit only grows."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    for _ in range(5):
        leader.propose()
        cluster.run()
    for node in cluster.nodes.values():
        offsets = [e.position.offset for e in node.said(Commit) if isinstance(e, Commit)]
        assert offsets == sorted(set(offsets)) and offsets[-1] == leader.core.tail.position.offset


def test_a_leader_heartbeats_at_once_and_while_idle() -> None:
    """Leaders: upon election send initial empty AppendEntries; repeat during idle periods."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    assert {s.to for s in sends(leader.effects, Heartbeat)} == {"b", "c"}
    leader.forget()
    cluster.run(3 * LIMITS.heartbeat_ticks)
    assert len(sends(leader.effects, Heartbeat)) >= 6


def test_a_leaders_entries_leave_beside_its_own_write() -> None:
    """5.3: the leader appends to its log, then issues AppendEntries in parallel (thesis 10.2.1)."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    leader.disk.stalled = True
    leader.forget()
    leader.propose()
    assert [s.after_ticket for s in sends(leader.effects, AppendEntries)] == [0, 0]
    cluster.isolate("c")
    cluster.deliver()
    assert leader.said(Commit) == [], "its own copy isn't durable: b's alone is no majority"
    leader.disk.stalled = False
    cluster.deliver()
    assert leader.said(Commit) != []
