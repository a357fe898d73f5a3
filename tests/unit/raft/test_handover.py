"""A leader whose disk is slow hands over by itself (design section 3, Slow disk)."""

from msgspec.structs import replace

from replog_node.model.positions import MemberId
from replog_node.raft.effects import HandingOver, TransferEnded
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import LIMITS, Cluster, Node

SLOW = replace(LIMITS, slow_disk_ticks=6, handover_ticks=60)


def led() -> tuple[Cluster, Node]:
    cluster = Cluster("abc", limits=SLOW, watcher=Figure3())
    a = cluster.elect("a")
    cluster.run(2)
    return cluster, a


def busy(cluster: Cluster, node: Node, ticks: int) -> None:
    """Something is appended with every tick."""
    for _ in range(ticks):
        if node.core.admitting is None:
            node.propose()
        cluster.run()


def test_a_leader_whose_disk_hangs_while_the_others_get_on_hands_over_and_says_why() -> None:
    cluster, a = led()
    a.disk.stalled = True
    busy(cluster, a, SLOW.slow_disk_ticks + 3)
    assert a.said(HandingOver) == [HandingOver(MemberId("b"), "slow_disk")]
    assert a.said(TransferEnded) == [TransferEnded(MemberId("b"), True)]
    assert cluster["b"].core.role == "leader"


def test_the_others_get_on_without_the_disk_that_hangs() -> None:
    cluster, a = led()
    a.disk.stalled = True
    busy(cluster, a, SLOW.slow_disk_ticks + 3)
    b = cluster["b"]
    before = b.core.status().commit.offset
    busy(cluster, b, 3)
    assert b.core.status().commit.offset > before


def test_a_disk_that_is_always_a_little_behind_is_no_reason() -> None:
    cluster, a = led()
    for _ in range(4 * SLOW.slow_disk_ticks):
        a.disk.stalled = True
        a.propose()
        cluster.run()
        a.disk.stalled = False
        cluster.run()
    assert a.said(HandingOver) == []


def test_a_disk_that_all_share_is_no_reason() -> None:
    """The others were quicker by one write when it began to hang."""
    cluster, a = led()
    a.disk.stalled = True
    a.propose()
    cluster.run()
    cluster["b"].disk.stalled = cluster["c"].disk.stalled = True
    busy(cluster, a, 4 * SLOW.slow_disk_ticks)
    assert a.said(HandingOver) == []
    assert a.core.role == "leader"


def test_one_other_that_is_faster_is_no_reason() -> None:
    cluster, a = led()
    a.disk.stalled = cluster["b"].disk.stalled = True
    busy(cluster, a, 4 * SLOW.slow_disk_ticks)
    assert a.said(HandingOver) == []


def test_it_is_done_once_in_a_while_only() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: type(e.message).__name__ == "TimeoutNow"
    a.disk.stalled = True
    busy(cluster, a, SLOW.handover_ticks)
    assert len(a.said(HandingOver)) == 1
    busy(cluster, a, SLOW.slow_disk_ticks + SLOW.election_ticks)
    assert len(a.said(HandingOver)) == 2


def test_a_leader_alone_has_nobody_to_hand_over_to() -> None:
    cluster = Cluster("a", limits=SLOW)
    a = cluster.elect("a")
    a.disk.stalled = True
    busy(cluster, a, 3 * SLOW.slow_disk_ticks)
    assert a.core.role == "leader"
    assert a.said(HandingOver) == []


def test_a_transfer_that_was_asked_for_goes_on_undisturbed() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: type(e.message).__name__ == "TimeoutNow"
    a.transfer("c")
    a.disk_is(hole=2)
    cluster.run(SLOW.election_ticks - 2)
    assert a.said(HandingOver) == []
    assert a.core.status().transferring == "c"
