"""What was written is there again, byte for byte: over real files and over the disk in memory."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from replog_node.frames.decode import tail_of
from replog_node.model.positions import ORIGIN, Offset, Term
from replog_node.storage.disk import Disk
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.store import Store
from tests.support.simdisk import SimDisk
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    START,
    appending,
    chained,
    configured,
    cutting,
    data,
    opened,
    voting,
    whole_log,
)

Reopen = Callable[[], Store]


@pytest.fixture(params=["files", "memory"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Reopen]:
    """Return what opens the same data directory anew, after closing what was open."""
    memory = SimDisk()
    nonces = count(1)
    stores: list[Store] = []

    def fresh() -> Store:
        if stores:
            stores.pop().close()
        memory.restart()
        disk: Disk = memory if request.param == "memory" else OsDisk(tmp_path / "data")
        stores.append(opened(disk, random64=lambda: next(nonces)))
        return stores[-1]

    yield fresh
    for store in stores:
        store.close()


def assigned(reopen: Reopen) -> Store:
    store = reopen()
    store.assign(CLUSTER, LINEAGE)
    return store


MIXED = [
    CLOCK,
    data(100),
    configured("a", "b"),
    data(2000, records=7),
    data(300),
    data(5000),
    CLOCK,
]


def test_an_empty_directory_becomes_an_unassigned_member_that_keeps_its_id(reopen: Reopen) -> None:
    first = reopen().recovered
    second = reopen().recovered
    assert (first.cluster_id, first.lineage, first.log.tail.position) == (None, None, ORIGIN)
    assert second.member == first.member == "7e57-member"
    assert (first.incarnation.number, second.incarnation.number) == (1, 2)


def test_entries_of_several_segments_are_read_back_byte_for_byte(reopen: Reopen) -> None:
    store, entries = assigned(reopen), chained(MIXED)
    for entry in entries:
        store.write([appending(entry)])
    assert whole_log(store) == entries
    assert whole_log(store, 1) == entries
    recovered = reopen()
    assert whole_log(recovered) == entries
    assert recovered.recovered.log.tail == tail_of(entries[-1])


def test_many_persists_in_one_write_are_carried_out_in_order(reopen: Reopen) -> None:
    store, entries = assigned(reopen), chained(MIXED)
    other = chained([data(50, fill="b")], tail_of(entries[1]), term=2)
    store.write(
        [voting(1, "m1"), appending(*entries[:4]), cutting(entries[1].position, *other), voting(2)]
    )
    assert whole_log(store) == (*entries[:2], *other)
    assert (store.hard_state.current_term, store.hard_state.voted_for) == (2, None)
    assert whole_log(reopen()) == (*entries[:2], *other)


def test_a_start_knows_terms_configurations_and_the_assignment(reopen: Reopen) -> None:
    store = assigned(reopen)
    entries = chained([CLOCK, configured("a"), data(5000)])
    entries += chained([configured("a", "b"), data(900)], tail_of(entries[-1]), term=4)
    store.write([appending(*entries), voting(5, "m")])
    found = reopen().recovered
    assert (found.cluster_id, found.lineage) == (CLUSTER, LINEAGE)
    assert found.log.term_starts == ((Term(1), Offset(0)), (Term(4), Offset(3)))
    assert [offset for offset, _ in found.log.configurations] == [1, 3]
    assert (found.hard_state.current_term, found.hard_state.voted_for) == (5, "m")


@pytest.mark.parametrize("kept", range(8))
def test_a_log_cut_anywhere_goes_on_from_there(reopen: Reopen, kept: int) -> None:
    store, entries = assigned(reopen), chained(MIXED)
    for entry in entries:
        store.write([appending(entry)])
    before = entries[:kept]
    tail = tail_of(before[-1]) if before else START
    other = chained([data(700, fill="b"), data(4000, fill="c")], tail, term=2)
    store.write([cutting(tail.position, *other)])
    assert whole_log(store) == (*before, *other)
    again = reopen()
    assert whole_log(again) == (*before, *other)
    assert again.recovered.log.term_starts[-1] == (2, other[0].base)


def test_a_restart_after_every_write_loses_and_adds_nothing(reopen: Reopen) -> None:
    assigned(reopen)
    entries = chained(MIXED)
    for number, entry in enumerate(entries):
        store = reopen()
        store.write([appending(entry)])
        if number % 2:
            store.write_idle_mark()
        assert whole_log(store) == entries[: number + 1]
    assert whole_log(reopen()) == entries


def test_a_read_gives_the_entry_that_holds_the_offset_and_as_many_more_as_fit(
    reopen: Reopen,
) -> None:
    store, entries = assigned(reopen), chained([data(300, records=5) for _ in range(20)])
    store.write([appending(*entries)])
    size = entries[0].size_bytes
    assert store.read(Offset(7), 0) == entries[1:2]
    assert store.read(Offset(7), 3 * size) == entries[1:4]
    assert store.read(Offset(7), 4 * size - 1) == entries[1:4]
    assert store.read(Offset(99), size) == entries[19:]
    assert store.read(Offset(100), size) == ()


def test_a_read_across_segments_takes_exactly_what_fits(reopen: Reopen) -> None:
    store, entries = assigned(reopen), chained([data(600 + 10 * n) for n in range(12)])
    for entry in entries:
        store.write([appending(entry)])
    for most in range(700, 9000, 230):
        found = store.read(Offset(0), most)
        sizes = [entry.size_bytes for entry in entries[: len(found) + 1]]
        assert found == entries[: len(found)]
        assert len(found) == 1 or sum(sizes[:-1]) <= most
        assert len(found) == len(entries) or sum(sizes) > most


def test_a_start_after_a_cut_knows_no_term_or_configuration_from_behind_it(
    reopen: Reopen,
) -> None:
    store, entries = assigned(reopen), chained([configured("a"), CLOCK])
    entries += chained([configured("a", "b"), data(300)], tail_of(entries[-1]), term=2)
    store.write([appending(*entries)])
    store.write([cutting(entries[1].position)])
    for _ in range(2):
        found = reopen().recovered.log
        assert found.term_starts == ((Term(1), Offset(0)),)
        assert [offset for offset, _ in found.configurations] == [0]


def test_a_read_finds_its_offset_whatever_was_read_before(reopen: Reopen) -> None:
    store, entries = assigned(reopen), chained([CLOCK] * 140)
    store.write([appending(*entries)])
    for at in (69, 5, 133, 0, 64, 128, 6, 70):
        assert store.read(Offset(at), 1) == entries[at : at + 1]
        assert store.read(Offset(at), 300) == entries[at : at + 2]
