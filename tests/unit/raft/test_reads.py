"""Linearizable reads by ReadIndex (thesis 6.4)."""

from msgspec.structs import replace

from replog_node.model.positions import Offset, Term
from replog_node.raft.effects import Effect, ReadFailed, ReadReady
from replog_node.raft.messages import (
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
)
from tests.unit.raft.cluster import LIMITS, Cluster, Node, messages


def ready(node: Node) -> list[Effect]:
    """What became of a node's reads since it forgot."""
    return [effect for effect in node.effects if isinstance(effect, ReadReady | ReadFailed)]


def led(voters: str = "abc") -> tuple[Cluster, Node]:
    """A cluster with an established leader."""
    cluster = Cluster(voters)
    node = cluster.elect("a")
    cluster.run(2)
    for other in cluster.nodes.values():
        other.forget()
    return cluster, node


def test_a_leaders_read_is_ready_once_a_quorum_answered_a_round_that_began_after_it() -> None:
    cluster, a = led()
    a.read(1)
    assert ready(a) == []
    cluster.deliver()
    assert ready(a) == [ReadReady(1, Offset(2))]


def test_a_read_that_no_quorum_confirms_stays_unanswered_and_fails_with_the_lead() -> None:
    cluster, a = led()
    cluster.isolate("a")
    a.read(1)
    cluster.deliver()
    assert ready(a) == []
    cluster.run(LIMITS.election_ticks + 1)
    assert ready(a) == [ReadFailed(1)]


def test_an_answer_to_an_earlier_round_proves_nothing_for_a_later_read() -> None:
    """etcd-raft #397: rounds are never reused."""
    cluster, a = led()
    a.tick()
    early = messages(a.effects, Heartbeat)[-1].round
    cluster.flying.clear()
    a.read(1)
    cluster.flying.clear()
    for member in "bc":
        a.hear(member, HeartbeatReply(a.core.term, early, 0), run=1)
    assert ready(a) == []
    a.hear("b", HeartbeatReply(a.core.term, early + 1, 0), run=1)
    assert ready(a) == [ReadReady(1, Offset(2))]


def test_the_leader_itself_is_one_of_the_quorum_and_no_more() -> None:
    cluster, a = led("abcde")
    a.read(1)
    number = messages(a.effects, Heartbeat)[-1].round
    cluster.flying.clear()
    a.hear("b", HeartbeatReply(a.core.term, number, 0), run=1)
    assert ready(a) == []
    a.hear("c", HeartbeatReply(a.core.term, number, 0), run=1)
    assert ready(a) == [ReadReady(1, Offset(2))]


def test_a_read_waits_until_an_entry_of_this_term_is_committed() -> None:
    cluster = Cluster("abc")
    a = cluster["a"]
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    while a.core.role != "leader":
        a.tick()
        cluster.deliver()
    a.read(1)
    cluster.run(2)
    assert ready(a) == []
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: bool(ready(a)))
    assert ready(a) == [ReadReady(1, Offset(2))]


def test_a_sole_voter_confirms_its_reads_itself() -> None:
    cluster = Cluster("a", learners="x")
    a = cluster.elect("a")
    a.forget()
    a.read(1)
    assert ready(a) == [ReadReady(1, Offset(2))]
    assert messages(a.effects, Heartbeat) == []


def test_a_followers_read_goes_by_the_leader() -> None:
    cluster, a = led()
    cluster.isolate("c")
    a.propose()
    cluster.deliver()
    cluster["b"].read(7)
    cluster.deliver()
    assert ready(cluster["b"]) == [ReadReady(7, Offset(3))]


def test_a_learners_read_goes_by_the_leader() -> None:
    cluster = Cluster("abc", learners="x")
    cluster.elect("a")
    cluster.run(2)
    cluster["x"].read(7)
    cluster.deliver()
    assert ready(cluster["x"]) == [ReadReady(7, Offset(2))]


def test_a_followers_read_fails_without_a_leader_at_once() -> None:
    cluster = Cluster("abc")
    cluster["b"].read(7)
    assert ready(cluster["b"]) == [ReadFailed(7)]


def test_a_followers_read_that_is_lost_fails_after_an_election_timeout() -> None:
    cluster, _ = led()
    cluster.doubtful = lambda e: isinstance(e.message, ReadIndexRequest)
    cluster["b"].read(7)
    cluster.run(LIMITS.election_ticks - 1)
    assert ready(cluster["b"]) == []
    cluster.run(1)
    assert ready(cluster["b"]) == [ReadFailed(7)]


def test_a_followers_read_fails_when_the_leader_changes_and_a_late_answer_is_ignored() -> None:
    cluster, _ = led()
    b = cluster["b"]
    cluster.doubtful = lambda e: isinstance(e.message, ReadIndexRequest)
    b.read(7)
    b.hear("c", Heartbeat(Term(9), Offset(-1), 1, 0), run=1)
    assert ready(b) == [ReadFailed(7)]
    b.hear("c", ReadIndexReply(b.core.term, 7, True, Offset(2)), run=1)
    assert ready(b) == [ReadFailed(7)]


def test_a_followers_read_fails_when_the_one_it_asked_refuses() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, ReadIndexRequest)
    cluster["b"].read(7)
    cluster["b"].hear("a", ReadIndexReply(a.core.term, 7, False, Offset(-1)), run=1)
    assert ready(cluster["b"]) == [ReadFailed(7)]


def test_who_does_not_lead_refuses_to_confirm() -> None:
    cluster, a = led()
    effects = cluster["b"].hear("c", ReadIndexRequest(a.core.term, 7), run=1)
    refused = ReadIndexReply(a.core.term, 7, False, Offset(-1))
    assert messages(effects, ReadIndexReply) == [refused]


def test_a_leader_that_steps_down_refuses_the_reads_of_followers() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, HeartbeatReply)
    cluster["b"].read(7)
    cluster.deliver()
    a.forget()
    cluster.run(LIMITS.election_ticks + 1)
    assert [message.ok for message in messages(a.effects, ReadIndexReply)] == [False]


def test_reads_beyond_the_bound_fail_at_once() -> None:
    cluster = Cluster("abc", limits=replace(LIMITS, reads_max=2))
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("a")
    for node in (a, cluster["b"]):
        node.forget()
        for context in range(4):
            node.read(context)
        assert ready(node) == [ReadFailed(2), ReadFailed(3)]


def test_an_isolated_leader_never_serves_a_read_that_misses_a_later_write() -> None:
    cluster, a = led()
    cluster.isolate("a")
    cluster.elect("b", still="a")
    cluster["b"].propose()
    cluster.deliver()
    assert a.core.role == "leader"
    a.forget()
    a.read(1)
    cluster.cut.clear()
    cluster.run(3)
    assert ready(a) == [ReadFailed(1)]
