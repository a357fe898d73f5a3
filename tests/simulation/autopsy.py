"""Copies of a disk that a run leaves, damaged on purpose, and put through all that reads disks.

Each copy is checked (`replog verify`), opened as a start does, read whole by the store and by the
reader beside it, asked for times, scrubbed, and repaired from what the log was. The member itself
goes on undisturbed: its disk is only copied.

Decides: how a copy is damaged, and what is asked of it.
Must not know: what a member of a cluster does about damage (diskfaults.py).
Read next: finale.py, oracles/served.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import TYPE_CHECKING, Final

from replog_node.model.entries import Entry
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.effects import Persist
from replog_node.storage.disk import Disk, DiskError, Sync
from replog_node.storage.errors import (
    LogDamaged,
    ReadRefused,
    RepairRefused,
    StorageError,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.readonly import open_reader
from replog_node.storage.scrub import REST_S, Scrub
from replog_node.storage.segment import is_segment
from replog_node.storage.store import Store, open_store
from replog_node.storage.verify import check_directory
from tests.simulation.oracles.oracle import Broken
from tests.simulation.oracles.served import ServedTrue
from tests.support.simdisk import SECTOR, SimDisk

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.sizes import Sizes

PAGE_BYTES: Final = 64 * 1024
DAMAGES: Final = ("flip", "flip", "zeros", "cut", "gone", "swap", "refuse", "twist", "two")
HEADER: Final = "its header"
"""What a check says of a segment that is known again from its first block, header or not."""

CUTS: Final = 0.4
"""The part of copies whose log is cut, as a new leader would, and not repaired."""

TIMES: Final = 4
"""Times that are asked of each copy."""
FAR: Final = 1 << 40
STEPS_MAX: Final = 10_000


def autopsy(node: SimNode, random: Random, copies: int) -> None:
    """Damage that many copies of this member's disk; raises Broken."""
    if node.storage is None or node.storage.store.holes or node.storage.store.unproven is not None:
        return
    files = {name: node.disk.content(name) for name in sorted(node.disk.names())}
    sizes, store = node.world.sizes, node.storage.store
    if not store.segments():
        return
    sound = opened_anew(copied(files), sizes, random)
    log: dict[int, Entry] = {entry.base: entry for entry in all_of(sound)}
    oracle = ServedTrue(node.name, log)
    for _ in range(copies):
        disk = copied(files)
        what = _damaged(disk, random)
        _verified(node, disk, what)
        _read_beside(disk, oracle, log, what)
        try:
            opened = opened_anew(disk, sizes, random)
        except (StorageError, DiskError):
            continue  # it says what it can't go on from; nothing was served
        _examined(opened, oracle, log, what, random)
        if log and random.random() < CUTS:
            _cut(opened, oracle, log, what, random)
            continue
        _undone(disk, opened, oracle, log, what, sizes, random)


def all_of(store: Store) -> Iterator[Entry]:
    """Every entry of a log from its start on, read from the disk."""
    at = Offset(store.start.position.offset + 1)
    while found := store.read(at, PAGE_BYTES):
        yield from found
        at = Offset(found[-1].last + 1)


# Copies, and what becomes of them.


def copied(files: Mapping[str, bytes]) -> SimDisk:
    disk = SimDisk()
    for name, content in files.items():
        file = disk.create(name, len(content))
        file.write(0, content)
        file.sync(Sync.BLOCK)
        file.close()
    disk.sync_directory(Sync.BLOCK)
    return disk


def opened_anew(disk: SimDisk, sizes: Sizes, random: Random) -> Store:
    def nobody() -> str:
        raise Broken("a directory with data was taken for a new one", oracle="autopsy")

    return open_store(
        disk, sizes.store(),
        new_member_id=nobody,  # type: ignore[arg-type]
        random64=lambda: random.getrandbits(64),
    )  # fmt: skip


def _damaged(disk: SimDisk, random: Random) -> str:
    """Let something be wrong with this disk; what, in words."""
    kind = random.choice(DAMAGES)
    if kind == "two":
        return f"{_damaged_file(disk, random, 'flip')} and {_damaged_file(disk, random, 'zeros')}"
    if kind in ("refuse", "twist"):
        return kind  # while it is read, see _examined
    return _damaged_file(disk, random, kind)


def _damaged_file(disk: SimDisk, random: Random, kind: str) -> str:
    names = disk.names()
    suffix = random.choice(
        sorted({name.rpartition(".")[2] for name in names if name != "identity"})
    )
    name = random.choice([name for name in names if name.rpartition(".")[2] == suffix])
    content = disk.content(name)
    if kind == "gone" and not name.startswith("hardstate"):
        disk.vanish(name)
        return f"{name} gone"
    if not content:
        return "nothing"
    near = random.choice((len(content), min(len(content), 1200)))
    at = random.randrange(near)
    if kind == "cut":
        file = disk.open(name)
        file.truncate(at)
        file.sync(Sync.BLOCK)
        file.close()
        disk.harmed = True
        return f"{name} cut at {at}"
    if kind == "flip":
        disk.damage(name, at, bytes([content[at] ^ 1 << random.randrange(8)]))
        return f"{name} flipped at {at}"
    at -= at % SECTOR
    size = min(SECTOR * random.choice((1, 2, 8)), len(content) - at)
    source = disk.content(random.choice(names)) if kind == "swap" else b""
    disk.damage(name, at, source[:size].ljust(size, b"\0"))
    return f"{name} {kind} at {at}, {size} bytes"


# Those who look at a copy.


def _verified(node: SimNode, disk: Disk, what: str) -> None:
    """`replog verify` says something of each file, and changes none."""
    before = {name: disk.content(name) for name in disk.names()}  # type: ignore[attr-defined]
    told = [each.file for each in check_directory(disk)]
    if len(set(told)) != len(told):
        raise Broken(f"{node.name}, {what}: told twice: {told}", oracle="verify")
    if {name: disk.content(name) for name in disk.names()} != before:  # type: ignore[attr-defined]
        raise Broken(f"{node.name}, {what}: the check changed a file", oracle="verify")


def _read_beside(disk: Disk, oracle: ServedTrue, log: Mapping[int, Entry], what: str) -> None:
    """As the helper does that builds snapshots."""
    try:
        reader = open_reader(disk)
        tails = [meta.tail for meta in reader.snapshots()]
        for meta in reader.snapshots():
            reader.read_state(meta)
        first = min(log, default=0)
        after = next((t for t in tails if t.position.offset >= first - 1), reader.origin)
        if log and (after != reader.origin or not first):
            last = log[max(log)]
            oracle.served(what, reader.entries(after, last.position))
    except (StorageError, DiskError):
        return


def _examined(
    store: Store, oracle: ServedTrue, log: Mapping[int, Entry], what: str, random: Random
) -> None:
    """As readers do, and the scrub: all that is served is true, all that is lost is known."""
    disk = store._disk
    assert isinstance(disk, SimDisk)
    if what == "refuse":
        calls = random.choice((("read",), ("open",), ("read", "open")))
        disk.fail = lambda call: (
            call if call.split(" ")[0] in calls and random.random() < 0.5 else None
        )
    if what == "twist":
        disk.twist = lambda _name, _at, data: (
            data if random.random() < 0.5 or not data else bytes([data[0] ^ 4]) + data[1:]
        )
    read_through(store, oracle, what)
    times = [random.choice(sorted(log)) for _ in range(TIMES)] if log else []
    for time_ms in (log[base].append_time_ms for base in times):
        first = min(base for base, entry in log.items() if entry.append_time_ms >= time_ms)
        try:
            found = store.offset_at_time(time_ms)
        except (LogDamaged, ReadRefused):
            continue
        whole = not store.holes and store.unproven is None
        if found != first and whole and what in ("refuse", "twist"):
            raise Broken(f"{what}: {time_ms} begins at {found}, not {first}", oracle="autopsy")
    disk.fail = disk.twist = None


def read_through(store: Store, oracle: ServedTrue, what: str) -> None:
    """Read everything twice, and let whatever is met become a hole."""
    for _ in range(2):
        scrub = Scrub(store, PAGE_BYTES)
        for _ in range(STEPS_MAX):
            try:
                found = scrub.step()
            except StorageFailed:
                return
            if isinstance(found.problem, LogDamaged):
                known(store, found.problem)
            if found.wait_s == REST_S:
                break
    at = Offset(store.start.position.offset + 1)
    while at <= store.tail.position.offset:
        try:
            entries = store.read(at, 4096)
        except ReadRefused:
            continue  # by chance, and not for ever
        except LogDamaged as problem:
            known(store, problem)
            ends = [hole.end for hole in store.holes if hole.start <= at <= hole.end]
            at = Offset(max(ends, default=at - 1) + 1)
            continue
        oracle.served(what, entries)
        at = Offset(entries[-1].last + 1)


def known(store: Store, problem: LogDamaged) -> None:
    """As a member does that met it (tests/simulation/storage.py)."""
    if any(hole.start <= problem.offset <= hole.end for hole in store.holes):
        return
    try:
        examined = store.examine(problem.segment)
    except ReadRefused:
        return
    if examined is not None:
        store.damaged(examined)


def _cut(
    store: Store, oracle: ServedTrue, log: Mapping[int, Entry], what: str, random: Random
) -> None:
    """Cut where an entry ends, then append some again and cut those; elsewhere it is refused."""
    bases = sorted(log)
    place = random.randrange(len(bases))
    end, behind = log[bases[place]], [log[base] for base in bases[place + 1 : place + 6]]
    if end.last > store.tail.position.offset:
        return  # it was torn, or is lost and known to be
    try:
        for wrong in (Position(Term(end.term + 1), end.last), Position(end.term, Offset(FAR))):
            try:
                store.write([Persist(1, None, wrong, ())])
            except StoreMisused:
                continue
            raise Broken(f"{what}: the log was cut at {wrong}", oracle="autopsy")
        store.write([Persist(1, None, end.position, ())])
        if store.tail.position != end.position:
            raise Broken(f"{what}: cut at {end.position}, {store.tail}", oracle="autopsy")
        read_through(store, oracle, f"{what}, cut at {end.position}")
        if behind:
            some = [Persist(2, None, None, tuple(behind))]
            to = random.choice(behind).position
            store.write([*some, Persist(3, None, to, ())])
            if store.tail.position != to:
                raise Broken(f"{what}: cut at {to}, it ends at {store.tail}", oracle="autopsy")
            store.write([Persist(4, None, end.position, ()), *some])
        read_through(store, oracle, f"{what}, cut at {end.position} and appended again")
    except (LogDamaged, StorageFailed):
        return  # within damage: it ends before it, and goes on after a start


# Damage undone.


def _undone(
    disk: SimDisk, store: Store, oracle: ServedTrue, log: Mapping[int, Entry], what: str,
    sizes: Sizes, random: Random,
) -> None:  # fmt: skip
    """Every hole is filled with what was there; then all of it is served again, also by a start."""
    holes = [(hole.start, hole.end) for hole in store.holes]
    active = max((segment.base for segment in store.segments()), default=0)
    begins = store.start.position.offset + 1
    try:
        for _ in range(STEPS_MAX):
            if not store.holes:
                break
            hole = store.holes[0]
            filling = [log[b] for b in sorted(log) if hole.start <= b <= hole.end]
            if not filling or filling[0].base != hole.start or filling[-1].last != hole.end:
                return  # it begins before what this log had
            part = filling[: max(1, random.randint(len(filling) // 2, len(filling)))]
            store.repair(hole, part)
        entries = list(all_of(store))
        oracle.served(what, entries)
        oracle.missing(f"{what}, repaired {holes}", entries, (), range(begins, active))
        again = opened_anew(disk, sizes, random)
        oracle.served(f"{what}, repaired and started", list(all_of(again)))
    except RepairRefused:
        return
    told = [each for each in check_directory(disk) if is_segment(each.file)]
    unsound = [each for each in told if not each.sound]
    headers = any(HEADER in each.detail for each in unsound)  # then its neighbour is blamed, too
    if unsound and again.unproven is None and not headers:
        raise Broken(f"{what}: after its repair {unsound}", oracle="autopsy")
