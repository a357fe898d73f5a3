"""A hole is filled with exactly what was lost, or not at all, and dying in between is harmless."""

from collections.abc import Callable
from random import Random
from threading import Thread

import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset
from replog_node.storage.disk import Sync
from replog_node.storage.errors import ChainBroken, LogDamaged, RepairRefused, StorageFailed
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import Store
from replog_node.storage.summary import Hole
from tests.support.simdisk import Crashed, SimDisk, SyncSite
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    SMALL,
    appending,
    chained,
    data,
    opened,
    whole_log,
)
from tests.unit.storage.crashing import FailOnce
from tests.unit.storage.test_damage import ENTRIES, segments, written

RANDOM = Random(11)
"""Of all starts: nonces never come again, as in life."""

Harm = Callable[[SimDisk], None]


def started(disk: SimDisk) -> Store:
    return opened(disk, SMALL, lambda: RANDOM.getrandbits(64))


def frame_rots(at: int) -> Harm:
    def harm(disk: SimDisk) -> None:
        name = next(n for n in segments(disk) if ENTRIES[at].frame in disk.content(n))
        disk.damage(name, disk.content(name).index(ENTRIES[at].frame) + 60, b"rot")
        without_summary(disk, name)

    return harm


def segment_is_lost(disk: SimDisk) -> None:
    disk.vanish(segments(disk)[1])


def two_rot(disk: SimDisk) -> None:
    frame_rots(0)(disk)
    frame_rots(2)(disk)


def without_summary(disk: SimDisk, name: str) -> None:
    summary = name.replace(".seg", ".sum")
    if disk.has(summary):
        disk.vanish(summary)


def three_rot(disk: SimDisk) -> None:
    """Holes that are each other's neighbours but for one entry."""
    for at in (0, 2, 4):
        frame_rots(at)(disk)


def first_segment_is_lost(disk: SimDisk) -> None:
    disk.vanish(segments(disk)[0])


HARMS = {
    "the first segment": first_segment_is_lost,
    "the first frame": frame_rots(0),
    "a frame within": frame_rots(1),
    "a large frame": frame_rots(4),
    "a segment": segment_is_lost,
    "two frames": two_rot,
    "three frames": three_rot,
}


def harmed(harm: Harm) -> SimDisk:
    disk = written(idle=True)
    disk.sync_directory(Sync.SEGMENT_NAME)  # else a power loss brings back what has vanished
    harm(disk)
    assert started(disk.copy()).holes
    return disk


def filling(hole: Hole) -> tuple[Entry, ...]:
    return tuple(entry for entry in ENTRIES if hole.start <= entry.base <= hole.end)


def repair_all(store: Store) -> None:
    while store.holes:
        store.repair(store.holes[0], filling(store.holes[0]))


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_filled_holes_are_gone_and_stay_so(harm: Harm) -> None:
    disk = harmed(harm)
    store = started(disk)
    repair_all(store)
    assert whole_log(store) == ENTRIES
    sound = written(idle=True)
    assert store.bounds() == started(sound).bounds()
    store.write([appending(*chained([data(1500), CLOCK], store.tail))])
    after = whole_log(store)
    assert after[: len(ENTRIES)] == ENTRIES and len(after) == len(ENTRIES) + 2
    for _ in range(2):
        disk.lose_power(Random(3))
        store = started(disk)
        assert not store.holes and whole_log(store) == after


def test_a_hole_can_be_filled_from_its_front_piece_by_piece() -> None:
    disk = written(idle=True, entries=MANY)
    names = segments(disk)
    disk.vanish(names[1])
    disk.vanish(names[2])
    store = started(disk)
    [hole] = store.holes
    lost = [entry for entry in MANY if hole.start <= entry.base <= hole.end]
    assert len(lost) > 3
    for entry in lost:
        [hole] = store.holes
        assert hole.start == entry.base
        with pytest.raises(LogDamaged):
            store.read(entry.base, 1)
        store.repair(hole, [entry])
        assert store.read(entry.base, 1) == (entry,)
    assert not store.holes and whole_log(store) == MANY


MANY = chained([CLOCK] + [data(600, fill=fill) for fill in "abcdefghijklmnopqrst"])


@pytest.mark.parametrize(
    "left_out", [Sync.REPAIR, Sync.REPAIR_NAME, None], ids=["REPAIR", "REPAIR_NAME", "none"]
)
def test_leaving_out_a_sync_of_a_repair_loses_what_was_repaired(left_out: Sync | None) -> None:
    lost = 0
    for seed in range(24):
        disk = harmed(frame_rots(1))
        disk.left_out = frozenset([SyncSite(left_out)] if left_out else [])
        store = started(disk)
        repair_all(store)
        disk.left_out = frozenset()
        disk.lose_power(Random(seed))
        lost += bool(started(disk).holes)
    assert bool(lost) is (left_out is not None)


def test_a_hole_takes_nothing_that_doesn_t_fit_on_both_sides() -> None:
    disk = harmed(frame_rots(1))
    store = started(disk)
    [hole] = store.holes
    other = chained([data(500, fill="b")], hole.before)
    for entries in ((), other, ENTRIES[2:3], ENTRIES[1:3], chained([data(9)], tail_of(other[0]))):
        with pytest.raises(ChainBroken):
            store.repair(hole, entries)
    assert store.holes == (hole,)
    store.repair(hole, ENTRIES[1:2])
    with pytest.raises(RepairRefused, match="no such hole"):
        store.repair(hole, ENTRIES[1:2])
    assert whole_log(store) == ENTRIES


def test_more_damage_found_on_the_way_is_a_hole_of_its_own() -> None:
    disk = harmed(frame_rots(1))
    store = started(disk)
    [hole] = store.holes
    frame_rots(2)(disk)
    with pytest.raises(RepairRefused, match="more of it is damaged"):
        store.repair(hole, ENTRIES[1:2])
    assert len(store.holes) == 1 and store.holes[0].end >= ENTRIES[2].last
    repair_all(store)
    assert whole_log(store) == ENTRIES


@pytest.mark.parametrize("call", ["create", "write"])
def test_a_full_disk_only_delays_a_repair(call: str) -> None:
    disk = harmed(frame_rots(1))
    store = started(disk)
    disk.fail = lambda found: "full" if found.startswith(call) and ".tmp" in found else None
    with pytest.raises(RepairRefused, match="full"):
        store.repair(store.holes[0], ENTRIES[1:2])
    disk.fail = None
    store.write([appending(*chained([CLOCK], store.tail))])
    repair_all(store)
    assert len(whole_log(store)) == len(ENTRIES) + 1


def test_damage_in_the_growing_segment_is_repaired_while_it_goes_on() -> None:
    disk = written(idle=True, entries=ENTRIES[:4])
    store = started(disk)
    store.write([appending(*ENTRIES[4:6])])
    store.write([appending(*ENTRIES[6:])])
    name = next(n for n in segments(disk) if ENTRIES[5].frame in disk.content(n))
    disk.damage(name, disk.content(name).index(ENTRIES[5].frame) + 60, b"rot")
    with pytest.raises(LogDamaged) as caught:
        store.read(ENTRIES[5].base, 1)
    examined = store.examine(caught.value.segment)
    assert examined is not None
    more = chained([CLOCK], store.tail)
    store.write([appending(*more)])
    store.damaged(examined)
    assert store.holes
    repair_all(store)
    assert whole_log(store) == (*ENTRIES, *more)
    disk.restart()
    assert whole_log(started(disk)) == (*ENTRIES, *more)


def test_who_reads_while_the_file_is_replaced_is_not_disturbed() -> None:
    disk = harmed(frame_rots(1))
    store = started(disk)
    read: list[bool] = []

    def look(_call: str) -> None:
        disk.fail = None
        read.append(store.read(ENTRIES[2].base, 1 << 30) == ENTRIES[2:])
        disk.fail = look

    disk.fail = look
    repair_all(store)
    disk.fail = None
    assert len(read) > 5 and all(read)
    store.read(Offset(0), 1 << 30)


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_dying_at_any_operation_of_a_repair_loses_nothing(harm: Harm) -> None:
    before, at = harmed(harm), 0
    while True:
        at += 1
        disk = before.copy()
        store = started(disk)
        disk.crash_at, disk.crash_random = disk.operations + at, Random(at)
        try:
            repair_all(store)
        except Crashed:
            disk.crash_at = None
        else:
            break
        for seed in range(6):
            dead = disk.copy()
            dead.lose_power(Random(seed)) if seed else dead.restart()
            found = started(dead)
            repair_all(found)
            assert whole_log(found) == ENTRIES
    assert at > 10


def test_a_disk_that_fails_at_any_operation_of_a_repair_loses_nothing() -> None:
    before, at = harmed(two_rot), 0
    while True:
        at += 1
        disk = before.copy()
        store = started(disk)
        disk.fail = FailOnce(at)
        try:
            repair_all(store)
        except StorageFailed:
            disk.fail = None
        else:
            break
        disk.lose_power(Random(at))
        found = started(disk)
        repair_all(found)
        assert whole_log(found) == ENTRIES
    assert at > 10


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_holes_of_one_segment_are_filled_in_any_order(order: tuple[int, ...]) -> None:
    limits = StoreLimits(segment_bytes=1 << 16, block_bytes=1500, index_rows=4, read_bytes=700)
    disk = SimDisk()
    store = opened(disk, limits, lambda: RANDOM.getrandbits(64))
    store.assign(CLUSTER, LINEAGE)
    for entry in MANY:
        store.write([appending(entry)])
    store.write_idle_mark()
    disk.restart()
    (name,) = segments(disk)
    for at in (3, 9, 15):
        disk.damage(name, disk.content(name).index(MANY[at].frame) + 60, b"rot")
    store = opened(disk, limits, lambda: RANDOM.getrandbits(64))
    holes = store.holes
    assert [hole.start for hole in holes] == [MANY[at].base for at in (3, 9, 15)]
    for which in order:
        lost = tuple(e for e in MANY if holes[which].start <= e.base <= holes[which].end)
        (hole,) = [hole for hole in store.holes if hole.start == holes[which].start]
        store.repair(hole, lost)
        assert store.read(lost[0].base, 1) == lost[:1]
    assert not store.holes and whole_log(store) == MANY


def test_who_reads_right_after_the_file_got_its_name_waits_for_the_new_places() -> None:
    disk = harmed(frame_rots(1))
    store = started(disk)
    rename, read = disk.rename, list[tuple[Entry, ...]]()
    reader = Thread(target=lambda: read.append(store.read(ENTRIES[3].base, 1 << 30)))

    def renamed(old: str, new: str) -> None:
        rename(old, new)
        reader.start()
        reader.join(0.05)

    disk.rename = renamed  # type: ignore[method-assign]
    store.repair(store.holes[0], filling(store.holes[0]))
    reader.join(10)
    assert len(read) == 1 and read[0] == ENTRIES[3 : 3 + len(read[0])] != ()


def test_damage_that_reaches_over_the_mark_makes_all_that_can_be_read_behind_it_unproven() -> None:
    disk = written(idle=True, entries=ENTRIES[:2])
    store = started(disk)
    store.write([appending(*chained([data(200, fill="p")], store.tail))])
    store.write([appending(*chained([data(700, fill=fill) for fill in "qrs"], store.tail))])
    end, name = store.tail.position, segments(disk)[-1]
    for fill in (b"p", b"q"):
        disk.damage(name, disk.content(name).index(fill * 100) // 512 * 512, bytes(64))
    disk.restart()
    found = started(disk)
    assert whole_log(found) == ENTRIES[:2]
    assert (found.holes, found.unproven) == ((), end)
