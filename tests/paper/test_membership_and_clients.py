"""Sections 6 and 8: membership changes, and what a leader must do for clients."""

import pytest

from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.effects import MemberRemoved, ReadReady, Reason, Rejected
from replog_node.raft.messages import AppendReply, Heartbeat, HeartbeatReply, RequestVote
from tests.unit.raft.cluster import LIMITS, Cluster, Node, messages, target


def test_a_configuration_is_used_as_soon_as_it_is_in_the_log() -> None:
    """6: a server always uses the latest configuration in its log, committed or not."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster.doubtful = lambda envelope: isinstance(envelope.message, AppendReply)
    leader.aim(target("ab", "x", 1))
    cluster.deliver()
    configuration = cluster["b"].core.configuration
    assert configuration is not None and configuration.target is not None
    assert (
        cluster["b"].core.status().commit.offset < cluster["b"].core.status().configuration_offset
    )


def in_joint(silent: str) -> tuple[Cluster, Node]:
    """{a,b,c}→{a,d,e}, led by a; everybody holds the joint entry, `silent` acknowledge nothing."""
    cluster = Cluster("abc", others="de")
    leader = cluster.elect("a")
    cluster.doubtful = lambda envelope: (
        isinstance(envelope.message, AppendReply)
        and envelope.sender in silent
        and is_joint(cluster["a"])
    )
    leader.aim(target("ade", "x", 1))
    cluster.run_until(lambda: is_joint(leader))
    cluster.run(2)
    assert all(is_joint(node) for node in cluster.nodes.values())
    return cluster, leader


def is_joint(node: Node) -> bool:
    """Whether its configuration in force has two halves."""
    configuration = node.core.configuration
    return configuration is not None and configuration.joint


@pytest.mark.parametrize("silent", ["bc", "de"])
def test_joint_consensus_commits_by_both_majorities(silent: str) -> None:
    """6: agreement requires separate majorities from the old and the new configuration."""
    cluster, leader = in_joint(silent)
    status = leader.core.status()
    acknowledged = {m for m, p in status.progress.items() if p.match == status.last}
    assert acknowledged == set("bcde") - set(silent)
    assert status.commit.offset < status.configuration_offset, "one half alone decides nothing"
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.resend_ticks + 2)
    assert leader.core.status().commit.offset > status.configuration_offset


@pytest.mark.parametrize("absent", ["b", "d"])
def test_joint_consensus_elects_by_both_majorities(absent: str) -> None:
    """6: … for elections and entry commitment. Without a, each half needs both that are left."""
    cluster, _ = in_joint("bcde")
    cluster.crash("a")
    cluster.isolate(absent)
    cluster.run(6 * LIMITS.election_ticks)
    living = [cluster[name] for name in "bcde"]
    assert all(node.core.role != "leader" for node in living)
    cluster.heal()
    cluster.run(6 * LIMITS.election_ticks)
    assert any(node.core.role == "leader" for node in living)


def test_a_leader_outside_the_new_configuration_does_not_count_itself() -> None:
    """6: it manages a cluster that doesn't include itself: it replicates but isn't counted."""
    cluster = Cluster("abcd")
    leader = cluster.elect("a")
    leader.aim(target("bcd", "x", 1))
    cluster.doubtful = lambda envelope: (
        isinstance(envelope.message, AppendReply) and envelope.sender in "cd" and is_joint(leader)
    )
    cluster.run_until(lambda: is_joint(leader))
    cluster.run(2)
    status = leader.core.status()
    assert status.progress[cluster["b"].member].match == status.last
    assert status.commit.offset < status.configuration_offset, "b is one of three"


def test_new_servers_join_without_a_vote_and_catch_up_first() -> None:
    """6: non-voting members receive entries and aren't counted for majorities."""
    cluster = Cluster("abc", others="d")
    leader = cluster.elect("a")
    leader.aim(target("abcd", "x", 1))
    cluster.isolate("d")
    leader.propose()
    cluster.run(5)
    configuration = leader.core.configuration
    assert configuration is not None and [m.id for m in configuration.learners] == ["d"]
    assert leader.core.status().commit.offset == leader.core.tail.position.offset
    cluster.heal()
    cluster.run(15)
    configuration = leader.core.configuration
    assert configuration is not None and configuration.voter_ids() == ("a", "b", "c", "d")


def test_a_leader_outside_the_new_configuration_leads_until_it_is_committed() -> None:
    """6: it doesn't count itself, and steps down once C_new is committed."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    leader.aim(target("bc", "x", 1))
    cluster.run(6)
    assert leader.core.role == "follower" and leader.said(MemberRemoved)
    assert cluster.leader.member in ("b", "c")
    assert cluster.changes()[-2:] == ["enter-joint", "leave-joint"]


def test_a_server_that_hears_a_leader_gives_no_vote() -> None:
    """6, end: removed servers can't disrupt: RequestVotes are disregarded while a leader lives."""
    cluster = Cluster("abc")
    cluster.elect("a")
    b = cluster["b"]
    b.forget()
    b.hear("x", RequestVote(Term(9), Position(Term(9), Offset(9)), False, False, 1))
    assert b.core.term == 2 and b.effects == []


def test_a_leader_commits_an_entry_of_its_own_at_the_start_of_its_term() -> None:
    """8: a blank no-op entry, so that it knows which entries are committed."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    assert leader.log() == [(1, 1), (2, 2)]
    assert leader.core.status().commit.offset == 2


def test_nothing_is_taken_from_clients_before_that_entry_is_committed() -> None:
    """8, and design section 3: admission only after the no-op."""
    cluster = Cluster("abc")
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    a = cluster["a"]
    cluster.run_until(lambda: any(n.core.role == "leader" for n in cluster.nodes.values()))
    assert cluster.leader.propose() == Rejected(Reason.NOT_READY)
    assert a.core.status().commit.offset < 2


def test_a_read_is_answered_after_a_majority_has_answered_a_heartbeat() -> None:
    """8: before a read-only request, exchange heartbeats with a majority."""
    cluster = Cluster("abcde")
    leader = cluster.elect("a")
    leader.forget()
    cluster.doubtful = lambda e: isinstance(e.message, HeartbeatReply)
    leader.read(1)
    cluster.deliver()
    number = messages(leader.effects, Heartbeat)[-1].round
    leader.hear("b", HeartbeatReply(Term(2), number, 0), run=1)
    assert leader.said(ReadReady) == [], "two of five"
    leader.hear("c", HeartbeatReply(Term(2), number, 0), run=1)
    assert leader.said(ReadReady) == [ReadReady(1, Offset(2))]


def test_a_deposed_leader_answers_no_read() -> None:
    """8: it must check that it hasn't been deposed."""
    cluster = Cluster("abc")
    a = cluster.elect("a")
    cluster.isolate("a")
    cluster.elect("b").propose()
    a.forget()
    a.read(1)
    cluster.run(2 * LIMITS.election_ticks)
    assert a.said(ReadReady) == []
