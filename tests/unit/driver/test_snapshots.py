"""When snapshots are built, compared and fetched (driver/snapshots.py, driver/fetching.py)."""

from replog.wire.schemas import SnapshotRequest, TrimRequest
from replog_node.driver.fetching import ASK_AGAIN_TICKS
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import ChunkFetched, FetchChunk, SnapshotReport
from replog_node.driver.snapshots import STAGGER_TICKS
from replog_node.driver.wire import decode
from replog_node.raft.limits import CoreLimits
from replog_node.storage.snapshots import snapshot_name
from tests.unit.driver.rig import Node, Rig, batch

SMALL = CoreLimits(cache_bytes=1)


def filled(rig: Rig, count: int = 60) -> int:
    """Several segments of records; the end of the log."""
    for number in range(count):
        rig.nodes[0].append(batch(f"{number:04d}" + "x" * 4000))
        rig.deliver()
    rig.tick(2)
    return rig.nodes[0].driver.applied.offset + 1


def asked(rig: Rig, request: object) -> None:
    answers = rig.nodes[0].call(request)
    rig.deliver()
    rig.tick(3 * STAGGER_TICKS)
    assert answers.codes == ["ok"]


def away(rig: Rig, node: Node) -> int:
    """Leave the member behind the start of the others' logs; that start."""
    node.kill()
    filled(rig)
    asked(rig, SnapshotRequest())
    end = filled(rig)
    asked(rig, TrimRequest(end - 5))
    rig.tick(5)
    start = rig.nodes[0].driver.kernel.log_begins_after().offset
    assert start > 0, "nothing was released"
    return start


def on_the_way(rig: Rig, kind: type) -> list[object]:
    return [m for _, _, data in rig.mail if isinstance(m := decode(data), kind)]


def test_all_members_build_equal_snapshots_at_the_point() -> None:
    rig = Rig(3).found()
    filled(rig, 5)
    asked(rig, SnapshotRequest())
    newest = [node.driver.snapshot for node in rig.nodes]
    assert newest[0] is not None and newest == [newest[0]] * 3
    assert not rig.nodes[0].driver.diverged


def test_members_build_one_after_the_other() -> None:
    """At once they would keep a quorum's disks busy: commits would wait for all of them."""
    rig = Rig(3).found()
    filled(rig, 5)
    answers = rig.nodes[0].call(SnapshotRequest())
    rig.deliver()
    built = []
    for _ in range(3 * STAGGER_TICKS):
        rig.tick(1)
        built.append(sum(node.driver.snapshot is not None for node in rig.nodes))
    assert answers.codes == ["ok"] and {1, 2, 3} <= set(built)
    assert all(built.count(number) >= STAGGER_TICKS - 1 for number in (1, 2))


def test_a_point_comes_by_itself_after_enough_log() -> None:
    rig = Rig(3, limits=DriverLimits(snapshot_bytes=20_000)).found()
    filled(rig, 12)
    rig.tick(3 * STAGGER_TICKS)
    found = rig.nodes[2].driver.snapshot
    assert found is not None and found.position.offset > 0


def test_a_member_behind_the_start_fetches_a_snapshot_and_goes_on() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    late = rig.nodes[2]
    start = away(rig, late)
    late.start()
    rig.tick(60)
    assert late.driver.kernel.log_begins_after().offset >= start
    assert late.driver.applied.digest() == rig.nodes[0].driver.applied.digest()
    assert "snapshot_fetched" in late.notes


def test_while_an_install_waits_for_the_disk_no_newer_snapshot_takes_its_files_place() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    late = rig.nodes[2]
    away(rig, late)
    late.installs_held = True
    late.start()
    rig.tick(60)
    (held,) = late.held_installs
    filled(rig)
    asked(rig, SnapshotRequest())
    end = filled(rig)
    asked(rig, TrimRequest(end - 5))
    rig.tick(60)
    assert rig.nodes[0].driver.kernel.log_begins_after() > held.snapshot.position
    late.installs_held = False
    late.install(held)
    rig.tick(90)
    assert late.driver.applied.digest() == rig.nodes[0].driver.applied.digest()


def test_a_lost_piece_is_asked_for_again() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    late = rig.nodes[2]
    away(rig, late)
    late.start()
    late.stalled = True  # its disk says nothing of the part that it has
    rig.tick(60)
    assert "SnapshotTransfer" in [wait.code for wait in late.driver.waits()]
    late.stalled = False
    late.work()
    assert on_the_way(rig, FetchChunk), "nothing was asked for"
    rig.mail.clear()  # lost
    rig.tick(ASK_AGAIN_TICKS - 2)
    assert "snapshot_fetched" not in late.notes
    rig.tick(60)
    assert late.driver.applied.offset == rig.nodes[0].driver.applied.offset


def test_a_piece_that_was_not_asked_for_or_is_damaged_changes_nothing() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    node = rig.nodes[2]
    before = node.driver.applied.digest()
    for at, crc in ((0, 0), (5, 1)):
        node.driver.receive(
            ChunkFetched(
                rig.nodes[0].member, node.member, rig.nodes[0].driver.kernel.incarnation,
                7, b"d" * 16, at, crc, b"data",
            )
        )  # fmt: skip
    assert node.driver.applied.digest() == before


def test_a_member_whose_state_differs_is_named() -> None:
    rig = Rig(3).found()
    filled(rig, 3)
    asked(rig, SnapshotRequest())
    leader, other = rig.nodes[0], rig.nodes[1]
    held = leader.driver.snapshot
    assert held is not None
    leader.driver.receive(
        SnapshotReport(
            other.member, leader.member, other.driver.kernel.incarnation, held.position.offset,
            b"?" * 16,
        )
    )  # fmt: skip
    rig.tick(1)
    assert set(leader.driver.diverged) >= {other.member}
    assert "state_diverged" in leader.notes
    assert "StateDiverged" in [wait.code for wait in leader.driver.waits()]


def test_a_snapshot_that_rotted_is_built_again_with_equal_bytes() -> None:
    rig = Rig(3).found()
    filled(rig, 5)
    asked(rig, SnapshotRequest())
    node = rig.nodes[1]
    held = node.driver.snapshot
    assert held is not None and node._store is not None
    node.disk.damage(snapshot_name(held), held.size_bytes - 1, b"\0rot")
    node._store.drop_snapshot(held)
    assert held not in node._store.snapshots
    node.driver.on_snapshot_dropped(held)
    rig.deliver()
    assert held in node._store.snapshots


def test_a_piece_that_the_disk_lost_without_a_word_is_asked_for_again() -> None:
    rig = Rig(3, core_limits=SMALL).found()
    late = rig.nodes[2]
    away(rig, late)
    late.start()
    late.stalled = True
    rig.tick(60)
    late.snapshot_work.clear()  # a full disk tells nobody
    late.stalled = False
    rig.tick(3 * ASK_AGAIN_TICKS + 60)
    assert late.driver.applied.offset == rig.nodes[0].driver.applied.offset


def test_a_build_that_comes_to_nothing_is_tried_again_ever_more_rarely() -> None:
    rig = Rig(3).found()
    filled(rig, 3)
    node = rig.nodes[1]
    asked(rig, SnapshotRequest())
    held = node.driver.snapshot
    assert held is not None and node._store is not None
    node.disk.damage(snapshot_name(held), held.size_bytes - 1, b"\0rot")
    node._store.drop_snapshot(held)
    tries = 0

    def build(up_to: object) -> None:
        nonlocal tries
        tries += 1
        node.snapshot_work.append(lambda _store: node.driver.on_built(None))

    node.build = build  # type: ignore[method-assign]
    node.driver.on_snapshot_dropped(held)
    rig.tick(1000)
    assert 3 <= tries <= 6
