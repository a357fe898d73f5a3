"""A broken connection to the leader makes its followers doubt it sooner, and deposes nobody."""

from replog_node.raft.events import PeerDown
from tests.unit.raft.cluster import LIMITS, Cluster

SOON = LIMITS.heartbeat_ticks + LIMITS.election_ticks // 2 + 2


def _leading() -> Cluster:
    cluster = Cluster("abc")
    cluster.elect("a")
    cluster.run(3)
    return cluster


def test_followers_that_all_lost_the_leader_elect_another_before_the_timeout() -> None:
    cluster = _leading()
    a = cluster["a"]
    cluster.isolate("a")
    for name in "bc":
        cluster[name].step(PeerDown(a.member))
    cluster.run(SOON, still="a")
    assert LIMITS.election_ticks > SOON
    assert [cluster[name].core.role for name in "bc"].count("leader") == 1


def test_without_the_broken_connection_they_wait_for_the_timeout() -> None:
    cluster = _leading()
    cluster.isolate("a")
    cluster.run(SOON, still="a")
    assert [cluster[name].core.role for name in "bc"].count("leader") == 0


def test_one_follower_alone_that_lost_the_leader_deposes_nobody() -> None:
    cluster = _leading()
    a, b = cluster["a"], cluster["b"]
    term = a.core.term
    for _ in range(20):
        b.step(PeerDown(a.member))
        cluster.run(3)
    cluster.run(2 * LIMITS.election_ticks)
    assert a.core.role == "leader" and a.core.term == term
    assert b.core.leader == a.member


def test_a_leader_that_is_heard_again_gets_its_whole_timeout_back() -> None:
    cluster = _leading()
    a = cluster["a"]
    for name in "bc":
        cluster[name].step(PeerDown(a.member))
    cluster.run(2)
    cluster.isolate("a")
    cluster.run(LIMITS.election_ticks - 1, still="a")
    assert [cluster[name].core.role for name in "bc"] == ["follower", "follower"]


def test_another_members_broken_connection_means_nothing() -> None:
    cluster = _leading()
    cluster["b"].step(PeerDown(cluster["c"].member))
    cluster.isolate("a")
    cluster.run(SOON, still="a")
    assert cluster["b"].core.role == "follower"
