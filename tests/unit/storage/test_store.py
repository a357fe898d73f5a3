"""What the store promises its caller: order, refusals, one sync a write, and failing for good."""

from collections.abc import Callable
from random import Random

import pytest

from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Lineage, Offset, Position, Term
from replog_node.storage.disk import Sync
from replog_node.storage.errors import (
    ChainBroken,
    LogDamaged,
    ReadRefused,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import Store
from tests.support.simdisk import SimDisk, SyncSite
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    appending,
    chained,
    configured,
    cutting,
    data,
    opened,
    voting,
    whole_log,
)

ENTRIES = chained([CLOCK, data(500), data(300, records=4), data(2000)])
ROOMY = StoreLimits(segment_bytes=1 << 20)


def assigned(disk: SimDisk, limits: StoreLimits = ROOMY) -> Store:
    store = opened(disk, limits)
    store.assign(CLUSTER, LINEAGE)
    return store


def test_a_write_of_entries_is_one_write_and_one_sync_of_the_disk() -> None:
    disk = SimDisk()
    store = assigned(disk)
    before, syncs = disk.calls.copy(), disk.syncs.copy()
    store.write([appending(*ENTRIES[:2]), appending(*ENTRIES[2:])])
    assert disk.calls - before == {"write": 1, "sync": 1}
    assert disk.syncs - syncs == {SyncSite(Sync.BLOCK): 1}


def test_a_vote_is_synced_twice_before_its_entries_are_written() -> None:
    disk = SimDisk()
    store = assigned(disk)
    calls: list[str] = []
    disk.fail = calls.append
    store.write([voting(2, "m"), appending(*ENTRIES)])
    assert [call.split(" ")[0] for call in calls] == ["write", "sync"] * 3
    assert ["hardstate" in call for call in calls] == [True] * 4 + [False] * 2


def test_the_same_vote_again_touches_no_disk() -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write([voting(2, "m")])
    before = disk.operations
    store.write([voting(2, "m")])
    assert disk.operations == before


def test_an_idle_mark_is_written_once_and_only_after_entries() -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write_idle_mark()
    store.write([appending(*ENTRIES)])
    store.write_idle_mark()
    store.write_idle_mark()
    assert disk.syncs[SyncSite(Sync.MARK)] == 1


def test_a_marked_log_is_not_written_again_at_start_and_an_unmarked_one_is() -> None:
    for idle, rewritten in ((True, 0), (False, 1)):
        disk = SimDisk()
        store = assigned(disk)
        store.write([appending(*ENTRIES)])
        if idle:
            store.write_idle_mark()
        disk.restart()
        opened(disk, ROOMY)
        newest = max(name for name in disk.names() if name.endswith(".seg"))
        assert disk.content(newest).count(ENTRIES[-1].frame) == rewritten


@pytest.mark.parametrize(
    "entries",
    [ENTRIES[1:], (ENTRIES[0], ENTRIES[2]), chained([CLOCK, CLOCK])[1:], (*ENTRIES, *ENTRIES)],
)
def test_entries_that_don_t_follow_are_refused_and_harm_nothing(
    entries: tuple[Entry, ...],
) -> None:
    store = assigned(SimDisk())
    with pytest.raises(ChainBroken, match="doesn't follow"):
        store.write([appending(*entries)])
    store.write([appending(*ENTRIES)])
    assert whole_log(store) == ENTRIES


def test_falling_terms_are_refused() -> None:
    store = assigned(SimDisk())
    high = chained([CLOCK], term=5)
    low = chained([CLOCK], Tail(Position(Term(1), Offset(0)), high[0].chain, 0), term=4)
    store.write([appending(*high)])
    with pytest.raises(ChainBroken):
        store.write([appending(*low)])


@pytest.mark.parametrize(
    "to", [Position(Term(1), Offset(3)), Position(Term(2), Offset(1)), Position(Term(1), Offset(9))]
)
def test_a_cut_where_no_entry_ends_is_refused_and_harms_nothing(to: Position) -> None:
    store = assigned(SimDisk())
    store.write([appending(*ENTRIES)])
    with pytest.raises(StoreMisused):
        store.write([cutting(to)])
    assert whole_log(store) == ENTRIES


def test_a_cut_leaves_no_file_of_a_dropped_segment_behind() -> None:
    disk = SimDisk()
    store = assigned(disk, StoreLimits(segment_bytes=4096))
    entries = chained([data(3000)] * 4)
    for entry in entries:
        store.write([appending(entry)])
    dropped = {name for name in disk.names() if name.startswith(f"{entries[2].base:020d}.")}
    assert {name[-4:] for name in dropped} == {".seg", ".sum"}
    store.write([cutting(entries[0].position)])
    names = [name for name in disk.names() if name.endswith((".seg", ".sum"))]
    assert [name[-4:] for name in names] == [".seg", ".sum", ".seg"]
    assert not dropped & set(names)
    assert whole_log(store) == entries[:1]


def test_a_cut_at_the_log_s_end_changes_nothing() -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write([appending(*ENTRIES)])
    before = disk.operations
    store.write([cutting(ENTRIES[-1].position)])
    assert disk.operations == before


@pytest.mark.parametrize(("term", "vote"), [(1, None), (2, "other"), (2, None)])
def test_a_vote_that_breaks_a_promise_is_refused(term: int, vote: str | None) -> None:
    store = assigned(SimDisk())
    store.write([voting(2, "m")])
    with pytest.raises(StoreMisused, match="would break the promise"):
        store.write([voting(term, vote)])
    assert store.hard_state.voted_for == "m"


def test_an_unassigned_member_takes_votes_but_no_entries_and_reads_nothing() -> None:
    disk = SimDisk()
    store = opened(disk)
    store.write([voting(2, "m")])
    store.write_idle_mark()
    with pytest.raises((StoreMisused, ChainBroken)):
        store.write([appending(*ENTRIES)])
    assert store.read(Offset(0), 100) == ()
    disk.restart()
    assert opened(disk).hard_state.voted_for == "m"


def test_an_assignment_may_be_repeated_but_not_changed() -> None:
    store = assigned(SimDisk())
    store.write([appending(*ENTRIES)])
    store.assign(CLUSTER, LINEAGE)
    for cluster, lineage in ((ClusterId("other"), LINEAGE), (CLUSTER, Lineage(2, "a-life"))):
        with pytest.raises(StoreMisused, match="assigned to"):
            store.assign(cluster, lineage)
    assert whole_log(store) == ENTRIES


def test_a_founder_remembers_its_operation() -> None:
    disk = SimDisk()
    opened(disk).assign(CLUSTER, LINEAGE, "op-1")
    disk.restart()
    assert opened(disk).recovered.founding == "op-1"


def test_an_assignment_that_died_half_way_can_be_made_to_another_cluster() -> None:
    disk = SimDisk()
    store = opened(disk)
    disk.fail = lambda call: "no more" if call.startswith("create identity") else None
    with pytest.raises(StorageFailed):
        store.assign(ClusterId("other"), LINEAGE)
    disk.fail = None
    disk.restart()
    store = opened(disk)
    assert store.recovered.cluster_id is None
    assert not [name for name in disk.names() if name.endswith(".seg")]
    store.assign(CLUSTER, LINEAGE)
    store.write([appending(*ENTRIES)])
    disk.restart()
    assert whole_log(opened(disk)) == ENTRIES


USES: list[Callable[[Store], object]] = [
    lambda store: store.write([voting(9)]),
    lambda store: store.write_idle_mark(),
    lambda store: store.read(Offset(0), 1),
    lambda store: store.assign(CLUSTER, LINEAGE),
]


@pytest.mark.parametrize("use", USES)
def test_after_a_failed_sync_everything_is_refused_and_nothing_is_tried_again(
    use: Callable[[Store], object],
) -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write([appending(ENTRIES[0])])
    disk.fail = lambda call: "input/output error" if call.startswith("sync") else None
    with pytest.raises(StorageFailed, match="input/output error"):
        store.write([appending(ENTRIES[1])])
    disk.fail = None
    before = disk.operations
    with pytest.raises(StorageFailed, match="input/output error"):
        use(store)
    assert disk.operations == before


def test_a_disk_that_is_full_in_the_midst_of_a_write_ends_the_store() -> None:
    disk = SimDisk()
    store = assigned(disk, StoreLimits(segment_bytes=4096))
    disk.fail = lambda call: "no space: disk full" if call.startswith("write") else None
    with pytest.raises(StorageFailed, match="the disk is full"):
        store.write([appending(*ENTRIES[:2])])
    disk.fail = None
    with pytest.raises(StorageFailed, match="the disk is full"):
        store.write([appending(*ENTRIES[:2])])


def test_a_closed_store_refuses_everything() -> None:
    store = assigned(SimDisk())
    store.close()
    with pytest.raises(StorageFailed, match="closed"):
        store.write([appending(*ENTRIES)])


def test_a_new_segment_begins_only_when_one_is_full_and_an_oversized_entry_gets_its_own() -> None:
    disk = SimDisk()
    store = assigned(disk, StoreLimits(segment_bytes=4096))
    entries = chained([data(700)] * 3 + [data(9000), data(10)])
    for entry in entries:
        store.write([appending(entry)])
    sizes = [len(disk.content(name)) for name in disk.names() if name.endswith(".seg")]
    assert len(sizes) == 3
    assert sizes[1] > 9000 and sizes[2] == 4096
    assert whole_log(store) == entries


def test_a_read_of_a_file_that_the_disk_lost_is_damage() -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write([appending(*ENTRIES)])
    for name in disk.names():
        disk.vanish(name)
    with pytest.raises(LogDamaged, match="no such file"):
        store.read(Offset(0), 1)


@pytest.mark.parametrize("refused", ["open", "read"])
def test_a_read_that_the_disk_refuses_is_no_damage_and_the_next_one_finds_everything(
    refused: str,
) -> None:
    disk = SimDisk()
    store = assigned(disk)
    store.write([appending(*ENTRIES)])
    disk.fail = lambda call: "too many open files" if call.startswith(refused) else None
    with pytest.raises(ReadRefused, match="too many open files") as caught:
        store.read(Offset(1), 1)
    assert disk.has(caught.value.segment)
    disk.fail = None
    assert whole_log(store) == ENTRIES


def test_restarts_without_entries_leave_no_files_behind() -> None:
    disk = SimDisk()
    assigned(disk).write([appending(*chained([CLOCK, configured("a")]))])
    disk.restart()
    opened(disk, ROOMY)
    disk.restart()
    opened(disk, ROOMY)
    names = len(disk.names())
    for _ in range(5):
        disk.restart()
        opened(disk, ROOMY)
    assert len(disk.names()) == names


def test_a_removed_member_knows_it_at_every_later_start() -> None:
    disk = SimDisk()
    opened(disk).park()
    disk.lose_power(Random(1))
    store = opened(disk)
    assert store.recovered.removed
    store.park()
    assert opened(disk).recovered.removed
