"""The store behind its threads: writes that wait together are one, nobody waits for a dead disk."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from replog_node.adapters.io_thread import IDLE_S, OWN_READS_MAX, IoThread
from replog_node.driver.building import build_snapshot
from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.damage import Damage
from replog_node.storage.disk import Disk, Sync
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.errors import StorageFailed
from replog_node.storage.limits import StoreLimits
from replog_node.storage.reserve import DiskSpace
from replog_node.storage.snapshots import snapshot_name, write_snapshot
from replog_node.storage.store import Store
from tests.support.simdisk import SimDisk, SyncSite
from tests.unit.adapters.meeting import until
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    chained,
    data,
    opened,
    snapshot_at,
)

pytestmark = pytest.mark.asyncio

LIMITS = StoreLimits(segment_bytes=1 << 20)
ENTRIES = chained([CLOCK] * 40)
CALLERS_MAX = 5


class Remembering:
    """A driver.Driver that only remembers what the disk did."""

    def __init__(self) -> None:
        self.broken = False
        self.told: list[object] = []
        self.space: list[DiskSpace] = []
        self.damage: list[Damage] = []
        self.reads: dict[int, tuple[Entry, ...] | None] = {}
        self.built: list[SnapshotMeta | None] = []
        self.parts: list[tuple[int, bytes | None]] = []
        self.chunks: dict[int, bytes | None] = {}

    def on_persisted(self, ticket: int) -> None:
        if self.broken:
            raise RuntimeError("an invariant is broken")
        self.told.append(ticket)

    def on_read(self, request: int, entries: tuple[Entry, ...] | None) -> None:
        assert request not in self.reads
        self.reads[request] = entries

    def on_assigned(self) -> None:
        self.told.append("assigned")

    def on_damage(self, damage: Damage) -> None:
        self.damage.append(damage)

    def on_disk_space(self, space: DiskSpace) -> None:
        self.space.append(space)

    def on_released(self, base: SnapshotMeta | None, start: Position) -> None:
        self.told.append(("released", base, start))

    def on_snapshot_dropped(self, snapshot: SnapshotMeta) -> None:
        self.told.append(("dropped", snapshot))

    def on_built(self, snapshot: SnapshotMeta | None) -> None:
        self.built.append(snapshot)

    def on_part(self, snapshot: SnapshotMeta, size: int, state: bytes | None) -> None:
        self.parts.append((size, state))

    def on_chunk(self, request: int, data: bytes | None) -> None:
        self.chunks[request] = data


class Inline:
    """Builds in this process."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def __call__(self, up_to: Position) -> str:
        return build_snapshot(self._disk, up_to)

    def end(self) -> None:
        pass


class Running:
    """An IoThread over a store."""

    def __init__(self, disk: Disk, scrub_bytes_per_s: int = 0) -> None:
        self.store: Store = opened(disk, LIMITS)
        self.driver = Remembering()
        self.failures: list[BaseException] = []
        self.noted: list[tuple[str, str, object]] = []
        self.written: list[tuple[float, int]] = []
        self.io = IoThread(
            self.store,
            self.failures.append,
            builder=Inline(disk),
            notes=self,
            on_written=lambda seconds, size_bytes: self.written.append((seconds, size_bytes)),
            callers_max=CALLERS_MAX,
            scrub_bytes_per_s=scrub_bytes_per_s,
        )

    def note(self, level: str, event: str, **fields: object) -> None:
        self.noted.append((level, event, fields["segment"]))

    def wait(self) -> None:
        """Nothing is asked for."""

    def assign(self) -> None:
        self.io.assign(CLUSTER, LINEAGE, "")

    def write(self, ticket: int, entries: Sequence[Entry]) -> None:
        self.io.write(Persist(ticket, None, None, tuple(entries)))

    async def read(self, request: int, at: int) -> tuple[Entry, ...] | None:
        self.io.read(request, Offset(at), 1 << 20)
        await until(lambda: request in self.driver.reads)
        return self.driver.reads[request]


@asynccontextmanager
async def running(
    disk: Disk,
    before: Callable[[Running], None] = Running.assign,
    *,
    scrub_bytes_per_s: int = 0,
) -> AsyncIterator[Running]:
    """An assigned store's threads; `before` is asked for while they don't run yet."""
    node = Running(disk, scrub_bytes_per_s)
    before(node)
    node.io.start(node.driver)
    try:
        yield node
    finally:
        await node.io.close()
        node.store.close()


async def test_what_waits_together_is_written_with_one_sync_and_told_once() -> None:
    disk = SimDisk()

    def ask_for_much(node: Running) -> None:
        node.assign()
        for ticket, entry in enumerate(ENTRIES, 1):
            node.write(ticket, [entry])

    async with running(disk, ask_for_much) as node:
        await until(lambda: node.driver.told == ["assigned", len(ENTRIES)])
        assert node.store.tail.position == ENTRIES[-1].position
    assert disk.syncs[SyncSite(Sync.BLOCK)] == 1
    ((seconds, size_bytes),) = node.written
    assert size_bytes == sum(entry.size_bytes for entry in ENTRIES)
    assert 0 < seconds < 60


async def test_everything_asked_for_before_closing_is_durable(tmp_path: Path) -> None:
    async with running(OsDisk(tmp_path)) as node:
        for ticket, entry in enumerate(ENTRIES, 1):
            node.write(ticket, [entry])
    assert node.driver.told[-1] == len(ENTRIES)
    store = opened(OsDisk(tmp_path))
    assert store.recovered.log.tail.position == ENTRIES[-1].position
    store.close()


async def test_somebody_elses_work_has_its_place_among_the_writes() -> None:
    disk = SimDisk()
    seen: list[int] = []

    def ask(node: Running) -> None:
        node.assign()
        for ticket, entry in enumerate(ENTRIES[:4], 1):
            node.write(ticket, [entry])
            if ticket == 2:
                node.io.in_order(lambda: seen.append(node.store.tail.position.offset))

    async with running(disk, ask) as node:
        await until(lambda: node.driver.told == ["assigned", 2, 4])
    assert seen == [ENTRIES[1].last]


async def test_tickets_are_told_in_order_and_after_an_assignment_before_them(
    tmp_path: Path,
) -> None:
    async with running(OsDisk(tmp_path)) as node:
        for ticket, entry in enumerate(ENTRIES, 1):
            node.write(ticket, [entry])
            await asyncio.sleep(0)
        await until(lambda: node.driver.told[-1:] == [len(ENTRIES)])
    assert node.driver.told[0] == "assigned"
    tickets = [told for told in node.driver.told if isinstance(told, int)]
    assert tickets == sorted(set(tickets))


async def test_what_was_written_is_read_and_what_was_not_is_none(tmp_path: Path) -> None:
    async with running(OsDisk(tmp_path)) as node:
        node.write(1, ENTRIES[:5])
        await until(lambda: node.driver.told[-1:] == [1])
        assert await node.read(1, 3) == ENTRIES[3:5]
        assert await node.read(2, 5) is None


async def test_as_many_reads_wait_as_callers_may_and_one_more_is_answered_as_unreadable(
    tmp_path: Path,
) -> None:
    most = OWN_READS_MAX + CALLERS_MAX

    def ask_for_much(node: Running) -> None:
        node.assign()
        node.write(1, ENTRIES[:1])
        for request in range(most + 1):
            node.io.read(request, Offset(0), 1)

    async with running(OsDisk(tmp_path), ask_for_much) as node:
        await until(lambda: len(node.driver.reads) == most + 1)
        assert next(iter(node.driver.reads.items())) == (most, None)  # before those that wait
        await until(lambda: node.driver.told[-1:] == [1])
        assert await node.read(most + 1, 0) == ENTRIES[:1]


async def test_the_mark_is_written_once_nothing_has_been_asked_for(tmp_path: Path) -> None:
    disk = SimDisk()
    async with running(disk) as node:
        node.write(1, ENTRIES[:1])
        await until(lambda: node.driver.told[-1:] == [1])
        written = disk.syncs.total()
        await until(lambda: disk.syncs.total() > written)
        marked = disk.syncs.total()
        await asyncio.sleep(3 * IDLE_S)
        assert disk.syncs.total() == marked


async def test_a_disk_that_fails_is_told_once_and_nothing_is_acknowledged_any_more() -> None:
    disk = SimDisk()
    async with running(disk) as node:
        node.write(1, ENTRIES[:1])
        await until(lambda: node.driver.told[-1:] == [1])
        disk.fail = lambda call: "broken" if call.startswith("sync") else None
        node.write(2, ENTRIES[1:2])
        node.write(3, ENTRIES[2:3])
        await until(lambda: bool(node.failures))
        assert await node.read(1, 0) is None
    assert [type(failure) for failure in node.failures] == [StorageFailed]
    assert node.driver.told[-1] == 1


async def test_a_read_of_damage_fails_alone_and_is_noted_once_for_its_segment() -> None:
    disk = SimDisk()
    async with running(disk) as node:
        node.write(1, ENTRIES[:20])
        await until(lambda: node.driver.told[-1:] == [1])
        (segment,) = [name for name in disk.names() if name.endswith(".seg")]
        rotten = disk.content(segment).index(ENTRIES[10].frame) + 60
        disk.damage(segment, rotten, b"rot")
        assert await node.read(1, 10) is None
        assert await node.read(2, 10) is None
        assert await node.read(3, 5) == ENTRIES[5:10]
        node.write(2, ENTRIES[20:21])
        await until(lambda: node.driver.told[-1:] == [2])
    assert node.failures == []
    assert node.noted == [("error", "log_damaged", segment)]


async def test_damage_that_a_read_finds_is_a_hole_and_filled_with_what_fits() -> None:
    disk = SimDisk()
    async with running(disk) as node:
        node.write(1, ENTRIES[:20])
        await until(lambda: node.driver.told[-1:] == [1])
        (segment,) = [name for name in disk.names() if name.endswith(".seg")]
        disk.damage(segment, disk.content(segment).index(ENTRIES[10].frame) + 60, b"rot")
        assert await node.read(1, 10) is None
        await until(lambda: len(node.driver.damage) == 1)
        (hole,) = node.driver.damage[0].holes
        lost = tuple(e for e in ENTRIES[:20] if hole.start <= e.base <= hole.end)
        assert ENTRIES[10] in lost
        node.io.repair(hole, lost[1:])
        await until(lambda: len(node.driver.damage) == 2)
        assert node.driver.damage[1].holes == (hole,)
        node.io.repair(hole, lost)
        await until(lambda: len(node.driver.damage) == 3)
        assert not node.driver.damage[2].holes
        assert await node.read(2, 0) == ENTRIES[:20]
    assert node.failures == []
    assert [event for _, event, _ in node.noted] == ["log_damaged", "repair_refused"]


async def test_the_scrub_finds_damage_that_nobody_reads() -> None:
    disk = SimDisk()
    store = opened(disk, LIMITS)
    store.assign(CLUSTER, LINEAGE)
    store.write([Persist(1, None, None, ENTRIES[:20])])
    store.write_idle_mark()
    store.close()
    disk.restart()
    (segment,) = [name for name in disk.names() if name.endswith(".seg")]
    opened(disk, LIMITS).close()  # it is finished, and has a summary, from now on
    disk.damage(segment, disk.content(segment).index(ENTRIES[10].frame) + 60, b"rot")
    disk.restart()
    async with running(disk, Running.wait, scrub_bytes_per_s=1 << 30) as node:
        assert not node.store.recovered.holes
        await until(lambda: len(node.driver.damage) == 1)
        assert node.driver.damage[0].holes[0].start <= ENTRIES[10].base


async def test_damage_that_a_build_of_a_snapshot_meets_is_found_out_though_nobody_reads() -> None:
    disk = SimDisk()

    def rotten(node: Running) -> None:
        node.store.assign(CLUSTER, LINEAGE)
        node.store.write([Persist(1, None, None, ENTRIES[:20])])
        node.store.write_idle_mark()
        (segment,) = [name for name in disk.names() if name.endswith(".seg")]
        disk.damage(segment, disk.content(segment).index(ENTRIES[10].frame) + 60, b"rot")
        node.io.build(ENTRIES[19].position)

    async with running(disk, rotten) as node:
        await until(lambda: node.driver.built == [None])
        await until(lambda: len(node.driver.damage) == 1)
        assert node.driver.damage[0].holes[0].start <= ENTRIES[10].base


async def test_a_read_that_the_disk_refuses_fails_alone_and_may_be_tried_again() -> None:
    disk = SimDisk()
    async with running(disk) as node:
        node.write(1, ENTRIES[:1])
        await until(lambda: node.driver.told[-1:] == [1])
        disk.fail = lambda call: "too many open files" if call.startswith("open") else None
        assert await node.read(1, 0) is None
        disk.fail = None
        assert await node.read(2, 0) == ENTRIES[:1]
    assert node.failures == []
    assert [event for _, event, _ in node.noted] == ["read_refused"]


async def test_a_driver_that_fails_is_told_to_the_node(tmp_path: Path) -> None:
    async with running(OsDisk(tmp_path)) as node:
        await until(lambda: node.driver.told == ["assigned"])
        node.driver.broken = True
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        node.write(1, ENTRIES[:1])
        await until(lambda: [str(f) for f in node.failures] == ["an invariant is broken"])


async def test_closing_ends_all_threads(tmp_path: Path) -> None:
    before = threading.active_count()
    async with running(OsDisk(tmp_path)):
        assert threading.active_count() == before + 4
    assert threading.active_count() == before


async def test_a_write_without_room_waits_for_it_and_keeps_its_place() -> None:
    disk = SimDisk()
    disk.capacity = 4 << 20
    entries = chained([data(700_000)] * 5)
    async with running(disk) as node:
        await until(lambda: node.driver.told == ["assigned"] and bool(node.driver.space))
        disk.fill()
        for ticket, entry in enumerate(entries, 1):
            node.write(ticket, [entry])
        await until(lambda: node.driver.space[-1].low)
        await asyncio.sleep(0.3)
        assert len(entries) not in node.driver.told and not node.failures
        disk.taken_bytes, disk.capacity = 0, 16 << 20
        await until(lambda: node.driver.told[-1] == len(entries))
        assert node.store.tail.position == entries[-1].position
        await until(lambda: not node.driver.space[-1].low)


async def test_closing_does_not_wait_for_room() -> None:
    disk = SimDisk()
    disk.capacity = 4 << 20
    async with running(disk) as node:
        await until(lambda: node.driver.told == ["assigned"] and bool(node.driver.space))
        disk.fill()
        node.write(1, chained([data(2_000_000)]))
        await asyncio.sleep(0.05)
    assert node.driver.told == ["assigned"] and not node.failures


async def test_a_release_behind_a_write_without_room_makes_the_room() -> None:
    disk = SimDisk()
    disk.capacity = 12 << 20
    entries = chained([data(700_000)] * 9)
    async with running(disk) as node:
        for ticket, entry in enumerate(entries[:6], 1):
            node.write(ticket, [entry])
            await until(partial(node.driver.told.__contains__, ticket))
        meta = snapshot_at(tail_of(entries[4]), b"state")
        node.store.adopt_snapshot(write_snapshot(disk, meta, b"state"))
        disk.fill()
        for ticket, entry in enumerate(entries[6:], 7):
            node.write(ticket, [entry])
        await asyncio.sleep(0.2)
        assert 9 not in node.driver.told
        node.io.release(Offset(entries[4].last + 1))
        await until(lambda: 9 in node.driver.told)


async def test_a_snapshot_that_rots_is_forgotten_once_the_scrub_finds_it() -> None:
    disk = SimDisk()
    meta = snapshot_at(tail_of(ENTRIES[4]), b"state")

    def rotten(node: Running) -> None:
        """Before the scrub goes round for the first time."""
        node.store.assign(CLUSTER, LINEAGE)
        node.store.write([Persist(1, None, None, ENTRIES[:6])])
        node.store.adopt_snapshot(write_snapshot(disk, meta, b"state"))
        disk.damage(snapshot_name(meta), disk.content(snapshot_name(meta)).rindex(b"state"), b"r")

    async with running(disk, rotten, scrub_bytes_per_s=1 << 30) as node:
        await until(lambda: ("dropped", meta) in node.driver.told)
        assert node.store.snapshots == () and snapshot_name(meta) not in disk.names()
        assert ("error", "snapshot_damaged", snapshot_name(meta)) in node.noted


async def test_term_and_vote_that_were_saved_before_the_room_was_missing_are_no_fault() -> None:
    disk = SimDisk()
    disk.capacity = 4 << 20
    large = chained([data(2_000_000)])
    async with running(disk) as node:
        await until(lambda: node.driver.told == ["assigned"] and bool(node.driver.space))
        disk.fill()
        node.io.write(Persist(1, HardState(Term(1), None), None, ()))
        node.io.write(Persist(2, HardState(Term(2), None), None, ()))
        node.io.write(Persist(3, HardState(Term(3), None), None, tuple(large)))
        await asyncio.sleep(0.3)
        assert not node.failures
        disk.capacity = 64 << 20
        await until(lambda: 3 in node.driver.told)
        assert node.store.hard_state.current_term == 3
    assert not node.failures
