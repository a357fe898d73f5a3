"""A full disk is a state of the store: it goes on from its reserve, then waits; nothing is lost."""

import pytest

from replog_node.storage.errors import NoRoom
from replog_node.storage.limits import StoreLimits
from replog_node.storage.reserve import (
    SNAPSHOT_SPARE_BYTES,
    SNAPSHOT_SPARE_NAME,
    SPARE_NAME,
    Reserve,
)
from replog_node.storage.snapshots import snapshot_name, write_snapshot
from replog_node.storage.store import Store
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    data,
    opened,
    snapshot_at,
    voting,
    whole_log,
)

STATE = b"a state of some bytes " * 50
LIMITS = StoreLimits(segment_bytes=8192, soft_limit_bytes=16_384, margin_bytes=2048)
ENTRIES = chained([data(3000) for _ in range(12)])


def full_disk(limits: StoreLimits = LIMITS) -> tuple[SimDisk, Store]:
    """A member's disk that somebody else has just filled, with its spare."""
    disk = SimDisk()
    disk.capacity = 1024 * 1024
    store = opened(disk, limits)
    store.assign(CLUSTER, LINEAGE)
    store.space()
    disk.fill()
    return disk, store


def fill_up(store: Store) -> int:
    """Write entries until there is no room; how many were written."""
    for written, entry in enumerate(ENTRIES):
        try:
            store.write([appending(entry)])
        except NoRoom:
            return written
    raise AssertionError("there was room for everything")


def test_a_roll_takes_the_spare_and_the_next_look_makes_another() -> None:
    disk = SimDisk()
    store = opened(disk, LIMITS)
    store.assign(CLUSTER, LINEAGE)
    assert store.wants_spare
    store.space()
    assert len(disk.content(SPARE_NAME)) == LIMITS.segment_bytes
    created = disk.calls["create"]
    store.write([appending(*ENTRIES[:2])])
    store.write([appending(*ENTRIES[2:4])])
    assert store.wants_spare and not disk.has(SPARE_NAME)
    assert disk.calls["create"] == created + 1, "only the summary of the full segment was made"
    store.space()
    assert disk.has(SPARE_NAME)
    assert whole_log(store) == ENTRIES[:4]


def test_a_full_disk_takes_two_segments_and_then_refuses_without_ending_the_store() -> None:
    disk, store = full_disk()
    written = fill_up(store)
    assert written == 4
    for _ in range(3):
        with pytest.raises(NoRoom):
            store.write([appending(*ENTRIES[written:6])])
    assert whole_log(store) == ENTRIES[:written]
    store.write_idle_mark()
    disk.taken_bytes = 0
    store.write([appending(*ENTRIES[written:])])
    assert whole_log(store) == ENTRIES


def test_term_and_vote_are_taken_when_nothing_else_is() -> None:
    _, store = full_disk()
    written = fill_up(store)
    store.write([voting(5, "m2")])
    with pytest.raises(NoRoom):
        store.write([voting(6, "m3"), appending(ENTRIES[written])])
    assert store.hard_state.current_term == 6


def test_low_then_full_are_told_and_pass_by_themselves() -> None:
    disk = SimDisk()
    disk.capacity = 1024 * 1024
    store = opened(disk, LIMITS)
    store.assign(CLUSTER, LINEAGE)
    roomy = store.space()
    assert (roomy.low, roomy.full) == (False, False) and roomy.free_bytes > 100_000
    disk.fill()
    filled = store.space()
    assert (filled.free_bytes, filled.low, filled.full) == (0, True, False)
    fill_up(store)
    assert store.space().full
    disk.taken_bytes -= 20_000
    back = store.space()
    assert (back.low, back.full) == (True, False), "a spare again, and little beside it"
    disk.taken_bytes = 0
    assert not store.space().low


def test_a_member_is_low_until_a_little_more_than_the_limit_is_free() -> None:
    disk, store = full_disk()
    assert store.space().low
    disk.taken_bytes -= LIMITS.soft_limit_bytes
    assert store.space().low
    disk.taken_bytes -= LIMITS.soft_limit_bytes // 8
    assert not store.space().low
    disk.taken_bytes += LIMITS.soft_limit_bytes // 8
    assert not store.space().low
    disk.taken_bytes += 512
    assert store.space().low


def test_a_member_starts_on_a_full_disk() -> None:
    disk, store = full_disk()
    store.write([voting(3, "m1"), appending(*ENTRIES[:2])])
    store.close()
    disk.fill()
    again = opened(disk, LIMITS)
    assert whole_log(again) == ENTRIES[:2]
    assert again.recovered.hard_state.current_term == 3
    assert again.recovered.incarnation.number == store.recovered.incarnation.number + 1
    again.write([appending(ENTRIES[2])])
    assert whole_log(again) == ENTRIES[:3]


def test_an_entry_larger_than_a_segment_has_its_space_before_it_is_written() -> None:
    disk, store = full_disk()
    large = chained([data(20_000)])
    before = disk.operations
    with pytest.raises(NoRoom):
        store.write([appending(*large)])
    assert disk.operations == before + 1
    disk.taken_bytes = 0
    store.write([appending(*large)])
    assert whole_log(store) == large


def test_a_spare_that_was_on_its_way_to_become_a_segment_is_none() -> None:
    disk, store = full_disk()
    store.close()
    disk.damage(SPARE_NAME, 0, b"RLsg")
    disk.restart()
    opened(disk, LIMITS)
    assert not any(disk.content(SPARE_NAME)), "another was made"


def test_room_for_a_snapshot_that_a_snapshot_may_lie_in_is_none() -> None:
    disk, store = full_disk()
    store.close()
    disk.damage(SNAPSHOT_SPARE_NAME, 0, b"RLsn")
    disk.taken_bytes = 0
    disk.restart()
    opened(disk, LIMITS).space()
    assert not any(disk.content(SNAPSHOT_SPARE_NAME)), "another was made"


def test_a_spare_of_another_size_is_replaced() -> None:
    disk, store = full_disk()
    disk.taken_bytes = 0
    store.close()
    larger = StoreLimits(segment_bytes=12_288)
    opened(disk, larger)
    assert len(disk.content(SPARE_NAME)) == larger.segment_bytes


def test_a_spare_that_somebody_removed_is_no_failure() -> None:
    disk = SimDisk()
    store = opened(disk, LIMITS)
    store.assign(CLUSTER, LINEAGE)
    store.space()
    disk.vanish(SPARE_NAME)
    store.write([appending(*ENTRIES[:2])])
    store.write([appending(*ENTRIES[2:4])])
    assert whole_log(store) == ENTRIES[:4]


def test_a_snapshot_on_a_full_disk_takes_the_room_kept_for_it() -> None:
    disk, store = full_disk()
    store.write([appending(*ENTRIES[:2])])
    name = write_snapshot(disk, snapshot_at(store.tail, STATE), STATE)
    assert not disk.has(SNAPSHOT_SPARE_NAME)
    meta = store.adopt_snapshot(name)
    assert store.read_state(meta) == STATE
    assert len(disk.content(snapshot_name(meta))) == meta.size_bytes
    store.space()
    assert not disk.has(SNAPSHOT_SPARE_NAME) or not disk.content(SNAPSHOT_SPARE_NAME)
    disk.taken_bytes = 0
    store.space()
    assert len(disk.content(SNAPSHOT_SPARE_NAME)) == SNAPSHOT_SPARE_BYTES


def test_the_room_for_a_snapshot_grows_with_the_newest_and_stays_when_it_can_not() -> None:
    disk = SimDisk()
    disk.capacity = 2 * SNAPSHOT_SPARE_BYTES + 64 * 1024
    reserve = Reserve(disk, LIMITS)
    reserve.prepare_for_snapshot(0)
    reserve.prepare_for_snapshot(SNAPSHOT_SPARE_BYTES)
    assert len(disk.content(SNAPSHOT_SPARE_NAME)) == 2 * SNAPSHOT_SPARE_BYTES
    reserve.prepare_for_snapshot(4 * SNAPSHOT_SPARE_BYTES)
    assert len(disk.content(SNAPSHOT_SPARE_NAME)) == 2 * SNAPSHOT_SPARE_BYTES


def test_a_start_on_a_full_disk_without_a_spare_takes_what_the_last_segment_has_left() -> None:
    disk, store = full_disk()
    store.write([appending(ENTRIES[0])])
    for start in range(1, 4):
        store.write_idle_mark()
        store.close()
        disk.vanish(SPARE_NAME)
        disk.fill()
        store = opened(disk, LIMITS)
        assert store.recovered.incarnation.number == 1 + start
        assert whole_log(store) == ENTRIES[:1]
    disk.taken_bytes = 0
    store.write([appending(*ENTRIES[1:])])
    assert whole_log(store) == ENTRIES
