"""Snapshots: built or fetched, proven, thinned; segments let go of; a log that restarts."""

from itertools import pairwise
from random import Random

import msgspec
import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration, Member
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, ClusterId, MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage.bounds import level_of
from replog_node.storage.errors import (
    LogDamaged,
    SnapshotUnusable,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.snapshots import (
    copy_name,
    header_bytes,
    snapshot_name,
    which_to_keep,
    write_snapshot,
)
from replog_node.storage.start import START_NAME, load_start
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    SMALL,
    STATE,
    appending,
    built,
    bytes_of,
    chained,
    data,
    opened,
    reopened,
    segments,
    snapshot_at,
    store_with,
    voting,
    whole_log,
)


def test_a_snapshot_is_there_after_a_restart_with_its_state() -> None:
    store, disk, _ = store_with(5)
    meta = built(store, disk, STATE)
    again = reopened(store, disk)
    assert again.snapshots == (meta,)
    assert again.recovered.snapshot == meta
    assert again.read_state(meta) == STATE
    assert again.recovered.log.committed == meta.position
    assert again.recovered.log.start == ORIGIN
    assert again.recovered.log.base is None


def test_the_snapshot_s_file_is_the_same_on_every_member_that_builds_it() -> None:
    store, disk, entries = store_with(5)
    other, other_disk, _ = store_with(8)
    meta = built(store, disk, STATE)
    assert built(other, other_disk, STATE, entries[4]) == meta
    assert disk.content(snapshot_name(meta)) == other_disk.content(snapshot_name(meta))
    assert disk.content(snapshot_name(meta)) == bytes_of(meta, STATE)
    assert meta.size_bytes == header_bytes(meta) + len(STATE)


def test_a_temporary_snapshot_that_nobody_adopted_is_gone_at_the_next_start() -> None:
    store, disk, _ = store_with(3)
    name = write_snapshot(disk, snapshot_at(store.tail, STATE), STATE)
    again = reopened(store, disk)
    assert again.snapshots == ()
    assert not disk.has(name)


@pytest.mark.parametrize("part", ["envelope", "header", "state", "end", "length"])
def test_a_damaged_snapshot_is_noticed_removed_and_never_used(part: str) -> None:
    store, disk, entries = store_with(6)
    older = built(store, disk, STATE, entries[2])
    meta = built(store, disk, STATE)
    name = snapshot_name(meta)
    at = {"envelope": 9, "header": 90, "state": header_bytes(meta), "end": meta.size_bytes - 1}
    if part == "length":
        disk.damage(name, meta.size_bytes, b"x")
    else:
        disk.damage(name, at[part], bytes([disk.content(name)[at[part]] ^ 1]))
    again = reopened(store, disk)
    assert again.recovered.damaged_snapshots == (name,)
    assert again.recovered.snapshot == older
    assert not disk.has(name)
    assert whole_log(again) == entries


def test_a_snapshot_that_rots_while_it_is_held_is_noticed_by_who_reads_it() -> None:
    store, disk, _ = store_with(4)
    meta = built(store, disk, STATE)
    disk.damage(snapshot_name(meta), meta.size_bytes - 3, b"\0")
    with pytest.raises(SnapshotUnusable):
        store.read_state(meta)
    with pytest.raises(SnapshotUnusable):
        store.read_chunk(meta, 0, 100)
    store.drop_snapshot(meta)
    assert store.snapshots == ()
    assert built(store, disk, STATE) == meta
    assert store.read_state(meta) == STATE


def test_of_two_readers_that_meet_one_damage_the_second_does_not_take_the_copy_away() -> None:
    """Simulation, seed 76: two members fetched a snapshot whose first file had rotted."""
    store, disk, entries = store_with(10)
    store.write([voting(1)])
    meta = built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    assert disk.has(copy_name(meta))
    disk.damage(snapshot_name(meta), meta.size_bytes - 1, b"\0rot")
    for _ in range(2):
        store.drop_snapshot(meta)
    assert store.snapshots == (meta,)
    assert store.read_state(meta) == STATE


def test_a_snapshot_of_a_higher_feature_level_stays_and_the_start_says_its_level() -> None:
    store, disk, _ = store_with(3)
    meta = built(store, disk, STATE)
    newer = msgspec.structs.replace(meta, feature_level=2)
    disk.vanish(snapshot_name(meta))
    name = write_snapshot(disk, newer, STATE)
    disk.rename(name, snapshot_name(meta))
    store.close()
    found = opened(disk).recovered
    assert level_of(found.log, found.snapshot) == 2
    assert disk.has(snapshot_name(meta))


def test_a_snapshot_of_another_cluster_stops_the_start() -> None:
    store, disk, _ = store_with(3)
    meta = msgspec.structs.replace(
        snapshot_at(store.tail, STATE), cluster_id=ClusterId("0ther-c1uster")
    )
    with pytest.raises(StoreMisused):
        store.adopt_snapshot(write_snapshot(disk, meta, STATE))
    disk.rename(snapshot_name(meta) + ".tmp", snapshot_name(meta))
    store.close()
    with pytest.raises(LogDamaged, match="of cluster 0ther"):
        opened(disk)


def test_a_file_that_is_shorter_than_it_says_is_not_adopted() -> None:
    store, disk, _ = store_with(3)
    name = write_snapshot(disk, snapshot_at(store.tail, STATE), STATE)
    disk.open(name).truncate(1000)
    with pytest.raises(SnapshotUnusable, match="1000 bytes"):
        store.adopt_snapshot(name)
    assert store.snapshots == ()


def test_a_snapshot_that_isn_t_of_this_log_is_refused() -> None:
    store, disk, entries = store_with(5)
    for position in (
        Position(Term(2), entries[3].last),
        Position(Term(1), Offset(entries[-1].last + 1)),
    ):
        meta = snapshot_at(Tail(position, bytes(16), 1), STATE)
        with pytest.raises(StoreMisused):
            store.adopt_snapshot(write_snapshot(disk, meta, STATE))
    assert store.snapshots == ()
    assert whole_log(store) == entries


@pytest.mark.parametrize(
    ("offsets", "base", "kept"),
    [
        ([], None, []),
        ([5], None, [5]),
        ([5, 9], 9, [9]),
        ([1, 2, 3, 4, 5, 6], 1, [1, 2, 3, 4, 5, 6]),
        ([10, 20, 30, 40, 50, 60, 70], 10, [10, 30, 40, 50, 60, 70]),
        ([0, 10, 11, 20, 30, 40, 50], None, [0, 10, 20, 30, 40, 50]),
        ([1, 2, 10, 20, 30, 40, 50, 60], 2, [2, 20, 30, 40, 50, 60]),
    ],
)
def test_kept_are_base_newest_and_some_evenly_between(
    offsets: list[int], base: int | None, kept: list[int]
) -> None:
    found = which_to_keep([Offset(at) for at in offsets], None if base is None else Offset(base), 4)
    assert sorted(found) == kept


def test_thinning_again_and_again_leaves_the_snapshots_evenly_spread() -> None:
    held: list[Offset] = []
    for at in range(0, 1000, 10):
        held = sorted(which_to_keep([*held, Offset(at)], None, 4))
    assert (held[0], held[-1], len(held)) == (0, 990, 6)
    assert max(after - before for before, after in pairwise(held)) <= 600


def test_release_removes_the_segments_up_to_the_base_and_keeps_what_is_retained() -> None:
    store, disk, entries = store_with(12)
    early = built(store, disk, STATE, entries[1])
    base = built(store, disk, STATE, entries[7])
    newest = built(store, disk, STATE)
    before = segments(disk)
    found, start = store.release(Offset(entries[9].base))
    assert found == store.base == base
    assert start == store.start
    assert entries[1].last <= start.position.offset <= base.position.offset
    for _ in range(9):
        store.write_idle_mark()
    assert len(segments(disk)) < len(before)
    assert whole_log(store) == tuple(e for e in entries if e.base > start.position.offset)
    assert store.read(Offset(0), 1 << 20) == ()
    assert store.snapshots == (base, newest)
    assert not disk.has(snapshot_name(early))
    again = reopened(store, disk)
    assert again.start == start
    assert again.recovered.log.start == start.position
    assert again.recovered.log.base == base
    assert whole_log(again) == tuple(e for e in entries if e.base > start.position.offset)


def test_a_read_whose_segment_is_released_under_it_finds_nothing_and_no_damage() -> None:
    store, disk, entries = store_with(12)
    built(store, disk, STATE)

    def releasing(call: str) -> None:
        if call.startswith("open") and call.endswith(".seg"):
            disk.fail = None
            store.release(Offset(entries[-1].last + 1))

    disk.fail = releasing
    assert store.read(Offset(0), 1 << 20) == ()
    assert disk.fail is None


def test_without_a_snapshot_below_the_log_start_nothing_is_released() -> None:
    store, disk, entries = store_with(9)
    built(store, disk, STATE)
    before = disk.names()
    assert store.release(entries[6].base) == (None, store.start)
    assert disk.names() == before
    assert whole_log(store) == entries


def test_a_release_removes_few_files_at_once_and_the_rest_with_later_writes() -> None:
    store, disk, entries = store_with(10)
    built(store, disk, STATE)
    before = segments(disk)
    store.release(Offset(entries[-1].last + 1))
    assert len(before) - len(segments(disk)) <= 4
    after = store.tail
    for _ in range(60):
        more = chained([CLOCK], after)
        store.write([appending(*more)])
        after = tail_of(more[-1])
    assert not {*before[:-1]} & {*segments(disk)}


def test_while_one_snapshot_alone_stands_for_what_is_gone_there_is_a_copy_of_it() -> None:
    store, disk, entries = store_with(12)
    meta = built(store, disk, STATE)
    assert not disk.has(copy_name(meta))
    store.release(Offset(entries[-1].last + 1))
    assert disk.content(copy_name(meta)) == disk.content(snapshot_name(meta))
    disk.damage(snapshot_name(meta), 50, b"\xff")
    again = reopened(store, disk)
    assert again.recovered.snapshot == meta
    assert disk.content(copy_name(meta)) == disk.content(snapshot_name(meta))
    more = chained([data(1200)], again.tail)
    again.write([appending(*more)])
    second = built(again, disk, STATE)
    again.release(Offset(meta.position.offset + 1))
    assert again.snapshots == (meta, second)
    assert disk.has(copy_name(meta)), "a newer one is nothing that others could begin with"
    again.release(Offset(second.position.offset + 1))
    assert [*again.snapshots] == [second]
    assert not disk.has(copy_name(meta))


def test_what_others_begin_with_outlives_its_rot_though_newer_ones_are_there() -> None:
    store, disk, entries = store_with(12)
    meta = built(store, disk, STATE)
    store.write([appending(*chained([data(1200)], store.tail))])
    newer = built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    assert store.base == meta
    disk.damage(snapshot_name(meta), 50, b"\xff")
    again = reopened(store, disk)
    assert again.snapshots == (meta, newer)
    assert again.base == meta


def test_an_older_snapshot_goes_only_for_one_that_is_sound() -> None:
    store, disk, entries = store_with(12)
    older = built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    store.write([appending(*chained([data(1200)], store.tail))])
    newer = built(store, disk, STATE)
    store.write([appending(*chained([data(1200)], store.tail))])
    newest = built(store, disk, STATE)
    disk.damage(snapshot_name(newer), 50, b"\xff")
    with pytest.raises(SnapshotUnusable):
        store.release(Offset(newer.position.offset + 1))
    assert [*store.snapshots] == [older, newer, newest], "nothing is gone yet"
    store.drop_snapshot(newer)
    base, _ = store.release(Offset(newer.position.offset + 1))
    assert base == older
    assert reopened(store, disk).snapshots == (older, newest)


def test_a_full_disk_costs_the_copy_and_not_the_release() -> None:
    store, disk, entries = store_with(12)
    meta = built(store, disk, STATE)
    disk.fail = lambda call: (
        "the disk is full" if call.startswith("create") and ".copy" in call else None
    )
    base, start = store.release(Offset(entries[-1].last + 1))
    assert base == meta
    assert start.position.offset > 0
    disk.fail = None
    again = reopened(store, disk)
    assert disk.has(copy_name(meta))
    assert again.recovered.snapshot == meta


def test_a_lost_first_segment_is_a_hole_though_a_snapshot_stands_for_it() -> None:
    store, disk, _ = store_with(10)
    built(store, disk, STATE)
    store.close()
    lost, behind, *_ = segments(disk)
    disk.vanish(lost)
    [hole] = opened(disk).holes
    assert (hole.start, hole.end) == (0, int(behind[:20]) - 1)


def test_a_log_that_lost_its_end_goes_on_behind_its_snapshot_and_lacks_what_is_between() -> None:
    """Soak, seed 179564836398: header and first block of the last segment had rotted."""
    store, disk, entries = store_with(10)
    store.write([voting(1)])
    meta = built(store, disk, STATE)
    store.close()
    name = segments(disk)[-1]
    disk.damage(name, 0, bytes(1024))
    for _ in range(3):
        store = opened(disk)
        [hole] = store.holes
        assert (hole.start, hole.end) == (int(name[:20]), meta.position.offset)
        assert store.recovered.log.tail == meta.tail
        assert store.recovered.unproven is not None
        disk.restart()
    store = opened(disk)
    lost = tuple(entry for entry in entries if entry.base >= hole.start)
    store.repair(hole, lost)
    following = chained([data(100)], tail_of(entries[-1]))
    store.write([appending(following[0])])
    assert whole_log(store) == (*entries, *following)


def test_a_log_that_begins_later_without_a_snapshot_is_damage() -> None:
    store, disk, entries = store_with(10)
    meta = built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    store.close()
    disk.vanish(snapshot_name(meta))
    disk.vanish(copy_name(meta))
    with pytest.raises(LogDamaged, match="no snapshot stands for what is before"):
        opened(disk)


def test_a_snapshot_that_the_disk_refuses_to_read_stays_and_stops_the_start_if_it_is_needed() -> (
    None
):
    store, disk, entries = store_with(10)
    meta = built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    store.close()
    disk.fail = lambda call: (
        "bad sector"
        if call.startswith("read")
        and str(meta.position.offset) in call
        and ".seg" not in call
        and ".sum" not in call
        else None
    )
    with pytest.raises(StorageFailed, match="bad sector"):
        opened(disk)
    disk.fail = None
    assert opened(disk).recovered.snapshot == meta


def test_damage_of_the_file_start_is_no_loss() -> None:
    store, disk, entries = store_with(12)
    meta = built(store, disk, STATE)
    _, start = store.release(Offset(entries[-1].last + 1))
    for _ in range(9):
        store.write_idle_mark()
    store.close()
    disk.damage(START_NAME, 30, b"\xff\xff")
    again = reopened(opened(disk), disk)
    assert again.start == start
    assert load_start(disk).known
    assert again.release(Offset(entries[-1].last + 1))[0] == meta


def test_the_configuration_in_force_where_the_log_begins_is_known_from_the_snapshot() -> None:
    store, disk, entries = store_with(12)
    built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    again = reopened(store, disk)
    found = Configuration((Member(MemberId("7e57-member"), "here:7411"),))
    assert again.recovered.log.configurations == ((Offset(1), found),)


def test_segments_say_where_they_end_how_large_they_are_and_when_they_were_written() -> None:
    disk = SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    after = store.tail
    for number in range(8):
        more = chained([data(1300)], after, time_ms=100 + 10 * number)
        store.write([appending(*more)])
        after = tail_of(more[-1])
    found = store.segments()
    assert [segment.base for segment in found] == [0, 2, 4, 6]
    assert [segment.last for segment in found] == [1, 3, 5, 7]
    assert [segment.last_append_time_ms for segment in found] == [110, 130, 150, 170]
    sizes = [len(disk.content(name)) for name in segments(disk)]
    assert [segment.size_bytes for segment in found[:3]] == sizes[:3]
    assert 0 < found[3].size_bytes <= SMALL.segment_bytes


@pytest.mark.parametrize("seed", range(5))
def test_a_time_leads_to_the_first_entry_that_is_no_older(seed: int) -> None:
    random = Random(seed)
    store = opened(SimDisk())
    store.assign(CLUSTER, LINEAGE)
    after, time_ms, entries = store.tail, 10, list[Entry]()
    for _ in range(60):
        time_ms += random.choice((0, 0, 1, 30))
        more = chained([data(random.choice((40, 300, 900)))], after, time_ms=time_ms)
        store.write([appending(*more)])
        entries += more
        after = tail_of(more[-1])
    for asked in range(0, time_ms + 3):
        expected = next((e.base for e in entries if e.append_time_ms >= asked), None)
        assert store.offset_at_time(asked) == expected


def test_a_member_without_a_log_has_no_segments_and_no_time_in_it() -> None:
    store = opened(SimDisk())
    assert store.segments() == ()
    assert store.offset_at_time(0) is None
    store.assign(CLUSTER, LINEAGE)
    assert store.offset_at_time(0) is None


def test_meta_tells_the_tail_that_the_next_entry_follows() -> None:
    store, disk, _ = store_with(4)
    meta: SnapshotMeta = built(store, disk, STATE)
    assert meta.tail == store.tail
