"""A directory is read beside its member: proven, whatever the member does meanwhile."""

from collections.abc import Callable
from pathlib import Path

import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Offset, Position, Term
from replog_node.storage.disk import DiskError, Sync
from replog_node.storage.disk_os import OsDisk, OsDiskBeside
from replog_node.storage.errors import LogDamaged, SnapshotUnusable, StoreMisused
from replog_node.storage.readonly import open_reader
from replog_node.storage.snapshots import snapshot_name, write_snapshot
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    STATE,
    appending,
    built,
    chained,
    cutting,
    data,
    opened,
    reopened,
    segments,
    snapshot_at,
    store_with,
)


def test_all_entries_are_read_beside_the_member_that_holds_them() -> None:
    store, disk, entries = store_with(12)
    log = open_reader(disk)
    assert tuple(log.entries(log.origin, store.tail.position)) == entries


@pytest.mark.parametrize("number", range(11))
def test_reading_begins_after_any_tail_and_ends_with_any_entry(number: int) -> None:
    _, disk, entries = store_with(12)
    log = open_reader(disk)
    after = tail_of(entries[number])
    for last in range(number + 1, 12):
        found = tuple(log.entries(after, entries[last].position))
        assert found == entries[number + 1 : last + 1]
    assert tuple(log.entries(after, entries[number].position)) == ()


def test_nothing_is_changed_by_reading() -> None:
    store, disk, _ = store_with(12)
    built(store, disk, STATE)
    disk.fail = lambda call: (
        "changed" if not call.startswith(("names", "open", "read", "size")) else None
    )
    log = open_reader(disk)
    (meta,) = log.snapshots()
    assert log.read_state(meta) == STATE
    assert len(tuple(log.entries(log.origin, store.tail.position))) == 12


def test_what_is_written_rolled_cut_and_released_meanwhile_does_no_harm() -> None:
    store, disk, entries = store_with(12)
    meta = built(store, disk, STATE, entries[3])
    tail = store.tail
    log = open_reader(disk)
    reading = log.entries(meta.tail, tail.position)
    found = [next(reading)]
    after = tail
    for _ in range(6):
        more = chained([data(1200)], after)
        store.write([appending(*more)])
        after = tail_of(more[-1])
    store.write([cutting(tail.position, *chained([CLOCK], tail, term=2))])
    store.release(Offset(meta.position.offset + 1))
    found += reading
    assert tuple(found) == entries[4:]


def test_a_file_that_is_superseded_under_the_reader_is_looked_for_again() -> None:
    store, disk, entries = store_with(12)
    log = open_reader(disk)
    reading = log.entries(log.origin, store.tail.position)
    found = [next(reading) for _ in range(10)]
    again = reopened(store, disk)
    assert again.tail.position == entries[-1].position
    found += reading
    assert tuple(found) == entries


def test_a_file_that_is_gone_for_a_moment_is_looked_for_again_and_no_more_than_once() -> None:
    store, disk, entries = store_with(12)
    log = open_reader(disk)
    name = segments(disk)[2]
    disk.fail = FailOnce(lambda call: call == f"open {name}")
    assert tuple(log.entries(log.origin, store.tail.position)) == entries
    disk.vanish(name)
    with pytest.raises(LogDamaged):
        list(log.entries(log.origin, store.tail.position))


class FailOnce:
    """Lets the first such call fail."""

    def __init__(self, concerns: Callable[[str], bool]) -> None:
        self._concerns: Callable[[str], bool] | None = concerns

    def __call__(self, call: str) -> str | None:
        if self._concerns is None or not self._concerns(call):
            return None
        self._concerns = None
        return "for a moment"


def test_an_entry_that_doesn_t_follow_the_tail_is_never_given() -> None:
    _, disk, entries = store_with(6)
    log = open_reader(disk)
    other = Tail(entries[2].position, bytes(16), 1)
    with pytest.raises(LogDamaged, match="doesn't follow"):
        next(log.entries(other, entries[-1].position))
    with pytest.raises(LogDamaged, match="not at"):
        list(log.entries(log.origin, Position(Term(3), entries[4].last)))


def test_damage_ends_the_reading_before_it() -> None:
    _, disk, entries = store_with(8)
    name = segments(disk)[1]
    at = disk.content(name).index(b"aaaa")
    disk.damage(name, at, b"b")
    log = open_reader(disk)
    found = list[Entry]()
    with pytest.raises(LogDamaged) as caught:
        found.extend(log.entries(log.origin, entries[-1].position))
    assert tuple(found) == entries[: len(found)]
    assert caught.value.segment == name
    assert caught.value.offset == entries[len(found)].base


def test_a_segment_whose_header_alone_is_damaged_is_read_as_a_start_reads_it() -> None:
    store, disk, entries = store_with(12)
    first, *_ = segments(disk)
    disk.damage(first, 20, b"rot")
    log = open_reader(disk)
    assert tuple(log.entries(log.origin, store.tail.position)) == entries
    disk.damage(first, 512, b"rot")
    with pytest.raises(LogDamaged, match="its header"):
        tuple(log.entries(log.origin, store.tail.position))


def test_what_was_released_is_not_found() -> None:
    store, disk, entries = store_with(12)
    built(store, disk, STATE)
    store.release(Offset(entries[-1].last + 1))
    log = open_reader(disk)
    with pytest.raises(LogDamaged, match="no segment holds it"):
        next(log.entries(log.origin, entries[-1].position))


def test_a_member_without_a_cluster_has_no_log_to_read() -> None:
    disk = SimDisk()
    opened(disk)
    with pytest.raises(StoreMisused):
        open_reader(disk)


def test_a_damaged_snapshot_isn_t_there_for_a_reader() -> None:
    store, disk, entries = store_with(5)
    older = built(store, disk, STATE, entries[2])
    meta = built(store, disk, STATE)
    disk.damage(snapshot_name(meta), meta.size_bytes - 1, b"\0")
    log = open_reader(disk)
    assert log.read_state(older) == STATE
    with pytest.raises(SnapshotUnusable):
        log.read_state(meta)
    disk.damage(snapshot_name(meta), 30, b"\0")
    assert log.snapshots() == (older,)


def test_a_directory_that_is_held_can_be_read_and_given_a_temporary_file(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    entries = chained([data(900)] * 9)
    store.write([appending(*entries)])
    beside = OsDiskBeside(tmp_path)
    log = open_reader(beside)
    assert tuple(log.entries(log.origin, store.tail.position)) == entries
    meta = snapshot_at(store.tail, STATE)
    store.adopt_snapshot(write_snapshot(beside, meta, STATE))
    assert log.read_state(meta) == STATE
    for change in (
        lambda: beside.create("a.seg", 1),
        lambda: beside.rename("identity", "other"),
        lambda: beside.remove("identity"),
        lambda: beside.sync_directory(Sync.SNAPSHOT_NAME),
        lambda: beside.open("identity").write(0, b"x"),
    ):
        with pytest.raises(DiskError):
            change()
    beside.close()
    store.close()
    with pytest.raises(DiskError):
        OsDiskBeside(tmp_path / "nothing")
