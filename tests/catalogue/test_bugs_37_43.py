"""Bugs 37 to 43 of docs/bugs.md: who belongs to it, what a snapshot holds, a log told again.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, moments.py, ../unit/driver/rig.py, ../unit/storage/building.py.
"""

import pytest

from replog.wire.schemas import ProducerRequest, SnapshotRequest, TransferRequest
from replog_node.adapters.peers import Belonging
from replog_node.driver.limits import DriverLimits
from replog_node.model.positions import ORIGIN, ClusterId, Lineage, Offset, Position
from replog_node.raft.effects import MemberRemoved
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import RequestVote, TimeoutNow, VoteReply
from replog_node.storage.errors import StorageFailed
from replog_node.storage.limits import StoreLimits
from replog_node.storage.snapshots import header_bytes, snapshot_name, write_snapshot
from replog_node.storage.store import Store
from tests.catalogue.hands import progress_of, snapshot_taken
from tests.catalogue.index import bug
from tests.catalogue.moments import NOTHING_IN_MEMORY, led, trimmed, written
from tests.simulation.directed import alike, leader_of, promised, values
from tests.support.simdisk import Crashed, SimDisk
from tests.unit.adapters.meeting import CLUSTER as CONNECTED
from tests.unit.adapters.meeting import Node as Connected
from tests.unit.adapters.meeting import introduce, meeting, running, until
from tests.unit.driver.rig import Node, Rig, batch
from tests.unit.raft.cluster import messages, target
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    SMALL,
    appending,
    built,
    chained,
    configured,
    data,
    opened,
    snapshot_at,
    whole_log,
)

STATE = b"what all entries so far have left behind " * 30

SMALL_DISK = StoreLimits(
    segment_bytes=16 * 1024, block_bytes=4096, read_bytes=4096,
    soft_limit_bytes=64 * 1024, margin_bytes=8192,
)  # fmt: skip
LITTLE_AT_ONCE = CoreLimits(max_append_bytes=2048, max_inflight_bytes=4096)


@bug(37, "NATS#8332")
def test_a_membership_change_that_is_not_committed_is_in_no_snapshot_and_goes_with_its_record() -> (
    None
):
    """NATS#8332: it leaked into a snapshot, outlived its record, and its member campaigned on it.

    A snapshot point is committed; before the snapshot is built, its leader is cut off and appends
    a target that nobody else ever hears of.
    """
    rig = Rig(4).found(voters=3)
    leader = rig.nodes[0]
    agreed = leader.driver.kernel.configuration()
    points: list[Position] = []
    leader.build = points.append  # type: ignore[assignment, method-assign]
    leader.call(SnapshotRequest())
    rig.tick(3)
    rig.cut_off = {leader.member}
    rig.target(rig.nodes, "grow")
    rig.tick(1)
    assert leader.driver.kernel.configuration() != agreed
    Node.build(leader, points[0])
    rig.deliver()
    made = leader.driver.snapshot
    assert made is not None and made.configuration == agreed
    leader_of(rig, *rig.nodes[1:3])
    leader.kill()
    leader.start()
    rig.cut_off = set()
    rig.tick(80)
    assert leader.driver.kernel.configuration() == agreed, "its record was cut off"
    alike(rig)


@bug(38, "NATS#8353")
def test_votes_of_members_that_were_removed_elect_nobody() -> None:
    """NATS#8353: whoever had been removed was still counted."""
    cluster, a = led("abcde")
    a.aim(target("abc", "shrink", 1))
    cluster.run_until(lambda: all(cluster[name].said(MemberRemoved) for name in "de"))
    for name in "bc":
        cluster.isolate(name)
    cluster.restart("a")
    for _ in range(100):
        a.tick()
        cluster.deliver()
        for asked in messages(a.effects, RequestVote)[-1:]:
            for name in "de":
                a.hear(name, VoteReply(asked.term, True, asked.pre, asked.attempt))
    assert messages(a.effects, RequestVote)
    assert a.core.role == "pre-candidate"


@bug(38, "NATS#8370")
def test_what_waits_at_a_leader_is_not_appended_when_it_leads_again() -> None:
    """NATS#8370: something begun under one term proposed under the next one of the same leader.

    A group that was sent on waits for a transfer; its sender hears that nothing happened and
    gives it to the next leader, and then the first one leads again.
    """
    rig = Rig(3).found()
    old, follower, new = rig.nodes
    rig.dropped = lambda envelope: isinstance(envelope.message, TimeoutNow)
    old.call(TransferRequest(new.member))
    rig.deliver()
    answers = follower.append(batch("x"), within_s=60)
    rig.deliver()
    assert not answers and b"x" not in values(old)
    rig.dropped = None
    leader_of(rig, new)
    rig.tick(3)
    new.call(TransferRequest(old.member))
    leader_of(rig, old)
    rig.tick(20)
    assert answers.codes == ["ok"]
    promised(answers, b"x", follower)
    alike(rig)


def _store(*, entries: int, limits: StoreLimits = SMALL) -> tuple[Store, SimDisk]:
    """A store of its own with so many entries, of which a segment holds about two."""
    disk = SimDisk()
    store = opened(disk, limits)
    store.assign(CLUSTER, LINEAGE)
    for entry in chained([CLOCK, configured("m1"), *[data(1200)] * (entries - 2)]):
        store.write([appending(entry)])
    return store, disk


@bug(39, "NATS#8101")
def test_a_snapshot_that_was_being_written_when_the_process_died_is_never_started_from() -> None:
    """NATS#8101: the half-written one was newer, so it was chosen. Each operation is tried."""
    for crash in range(1, 50):
        store, disk = _store(entries=4)
        older = built(store, disk, STATE)
        store.write([appending(*chained([data(1200)], store.tail))])
        disk.crash_at = disk.operations + crash
        try:
            write_snapshot(disk, snapshot_at(store.tail, STATE), STATE)
        except Crashed:
            disk.restart()
        else:
            break
        again = opened(disk)
        assert again.recovered.snapshot == older and again.read_state(older) == STATE
        assert again.recovered.damaged_snapshots == (), "what isn't whole has another name"
        assert not [name for name in disk.names() if name.endswith(".tmp")]
    assert crash > 3


@bug(39, "ZK-3231")
def test_snapshots_that_rotted_do_not_count_when_the_older_ones_are_let_go_of() -> None:
    """ZK-3231: the newest few were kept whether they were any good or not."""
    limits = StoreLimits(segment_bytes=4096, block_bytes=1500, read_bytes=700, snapshots_between=0)
    store, disk = _store(entries=12, limits=limits)
    entries = whole_log(store)
    made = [built(store, disk, STATE, entry) for entry in entries[5::2]]
    store.close()
    for meta in made[1:]:
        disk.damage(snapshot_name(meta), header_bytes(meta) + 5, b"\xff")
    again = opened(disk, limits)
    base, start = again.release(Offset(entries[-1].last + 1))
    assert base == made[0] and ORIGIN < start.position <= made[0].position
    again.close()
    last = opened(disk, limits)
    assert last.recovered.snapshot == made[0] and last.read_state(made[0]) == STATE
    assert whole_log(last)[-1] == entries[-1]


@bug(40, "NATS#8413")
@pytest.mark.asyncio
async def test_a_member_that_was_down_finds_another_log_in_its_own_s_place_and_keeps_away() -> None:
    """NATS#8413: the log was deleted and made anew under its old name; the member that had been
    down mixed the two.

    Here the others come back at their old addresses, with their old ids, founded anew.
    """
    before = [Connected(number, CONNECTED) for number in (1, 2, 3)]
    async with meeting(*before):
        pass
    another = Belonging(ClusterId("c2"), Lineage(1, "life"))
    founded = [Connected(number, another) for number in (1, 2)]
    late = Connected(3, CONNECTED)
    for node, was in zip([*founded, late], before, strict=True):
        node.port = was.port
    async with running(*founded, late):
        introduce(*founded, late)
        await until(lambda: founded[0].driver.up == {founded[1].id})
        for node in founded:
            await until(lambda node=node: "other_cluster" in late.peers.unreachable()[node.id])  # type: ignore[misc]
            assert not node.say(late, 1) and not late.say(node, 1)
        assert late.heard() == [] and late.driver.up == set()


@bug(41, "NATS#8106")
def test_a_repeat_is_known_to_every_leader_that_comes_after() -> None:
    """NATS#8106: a change of leader cleared the memory of what had been appended."""
    rig = Rig(3).found()
    first, *others = rig.nodes
    session = first.call(ProducerRequest("s"))
    rig.tick(3)
    numbered = batch("x", session=(session[0].producer_id, 0))
    told = first.append(numbered)
    rig.tick(2)
    first.kill()
    second = leader_of(rig, *others)
    third = next(node for node in others if node is not second)
    again = second.append(numbered)
    rig.tick(2)
    first.start()
    rig.tick(30)
    second.call(TransferRequest(third.member))
    leader_of(rig, third)
    once_more = third.append(numbered)
    rig.tick(2)
    for answers in (again, once_more):
        assert answers.codes == ["ok"] and answers[0].duplicate
        assert answers[0].base_offset == told[0].base_offset
    assert values(third).count(b"x") == 1
    alike(rig)


def _behind(rig: Rig) -> Node:
    """The last member is away until it lacks what the others have let go of."""
    late = rig.nodes[2]
    late.kill()
    written(rig, *(f"value {number}" for number in range(40)))
    snapshot_taken(rig)
    trimmed(rig)
    return late


@bug(42, "NATS#8321")
def test_after_an_install_the_next_entry_is_applied_once_and_none_is_left_out() -> None:
    """NATS#8321: the place to go on from was wrong by one."""
    rig = Rig(3, core_limits=NOTHING_IN_MEMORY).found()
    leader, late = rig.nodes[0], _behind(rig)
    late.start()
    rig.tick(60)
    written(rig, "after", "more")
    rig.tick(3)
    assert late.driver.log_start > 1, "it began at a snapshot"
    at = late.driver.log_start
    assert [e.frame for e in late.entries(at)] == [e.frame for e in leader.entries(at)]
    assert late.driver.applied.offset == leader.driver.applied.offset
    assert late.driver.applied.digest() == leader.driver.applied.digest()


@bug(42, "NATS#8265")
def test_a_member_far_behind_gets_everything_however_little_goes_at_once() -> None:
    """NATS#8265: at a limit, the rest of what it lacked was skipped, and replicas differed."""
    tiny = CoreLimits(max_append_bytes=1, max_inflight_count=2, max_inflight_bytes=1, cache_bytes=1)
    rig = Rig(3, core_limits=tiny, limits=DriverLimits(apply_bytes=1)).found()
    leader, _, late = rig.nodes
    session = leader.call(ProducerRequest("s"))
    rig.tick(3)
    late.kill()
    for number in range(50):
        leader.append(batch(f"{number}", session=(session[0].producer_id, number)))
        rig.tick(1)
    late.start()
    rig.tick(60)
    alike(rig)
    assert late.driver.applied.digest() == leader.driver.applied.digest()
    late.kill()
    late.start()
    rig.tick(60)
    assert late.driver.applied.digest() == leader.driver.applied.digest()


def _with_a_tail_of_its_own(rig: Rig) -> tuple[Node, Node, Node]:
    """The first leader appends alone, and the others go on without it."""
    old, *others = rig.nodes
    rig.cut_off = {old.member}
    for number in range(6):
        old.append(batch(f"lonely {number} " + "x" * 1500), within_s=600)
    rig.tick(1)
    new = leader_of(rig, *others)
    for number in range(6):
        new.append(batch(f"told {number} " + "x" * 1500), within_s=600)
        rig.tick(1)
    return old, new, next(node for node in others if node is not new)


@bug(43, "ZK-3701")
def test_a_member_whose_disk_is_full_does_not_join_with_a_tail_that_it_could_not_cut_off() -> None:
    """ZK-3701: the disk was full, so nothing was cut off, and the member joined all the same."""
    rig = Rig(3, store_limits=SMALL_DISK, core_limits=LITTLE_AT_ONCE)
    for node in rig.nodes:
        node.disk.capacity = 1 << 20
    rig.found()
    old, new, third = _with_a_tail_of_its_own(rig)
    old.disk.fill()
    old.disk.vanish("spare")  # what was kept for this is used up
    old.look_at_the_disk()
    rig.cut_off = set()
    rig.tick(30)
    held = progress_of(new, old)
    assert held.full and held.match < new.driver.kernel.committed
    assert set(values(old)) <= set(values(new))
    third.kill()
    answers = new.append(batch("alone"), within_s=1)
    rig.tick(30)
    assert "ok" not in answers.codes
    third.start()
    old.disk.taken_bytes = 0
    old.look_at_the_disk()
    rig.tick(100)
    alike(rig)


@bug(43, "ZK-3701")
@pytest.mark.parametrize("call", ["rename", "write", "sync", "truncate"])
def test_a_cut_that_fails_ends_the_member_before_it_has_answered(call: str) -> None:
    """ZK-3701, with a disk that fails in the middle of it."""
    rig = Rig(3).found()
    old, new, _ = _with_a_tail_of_its_own(rig)
    old.disk.fail = lambda each: "bad sector" if each.startswith(call) and ".seg" in each else None
    rig.cut_off = set()
    with pytest.raises(StorageFailed):
        rig.tick(60)
    assert progress_of(new, old).match.offset <= 10
    old.kill()
    old.disk.fail = None
    old.start()
    rig.tick(80)
    alike(rig)
    assert not [value for value in values(old) if value.startswith(b"lonely")]
