"""Applying what is committed (replog_node/driver/applier.py)."""

from itertools import pairwise

from replog_node.driver.applier import STUCK_AFTER
from replog_node.driver.limits import DriverLimits
from replog_node.model.positions import Term
from replog_node.raft.limits import CoreLimits
from tests.unit.driver.rig import Node, Rig, batch

SMALL = CoreLimits(cache_bytes=1)
"""Nothing that is durable and committed stays in memory."""


def restarted(rig: Rig) -> Node:
    """The only member, after a restart, with its state to be read from disk."""
    node = rig.nodes[0]
    node.kill()
    node.start()
    node.stalled = True
    rig.tick(2)
    return node


def test_after_a_start_state_comes_from_disk_and_is_the_same() -> None:
    rig = Rig(core_limits=SMALL).found()
    node = rig.nodes[0]
    for value in "abc":
        node.append(batch(value))
        rig.deliver()
    before = (node.driver.applied.offset, node.driver.applied.last_record)
    node = restarted(rig)
    assert node.driver.applied.offset == -1
    node.stalled = False
    rig.tick(5)
    assert node.driver.applied.last_record == before[1]
    assert node.driver.applied.offset > before[0], "a no-op of the new term came on top"


def test_one_read_at_a_time_is_on_its_way() -> None:
    rig = Rig(core_limits=SMALL, limits=DriverLimits(apply_bytes=1)).found()
    node = rig.nodes[0]
    for value in "abc":
        node.append(batch(value))
        rig.deliver()
    node = restarted(rig)
    node.stalled = False
    reads = []
    for _ in range(40):
        reads.append(len(node.reads))
        node.work()
        rig.tick()
    assert max(reads) <= 1
    assert not node.driver._applier.behind


def test_a_read_that_finds_nothing_is_tried_again_after_a_pause() -> None:
    rig = Rig(core_limits=SMALL).found()
    node = restarted(rig)
    while node.persists:
        persist = node.persists.popleft()
        assert node._store is not None
        node._store.write([persist])
        node.driver.on_persisted(persist.ticket)
    request = node.reads.popleft()
    node.driver.on_read(request[0], None)
    assert not node.reads
    rig.tick(3)
    assert len(node.reads) == 1
    node.stalled = False
    rig.tick(5)
    assert not node.driver._applier.behind


def test_what_the_disk_gave_is_not_applied_when_another_leaders_entry_is_committed_there() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    leader, follower, _ = rig.nodes
    told = leader.append(batch("real"))
    rig.tick(5)
    at = told[0].base_offset
    follower.kill()
    follower.start()
    follower.stalled = True
    rig.tick(30)
    assert follower.reads, "it has to read what it holds"
    real = leader.entries(0)
    stale = [type(e)(e.base, e.last, Term(999), e.append_time_ms, e.chain, e.frame) for e in real]
    follower.driver.on_read(follower.reads.popleft()[0], tuple(stale))
    assert follower.driver.applied.offset == -1
    follower.stalled = False
    rig.tick(10)
    assert follower.driver.applied.offset >= at


def test_every_committed_entry_is_applied_once_and_in_order_with_the_watchers_woken() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    woken: list[int] = []
    assert node.driver.watch(lambda: woken.append(node.driver.applied.offset))
    node.append(batch("a"))
    rig.deliver()
    node.append(batch("b"))
    rig.deliver()
    assert len(woken) == 1, "a watcher is called once"
    entries = node.entries()
    assert all(one.last + 1 == next_.base for one, next_ in pairwise(entries))


def test_watchers_are_bounded() -> None:
    rig = Rig(limits=DriverLimits(watchers=1)).found()
    node = rig.nodes[0]
    assert node.driver.watch(lambda: None)
    assert not node.driver.watch(lambda: None)


def test_a_disk_that_does_not_give_what_is_to_be_applied_is_a_wait() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    leader.append(batch("a"))
    rig.tick(3)
    follower.kill()
    follower.start()
    follower.stalled = True
    rig.tick(30)
    assert "LogUnreadable" not in [wait.code for wait in follower.driver.waits()]
    for _ in range(STUCK_AFTER):
        assert follower.reads
        follower.driver.on_read(follower.reads.popleft()[0], None)
        rig.tick(4)
    assert "LogUnreadable" in [wait.code for wait in follower.driver.waits()]
    follower.stalled = False
    rig.tick(10)
    assert "LogUnreadable" not in [wait.code for wait in follower.driver.waits()]
