"""Bugs 44 to 49 of docs/bugs.md: what is durable when it counts, snapshots on their way, limits.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, moments.py, ../unit/driver/rig.py, ../unit/storage/building.py.
"""

from random import Random

import msgspec
import pytest

from replog.wire.problems import ApiError
from replog_node.driver.limits import DriverLimits
from replog_node.model.entries import Tail
from replog_node.model.positions import ClusterId, Offset, Position, Term
from replog_node.raft.effects import Persist, ReadReady
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries
from replog_node.raft.violation import InvariantViolation
from replog_node.storage.snapshots import write_snapshot
from tests.catalogue.hands import (
    ask_for_vote,
    cut_power,
    progress_of,
    snapshot_taken,
    votes_on_their_way,
)
from tests.catalogue.index import bug
from tests.catalogue.moments import NOTHING_IN_MEMORY, at, led, trimmed, written
from tests.simulation.directed import alike, leader_of, promised, values
from tests.support.simdisk import Crashed, SimDisk
from tests.unit.driver.rig import CLUSTER as OF_THE_RIG
from tests.unit.driver.rig import Answers, Node, Rig, batch
from tests.unit.raft.cluster import LIMITS, Cluster
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    appending,
    built,
    bytes_of,
    chained,
    configured,
    data,
    fetched,
    opened,
    snapshot_at,
    whole_log,
)

STATE = b"what all entries so far have left behind " * 30
AHEAD = snapshot_at(Tail(Position(Term(7), Offset(500)), bytes(range(16)), 900), STATE)
"""A snapshot of somebody who is far ahead."""


def _behind(rig: Rig) -> Node:
    """The last member is away until it lacks what the others have let go of."""
    late = rig.nodes[2]
    late.kill()
    written(rig, *(f"value {number}" for number in range(40)))
    snapshot_taken(rig)
    trimmed(rig)
    return late


@bug(44, "ZK-3911")
def test_a_member_that_catches_up_says_so_only_when_its_disk_has_it() -> None:
    """ZK-3911: it had answered, the leader counted it, and then it lost what it had not written."""
    rig = Rig(3).found()
    leader, third, late = rig.nodes
    late.kill()
    written(rig, "a", "b")
    rig.cut_off = {third.member}
    late.start()
    late.stalled = True
    before = late.driver.kernel.next_offset() - 1
    answers = leader.append(batch("x"), within_s=60)
    rig.tick(10)
    assert progress_of(leader, late).match.offset <= before
    assert not answers
    late.stalled = False
    rig.tick(3)
    assert answers.codes == ["ok"]


@bug(44, "ZK-3911")
def test_a_member_that_begins_at_a_snapshot_says_so_only_when_it_is_installed() -> None:
    """ZK-3911, where a snapshot is what brings it up to date."""
    rig = Rig(3, core_limits=NOTHING_IN_MEMORY).found()
    leader, late = rig.nodes[0], _behind(rig)
    late.installs_held = True
    late.start()
    rig.tick(60)
    (held,) = late.held_installs
    assert progress_of(leader, late).match < held.snapshot.position
    late.installs_held = False
    late.install(held)
    rig.tick(30)
    assert progress_of(leader, late).match >= held.snapshot.position


@bug(44, "ZK-2872")
def test_an_install_that_is_cut_short_leaves_the_old_log_or_the_new_one() -> None:
    """ZK-2872: a sync by snapshot that was interrupted left neither. Each operation is tried."""
    seen = set()
    for crash in range(1, 200):
        disk = SimDisk()
        store = opened(disk)
        store.assign(CLUSTER, LINEAGE)
        store.write([appending(*chained([CLOCK, configured("m1"), *[data(1200)] * 4]))])
        old = store.tail
        assert fetched(store, AHEAD, bytes_of(AHEAD, STATE)).finish()
        disk.crash_at = disk.operations + crash
        try:
            store.install(AHEAD)
        except Crashed:
            disk.lose_power(Random(crash))
        else:
            break
        again = opened(disk)
        assert again.tail in (old, AHEAD.tail)
        seen.add(again.tail == old)
        if again.tail == old:
            assert len(whole_log(again)) == 6
        else:
            assert again.read_state(AHEAD) == STATE and again.recovered.log.base == AHEAD
    assert seen == {True, False}


@bug(44, "ZK-4925")
def test_a_leader_whose_log_in_memory_begins_late_fills_the_rest_from_its_disk() -> None:
    """ZK-4925: what the leader held in memory had a hole, and who asked it got the hole as well."""
    rig = Rig(3, core_limits=CoreLimits(cache_bytes=9000, max_append_bytes=5000)).found()
    leader, _, late = rig.nodes
    late.kill()
    written(rig, *(f"value {number}" for number in range(12)))
    core = leader.driver.kernel.core
    assert core is not None and core.recent(Offset(3)) is None, "the first ones are on disk only"
    assert core.recent(Offset(leader.driver.applied.offset))
    late.start()
    rig.tick(60)
    alike(rig)
    assert len(values(late)) == 12


@bug(44, "ZK-4925")
def test_a_leader_that_began_at_a_snapshot_sends_nobody_what_follows_it_alone() -> None:
    """ZK-4925: its memory begins behind the snapshot, and so does its disk."""
    cluster, a = led("abcde")
    b, c = cluster["b"], cluster["c"]
    for name in "bc":
        cluster.isolate(name)
    for _ in range(4):
        a.propose()
    cluster.run(2)
    a.keep(6)
    cluster.heal()
    cluster.isolate("b")
    cluster.run(3)
    assert c.core.status().start == at(2, 6)
    cluster.crash("a")
    cluster.elect("c")
    cluster.heal()
    cluster.run(10)
    assert b.core.status().start == at(2, 6)
    assert b.core.status().last == c.core.status().last


@bug(45, "KAFKA-10533")
@pytest.mark.parametrize("seed", range(6))
def test_power_fails_everywhere_while_disks_lag_and_nothing_acknowledged_is_lost(seed: int) -> None:
    """KAFKA-10533: a leader counted what it had sent and not written. Its disk may lag here too."""
    rig = Rig(3).found()
    random = Random(seed)
    leader = rig.nodes[0]
    told: list[Answers] = []
    for number in range(8):
        for node in rig.nodes:
            node.stalled = random.random() < 0.6
        told.append(leader.append(batch(f"{number}"), within_s=600))
        rig.tick(1)
    cut_power(rig.nodes, seed)
    rig.cut_off = {random.choice(rig.nodes).member}
    for node in rig.nodes:
        node.stalled = False
        node.start()
    found = leader_of(rig, *rig.nodes)
    for number, answers in enumerate(told):
        promised(answers, f"{number}".encode(), found)
    assert any(answers.codes == ["ok"] for answers in told)
    rig.cut_off = set()
    rig.tick(80)
    alike(rig)


@bug(46, "KAFKA-12619")
def test_a_new_leader_shows_nothing_before_the_first_entry_of_its_own_term_is_committed() -> None:
    """KAFKA-12619: it showed everything up to its own first entry, one too early.

    A majority holds the entry before that, of an older term, and nobody its own one.
    """
    cluster = Cluster("abc", limits=msgspec.structs.replace(LIMITS, max_append_bytes=1))
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("c")
    cluster.doubtful = lambda e: e.sender == "b"
    a.propose()
    cluster.deliver()
    assert cluster["b"].log()[-1] == (2, 3) and a.core.status().commit == at(2, 2)
    cluster.crash("a")
    cluster.cut.clear()
    cluster.doubtful = lambda e: _carries(e.message, above=2)
    b = cluster["b"]
    cluster.run_until(lambda: b.core.role == "leader")
    b.read(1)
    cluster.run(5)
    assert cluster["c"].log()[-1] == (2, 3), "a majority holds it"
    assert b.core.status().commit == at(2, 2) and b.said(ReadReady) == []
    cluster.doubtful = lambda _: False
    cluster.run(10)
    assert b.core.status().commit.offset == 4
    assert b.said(ReadReady) == [ReadReady(1, Offset(4))]


def _carries(message: object, *, above: int) -> bool:
    return isinstance(message, AppendEntries) and any(e.term > above for e in message.entries)


@bug(46, "KAFKA-12460")
def test_a_leader_that_would_cut_what_is_committed_is_not_obeyed() -> None:
    """KAFKA-12460: a log was cut below its commit because somebody said so."""
    cluster, a = led("abc")
    a.propose()
    cluster.run(2)
    b = cluster["b"]
    assert b.core.status().commit == at(2, 3)
    another = cluster.framer(data(1), Term(9), Tail(at(1, 1), b"", 0), 0)
    b.forget()
    with pytest.raises(InvariantViolation, match="is committed"):
        b.hear("c", AppendEntries(Term(9), 1, at(1, 1), Offset(3), (another,)))
    assert not [e for e in b.effects if isinstance(e, Persist) and e.truncate_to is not None]
    assert b.log()[-1] == (2, 3)


@bug(47, "KAFKA-14238")
def test_retention_lets_go_of_nothing_that_no_snapshot_stands_for() -> None:
    """KAFKA-14238: old segments went although no snapshot reached so far.

    Only one snapshot is ever built, early, and then much more than is to be retained comes.
    """
    rig = Rig(1, limits=DriverLimits(retention_bytes=64 * 1024)).found()
    (node,) = rig.nodes
    written(rig, *(f"value {number}" for number in range(20)))
    snapshot_taken(rig)
    only = node.driver.snapshot
    assert only is not None
    node.build = lambda up_to: None  # type: ignore[method-assign]
    written(rig, *(f"later {number}" for number in range(60)))
    rig.tick(40)
    assert node.driver.applied.log_start > only.position.offset + 1, "more is given up"
    assert 0 < node.driver.kernel.log_begins_after().offset <= only.position.offset
    before = node.driver.applied.offset
    node.kill()
    node.start()
    rig.tick(5)
    assert node.driver.applied.offset > before


@bug(48, "RATIS-1995")
def test_a_member_whose_disk_was_emptied_elects_nobody_who_lacks_what_it_had_acknowledged() -> None:
    """RATIS-1995: it was formatted by accident, voted under its old name, and data was lost.

    A new disk gets a new id, which no configuration names; here it even comes back under its old
    one and is taken in again.
    """
    rig = Rig(3).found()
    leader, wiped, lacking = rig.nodes
    rig.cut_off = {lacking.member}
    answers = leader.append(batch("x"))
    rig.tick(3)
    assert answers.codes == ["ok"]
    wiped.kill()
    wiped.disk = SimDisk()
    wiped.start()
    rig.cut_off = {leader.member}
    ask_for_vote(lacking, wiped, 50)
    lineage = leader.driver.membership.lineage
    assert lineage is not None
    wiped.driver.adopt(ClusterId(OF_THE_RIG), lineage, lambda _: None)
    wiped.work()
    ask_for_vote(lacking, wiped, 51)
    wiped.work()
    assert not votes_on_their_way(rig, 50) | votes_on_their_way(rig, 51)
    rig.tick(200)
    assert not lacking.driver.kernel.leading and not wiped.driver.kernel.leading
    rig.cut_off = set()
    rig.tick(100)
    promised(answers, b"x", wiped)
    alike(rig)


@bug(48, "RATIS-2430", "RATIS-244")
def test_a_snapshot_is_seen_by_nobody_before_all_of_it_is_there() -> None:
    """RATIS-2430, RATIS-244: it had its name while it was still being fetched or written."""
    disk = SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*chained([CLOCK, configured("m1"), data(1200)]))])
    older = built(store, disk, STATE)
    store.write([appending(*chained([data(1200)], store.tail))])
    content = bytes_of(AHEAD, STATE)
    store.incoming(AHEAD).write(0, content[:-1])
    write_snapshot(disk, snapshot_at(store.tail, STATE), STATE)
    assert store.snapshots == (older,)
    store.close()
    again = opened(disk)
    assert again.recovered.snapshot == older and again.snapshots == (older,)
    assert again.recovered.damaged_snapshots == ()
    incoming = again.incoming(AHEAD)
    assert incoming.size == len(content) - 1, "what is there of it is not lost"
    incoming.write(incoming.size, content[-1:])
    assert incoming.finish()
    again.install(AHEAD)
    assert again.snapshots == (AHEAD,)


@bug(48, "RATIS-2511")
def test_while_a_snapshot_is_installed_nothing_is_read_that_is_neither_old_nor_new() -> None:
    """RATIS-2511: reads were answered from a state that was being replaced.

    The disk takes its time. The member's state is the snapshot's from the first moment, and of its
    log only what follows that can be read.
    """
    rig = Rig(3, core_limits=NOTHING_IN_MEMORY).found()
    leader, late = rig.nodes[0], _behind(rig)
    late.installs_held = True
    late.start()
    rig.tick(60)
    (held,) = late.held_installs
    assert late.driver.snapshot == held.snapshot == leader.driver.snapshot
    end = leader.driver.applied.offset
    for offset in range(held.snapshot.position.offset + 1):
        answers = Answers()
        late.driver.read_entries(Offset(offset), 1 << 20, answers)
        rig.deliver()
        assert answers.codes == ["offset_trimmed"]
    answers = late.read_index(within_s=1)
    rig.tick(30)
    for answer in answers:
        assert isinstance(answer, ApiError) or answer <= late.driver.applied.offset
    late.installs_held = False
    late.install(held)
    rig.tick(60)
    at_ = late.driver.log_start
    assert late.driver.applied.offset >= end
    assert [e.frame for e in late.entries(at_)] == [e.frame for e in leader.entries(at_)]


@bug(48, "RATIS-2158", "RATIS-1786")
def test_a_snapshot_that_came_damaged_is_whole_when_it_comes_again() -> None:
    """RATIS-2158, RATIS-1786: the digest went on from the first attempt, so no other one fitted."""
    store = opened(SimDisk())
    store.assign(CLUSTER, LINEAGE)
    content = bytes_of(AHEAD, STATE)
    damaged = content[:-3] + b"rot"
    for _ in range(2):
        assert not fetched(store, AHEAD, damaged).finish()
    assert fetched(store, AHEAD, content).finish()
    store.install(AHEAD)
    assert store.read_state(AHEAD) == STATE


@bug(49, "LogCabin#160")
def test_entries_larger_than_any_limit_arrive_whole_in_everybody_s_log() -> None:
    """LogCabin#160: an append that was too large left the follower's log in pieces."""
    little = CoreLimits(max_append_bytes=1000, max_inflight_bytes=1000, cache_bytes=1000)
    rig = Rig(3, core_limits=little, limits=DriverLimits(group_bytes=1000)).found()
    sizes = (1, 999, 1001, 70_000, 5, 300_000, 1)
    told = [rig.nodes[0].append(batch("x" * size), within_s=60) for size in sizes]
    rig.tick(20)
    assert [answers.codes for answers in told] == [["ok"]] * len(sizes)
    for _ in range(2):
        assert {tuple(map(len, values(node))) for node in rig.nodes} == {sizes}
        for node in rig.nodes:
            node.kill()
        for node in rig.nodes:
            node.start()
        rig.tick(100)


@bug(49, "LogCabin#200")
def test_a_follower_whose_disk_hangs_does_not_blame_the_leader_for_it() -> None:
    """LogCabin#200: its time ran while it wrote, so it campaigned against a leader that lives."""
    rig = Rig(3).found()
    leader, slow, _ = rig.nodes
    term = leader.driver.kernel.term()
    slow.roles.clear()
    slow.stalled = True
    for number in range(100):
        leader.append(batch(f"{number}"), within_s=60)
        rig.tick(1)
    slow.stalled = False
    rig.tick(20)
    assert slow.roles == []
    assert leader.driver.kernel.leading and leader.driver.kernel.term() == term
    alike(rig)
