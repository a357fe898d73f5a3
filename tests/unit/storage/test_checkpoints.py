"""How far a growing segment is whole is noted beside it, so that a start reads only the rest."""

import msgspec
import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset
from replog_node.storage.errors import LogDamaged
from replog_node.storage.store import Store
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLUSTER,
    LINEAGE,
    SMALL,
    appending,
    chained,
    cutting,
    data,
    opened,
    whole_log,
)

LARGE = msgspec.structs.replace(
    SMALL, segment_bytes=1 << 20, index_rows=64, checkpoint_bytes=100_000
)


def filled(count: int = 600) -> tuple[Store, SimDisk, tuple[Entry, ...]]:
    """Return a store whose one segment is nearly full, as a killed process leaves it."""
    disk = SimDisk()
    store = opened(disk, LARGE)
    store.assign(CLUSTER, LINEAGE)
    entries: list[Entry] = []
    for _ in range(count):
        more = chained([data(900)], store.tail)
        store.write([appending(*more)])
        entries += more
    return store, disk, tuple(entries)


def named(disk: SimDisk, end: str) -> list[str]:
    return [name for name in disk.names() if name.endswith(end)]


def test_what_was_noted_is_there_and_what_lies_behind_it_too() -> None:
    _, disk, entries = filled()
    assert len(named(disk, ".now")) == 1
    disk.restart()
    assert whole_log(opened(disk, LARGE)) == entries
    assert named(disk, ".now") == []


def test_a_start_reads_only_what_lies_behind_the_last_note() -> None:
    _, disk, entries = filled()
    (name,) = named(disk, ".seg")
    disk.damage(name, disk.content(name).index(b"aaaa"), b"b")
    disk.restart()
    again = opened(disk, LARGE)
    assert again.tail.position == entries[-1].position
    assert not again.holes  # nobody looked: a read finds it, or the scrub
    with pytest.raises(LogDamaged):
        again.read(Offset(0), 1000)
    assert again.read(Offset(1), 1000) == entries[1:2]


@pytest.mark.parametrize("harm", ["torn", "gone", "of another segment"])
def test_a_note_that_can_t_be_used_costs_only_time(harm: str) -> None:
    _, disk, entries = filled()
    (name,) = named(disk, ".now")
    if harm == "torn":
        disk.damage(name, 50, b"\xff\xff\xff")
    elif harm == "gone":
        disk.vanish(name)
    else:
        other = SimDisk()
        store = opened(other, LARGE, random64=lambda: 5)
        store.assign(CLUSTER, LINEAGE)
        store.write([appending(*chained([data(900)] * 300))])
        disk.damage(name, 0, other.content(named(other, ".now")[0]))
    disk.restart()
    assert whole_log(opened(disk, LARGE)) == entries


def test_a_note_beyond_a_cut_is_not_believed() -> None:
    store, disk, entries = filled()
    (name,) = named(disk, ".now")
    note = disk.content(name)
    store.write([cutting(entries[100].position, *chained([data(50)], tail_of(entries[100])))])
    assert named(disk, ".now") == []
    disk.create(name, 0).write(0, note)
    for summary in named(disk, ".sum"):
        disk.vanish(summary)
    kept = whole_log(store)
    disk.restart()
    assert whole_log(opened(disk, LARGE)) == kept


def test_a_note_goes_when_its_segment_is_full() -> None:
    _, disk, _ = filled(850)
    first, second = named(disk, ".seg")
    assert not disk.has(first.replace(".seg", ".now"))
    assert not disk.has(second.replace(".seg", ".sum"))


def test_a_full_disk_costs_the_note_and_not_the_write() -> None:
    store, disk, _ = filled(50)
    disk.fail = lambda call: "the disk is full" if ".now" in call else None
    more = chained([data(900)] * 200, store.tail)
    store.write([appending(*more)])
    assert named(disk, ".now") == []
    assert store.tail == tail_of(more[-1])
