"""Bugs 25 to 36 of docs/bugs.md: members and snapshots that come back, quorums, late answers.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, ../unit/driver/rig.py, ../unit/raft/cluster.py.
"""

from itertools import combinations

import msgspec
import pytest

from replog.wire.schemas import SnapshotRequest
from replog_node.driver.snapshots import STAGGER_TICKS
from replog_node.model.positions import ClusterId, Lineage, MemberId, Term
from replog_node.raft.effects import InstallSnapshot, Persist, ReadFailed, ReadReady, Send
from replog_node.raft.events import HardState, Persisted
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Envelope,
    HeartbeatReply,
    RequestVote,
    SnapshotOffer,
    TimeoutNow,
    VoteReply,
)
from replog_node.raft.violation import InvariantViolation
from replog_node.storage.errors import LogDamaged, StorageFailed
from replog_node.storage.snapshots import snapshot_name, write_snapshot
from tests.catalogue.hands import snapshot_taken
from tests.catalogue.index import bug
from tests.catalogue.moments import (
    NOTHING_IN_MEMORY,
    at,
    held_back,
    led,
    let_through,
    silenced,
    trimmed,
    voters,
    written,
)
from tests.simulation.directed import alike
from tests.support.simdisk import SimDisk
from tests.unit.driver.rig import Rig, batch
from tests.unit.raft.cluster import LIMITS, Cluster, snapshot_at, target
from tests.unit.storage import building
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    configured,
    opened,
)


@bug(25, "etcd#20967")
def test_a_member_that_was_removed_stays_so_whatever_is_restarted_or_restored() -> None:
    """etcd#20967: the members stood in two stores; a restart believed the one that was stale.

    Here the record of the removal is let go of, so that snapshots alone tell of it, and everybody
    restarts; the removed member comes back with a disk that still names it.
    """
    rig = Rig(4).found(voters=3)
    one, two, zombie, late = rig.nodes
    zombie.kill()
    written(rig, *(f"value {number}" for number in range(20)))
    rig.target([one, two], "remove")
    rig.tick(60)
    assert voters(one) == {one.member, two.member}
    snapshot_taken(rig)
    trimmed(rig)
    for node in (one, two):
        node.kill()
    for node in rig.nodes[:3]:
        node.start()
    rig.tick(100)
    assert zombie.member in voters(zombie), "its own disk doesn't know better"
    assert "leader" not in zombie.roles[-20:]
    assert voters(one) == voters(two) == {one.member, two.member}
    assert zombie.member not in {*one.peers, *two.peers}
    rig.target([one, two, late], "grow")
    rig.tick(100)
    assert voters(late) == {one.member, two.member, late.member}
    assert late.driver.snapshot is not None, "it began at a snapshot"


@bug(26, "etcd#18055")
def test_a_second_snapshot_that_comes_at_once_leaves_the_first_one_to_who_installs_it() -> None:
    """etcd#18055: a second one arrived before the first was applied, whose file was then gone."""
    rig = Rig(3, core_limits=NOTHING_IN_MEMORY).found()
    leader, _, late = rig.nodes
    late.kill()
    written(rig, *(f"value {number}" for number in range(40)))
    snapshot_taken(rig)
    trimmed(rig)
    late.installs_held = True
    late.start()
    rig.tick(60)
    (first,) = late.held_installs
    snapshot_taken(rig)
    trimmed(rig)
    rig.tick(60)
    second = leader.driver.snapshot
    assert second is not None and second.position > first.snapshot.position
    late.installs_held = False
    late.install(first)
    rig.tick(90)
    assert late.driver.applied.digest() == leader.driver.applied.digest()


@bug(26, "etcd#18055")
def test_a_second_snapshot_that_falls_due_while_one_is_built_is_built_after_it() -> None:
    """etcd#18055, where they are made: neither takes the other's place."""
    rig = Rig(3).found()
    leader, _, slow = rig.nodes
    written(rig, "a")
    first = leader.call(SnapshotRequest())
    rig.tick(STAGGER_TICKS)
    slow.stalled = True
    rig.tick(2 * STAGGER_TICKS)
    building = slow.snapshot_work.popleft()
    slow.stalled = False
    written(rig, "b")
    second = leader.call(SnapshotRequest())
    rig.tick(4 * STAGGER_TICKS)
    assert slow.driver.snapshot is None
    slow.snapshot_work.append(building)
    rig.tick(4 * STAGGER_TICKS)
    assert slow._store is not None
    built = [snapshot.position.offset for snapshot in slow._store.snapshots]
    assert built == [first[0].offset, second[0].offset]


@bug(27, "openraft#1802")
@pytest.mark.parametrize("holding", [*combinations("bcde", 1), *combinations("bcde", 2)])
def test_an_entry_is_committed_when_a_majority_holds_it_whichever_members_these_are(
    holding: tuple[str, ...],
) -> None:
    """openraft#1802: the quorum was looked up in numbers that were only partly sorted."""
    cluster, a = led("abcde")
    before = a.core.status().commit.offset
    for name in "bcde":
        if name not in holding:
            cluster.isolate(name)
    a.propose()
    cluster.deliver()
    assert a.core.status().last.offset == before + 1
    assert a.core.status().commit.offset == before + (len(holding) == 2)


@bug(28, "openraft cecb5de8")
def test_an_answer_from_before_a_member_lost_its_end_does_not_count_for_what_is_gone() -> None:
    """openraft cecb5de8: it was taken for an answer of today and committed what one member held."""
    cluster, a = led("abc")
    b = cluster["b"]
    cluster.isolate("c")
    late = held_back(cluster, lambda e: e.sender == "b" and isinstance(e.message, AppendReply))
    a.propose()
    cluster.deliver()
    assert b.log()[-1] == (2, 3) and late
    cluster.tear("b", 2)
    cluster.flying.clear()
    for envelope in late:
        cluster.receive(envelope)
    assert a.core.status().commit == at(2, 2)
    let_through(cluster)
    cluster.run(3)
    assert a.core.status().commit == at(2, 3)
    assert b.log()[-1] == (2, 3), "it was sent again"


@bug(28, "openraft fbbf37b1")
def test_a_refusal_from_before_a_new_connection_takes_nothing_back() -> None:
    """openraft fbbf37b1: a conflict that was sorted out long ago sent the progress back."""
    cluster, a = led("abc")
    cluster.isolate("c")
    a.propose()
    cluster.deliver()
    cluster.cut.clear()
    late = held_back(cluster, lambda e: isinstance(e.message, AppendReply) and not e.message.ok)
    b = cluster.elect("b")
    let_through(cluster)
    assert late and {envelope.sender for envelope in late} == {"c"}
    cluster.isolate("c")
    cluster.heal()
    cluster.run(3)
    before = b.core.status().progress[MemberId("c")]
    assert (before.state, before.match) == ("replicate", b.core.status().last)
    for envelope in late:
        cluster.receive(envelope)
    assert b.core.status().progress[MemberId("c")] == before


@bug(29, "openraft 2af491fb")
def test_writes_that_are_told_done_out_of_order_move_nothing_back() -> None:
    """openraft 2af491fb: the word of an older write that came late was taken for the newest."""
    _, a = led("abc")
    a.disk.stalled = True
    for _ in range(3):
        a.propose()
    first, *_, last = [e.ticket for e in a.effects if isinstance(e, Persist)][-3:]
    a.step(Persisted(last))
    a.step(Persisted(first))
    assert a.core.status().durable == a.core.status().last == at(2, 5)


@bug(29, "openraft 2af491fb")
def test_a_promise_that_is_durable_waits_for_nothing_after_a_late_word_of_the_disk() -> None:
    """openraft 2af491fb, at a follower: its answers would wait for a write that is done."""
    cluster, a = led("abc")
    b = cluster["b"]
    b.disk.stalled = True
    a.propose()
    cluster.deliver()
    b.hear("c", RequestVote(Term(9), at(9, 99), False, True, 1))
    entries, vote, *_ = [e.ticket for e in b.effects if isinstance(e, Persist)][-2:]
    b.step(Persisted(vote))
    b.step(Persisted(entries))
    effects = b.hear("c", RequestVote(Term(9), at(9, 99), False, True, 1))
    assert [e.after_ticket for e in effects if isinstance(e, Send)] == [0]


@bug(30, "openraft#1892")
def test_a_snapshot_with_another_entry_where_one_is_committed_stops_the_member() -> None:
    """openraft#1892: it was taken for one that is held already, and the leader went on behind it.

    No member that keeps the protocol offers it; it can only come of a mixed-up history.
    """
    cluster, a = led("abc")
    b = cluster["b"]
    configuration = b.core.configuration
    assert configuration is not None and b.core.status().commit == at(2, 2)
    another = snapshot_at(at(4, 2), configuration)
    before = b.log()
    with pytest.raises(InvariantViolation, match="is committed here"):
        b.hear("c", SnapshotOffer(Term(6), 1, another))
    assert b.log() == before and b.said(InstallSnapshot) == []
    assert a.core.status().commit == at(2, 2)


@bug(30, "openraft 61586bf5")
@pytest.mark.parametrize(
    "earlier", [{"lineage": Lineage(9, "before")}, {"cluster_id": ClusterId("before")}]
)
def test_a_snapshot_of_an_earlier_life_of_the_log_stops_the_start(
    earlier: dict[str, object],
) -> None:
    """openraft 61586bf5: a store of an earlier life went unnoticed until it did harm."""
    disk = SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*chained([CLOCK, configured("m1")]))])
    meta = msgspec.structs.replace(building.snapshot_at(store.tail, b"state"), **earlier)
    disk.rename(write_snapshot(disk, meta, b"state"), snapshot_name(meta))
    store.close()
    with pytest.raises(LogDamaged, match="before"):
        opened(disk)
    assert disk.has(snapshot_name(meta)), "whoever looks into it finds all as it was"


@bug(31, "openraft afd6508b")
def test_a_leader_that_has_let_go_of_its_whole_log_sends_an_empty_member_its_snapshot() -> None:
    """openraft afd6508b: with nothing in its log it found nothing to send."""
    cluster = Cluster("ab", others="c")
    a = cluster.elect("a")
    cluster.isolate("c")
    a.aim(target("abc", "grow", 1))
    cluster.run(3)
    a.keep(a.core.status().last.offset)
    assert a.core.status().start == a.core.status().last
    cluster.heal()
    cluster.deliver()
    c = cluster["c"].core.status()
    assert c.last.offset >= a.core.status().start.offset > 0
    assert c.base is not None


@bug(32, "openraft 97d92771")
def test_a_restart_is_not_over_before_all_that_was_seen_before_is_there_again() -> None:
    """openraft 97d92771: the first commit that a leader named after the start counted as all.

    Everybody restarts, and the new leader knows of no commit behind the snapshot yet.
    """
    rig = Rig(3).found()
    written(rig, "a")
    snapshot_taken(rig)
    written(rig, "b", "c", "d")
    rig.tick(3)
    shown = {node.name: node.driver.applied.offset for node in rig.nodes}
    for node in rig.nodes:
        node.kill()
    rig.dropped = lambda envelope: isinstance(envelope.message, AppendReply)
    for node in rig.nodes:
        node.start()
    for _ in range(100):
        rig.tick()
        assert [node.driver.ready("read") for node in rig.nodes] == ["NotCaughtUp"] * 3
    rig.dropped = None
    rig.tick(60)
    for node in rig.nodes:
        assert node.driver.ready("read") is None
        assert node.driver.applied.offset >= shown[node.name]


@bug(33, "openraft#1796")
def test_a_refused_pre_vote_teaches_the_term_that_an_election_needs() -> None:
    """openraft#1796: it taught nothing, so the only member that could win asked for the same for
    ever: the other one had a higher term, and a log that is too old to lead.
    """
    cluster, a = led("abc")
    cluster.isolate("b")
    cluster.crash("c")
    cluster["b"].disk.hard = HardState(Term(7), None)
    cluster["b"].disk.entries.pop()
    cluster.crash("b")
    cluster.run(LIMITS.election_ticks + 1)
    assert a.core.role != "leader", "nobody answers"
    cluster.restart("b")
    cluster.heal()
    cluster.run_until(lambda: a.core.role == "leader")
    assert a.core.term > 7


@bug(34, "openraft a9f696a9")
def test_a_new_leader_does_not_count_its_no_op_before_its_disk_has_it() -> None:
    """openraft a9f696a9: it did, so that a majority was one member short."""
    cluster = Cluster("abc")
    a = cluster["a"]
    cluster.isolate("c")
    votes = held_back(cluster, lambda e: isinstance(e.message, VoteReply) and not e.message.pre)
    while not votes:
        a.tick()
        cluster.deliver()
    a.disk.stalled = True
    cluster.receive(votes[-1])
    cluster.deliver()
    leader = a.core.status()
    assert (leader.role, leader.last.offset) == ("leader", 2)
    assert leader.progress[MemberId("b")].match == leader.last
    assert leader.commit.offset < 2
    a.disk.stalled = False
    cluster.deliver()
    assert a.core.status().commit.offset == 2


@bug(35, "openraft d60f1e85")
@pytest.mark.parametrize(("names", "answering"), [("ab", ""), ("abc", ""), ("abcde", "b")])
def test_a_read_needs_a_whole_majority_and_not_one_less(names: str, answering: str) -> None:
    """openraft d60f1e85: one answer too few was enough to confirm a read."""
    cluster, a = led(names)
    silent = [name for name in names if name not in "a" + answering]
    for name in silent:
        cluster.isolate(name)
    a.read(1)
    cluster.deliver()
    assert a.said(ReadReady) == []
    cluster.cut.clear()
    for name in silent[1:]:
        cluster.isolate(name)
    cluster.run(1)
    assert a.said(ReadReady) == [ReadReady(1, a.core.status().commit.offset)]


@bug(35, "openraft 1ef3e574")
def test_a_leader_that_is_handing_over_answers_no_read_from_what_it_was_told_before() -> None:
    """openraft 1ef3e574: its lease went on although another one had been elected without waiting.

    What answers to its earlier heartbeats arrives only now, and the other has committed more.
    """
    cluster, a = led("abc")
    late = held_back(cluster, lambda e: isinstance(e.message, HeartbeatReply))
    cluster.run(2)
    let_through(cluster)
    a.transfer("b")
    (told,) = [e for e in cluster.flying if isinstance(e.message, TimeoutNow)]
    cluster.receive(told)
    cluster.isolate("a")
    cluster.run_until(lambda: cluster["b"].core.admitting is None)
    cluster["b"].propose()
    cluster.deliver()
    cluster.cut.clear()
    assert a.core.role == "leader" and late
    a.read(1)
    for envelope in late:
        cluster.receive(envelope)
    assert a.said(ReadReady) == []
    cluster.run(3)
    assert a.said(ReadFailed) == [ReadFailed(1)]


@bug(36, "NATS#8290")
def test_a_member_whose_disk_refused_a_write_neither_votes_nor_campaigns_any_more() -> None:
    """NATS#8290: it went on to do both, with a log that it could no longer write.

    The disk works again at once; that changes nothing before a restart.
    """
    rig = Rig(3).found()
    leader, candidate, voter = rig.nodes
    voter.disk.fail = lambda call: (
        "bad sector" if call.startswith("write") and ".seg" in call else None
    )
    leader.append(batch("a"), within_s=60)
    with pytest.raises(StorageFailed):
        rig.tick()
    voter.disk.fail = None
    rig.mail.clear()
    said = silenced(rig)
    request = RequestVote(Term(50), at(49, 1_000), pre=False, transfer=True, attempt=1)
    run = candidate.driver.kernel.incarnation
    voter.driver.receive(Envelope(candidate.member, voter.member, run, None, request))
    with pytest.raises(StorageFailed):
        voter.work()
    voter.stalled = True
    rig.tick(100)
    mine = [envelope.message for envelope in said if envelope.sender == voter.member]
    assert [m for m in mine if isinstance(m, RequestVote) and m.pre], "it has given up its leader"
    assert not any(isinstance(m, VoteReply) and m.granted for m in mine)
    assert not any(isinstance(m, RequestVote) and not m.pre for m in mine)
    rig.dropped, voter.stalled = None, False
    voter.kill()
    voter.start()
    rig.tick(100)
    alike(rig)


@bug(32, "openraft 97d92771")
def test_a_member_that_was_away_is_not_ready_before_it_has_what_was_committed_meanwhile() -> None:
    """openraft 97d92771: here what it holds itself is no measure, since the others have gone on."""
    rig = Rig(3, core_limits=CoreLimits(max_append_bytes=1, max_inflight_count=1)).found()
    leader, _, away = rig.nodes
    away.kill()
    written(rig, *(f"value {number}" for number in range(30)))
    halfway = leader.driver.applied.offset - 15
    rig.dropped = lambda envelope: _beyond(envelope, halfway)
    away.start()
    rig.tick(50)
    assert away.driver.applied.offset == halfway
    assert away.driver.ready("read") == "NotCaughtUp"
    rig.dropped = None
    rig.tick(100)
    assert away.driver.ready("read") is None
    assert away.driver.applied.offset == leader.driver.applied.offset


def _beyond(envelope: Envelope, offset: int) -> bool:
    message = envelope.message
    return isinstance(message, AppendEntries) and any(e.last > offset for e in message.entries)
