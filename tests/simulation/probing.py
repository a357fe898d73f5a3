"""Copies of a disk that a run leaves, put through what a member seldom meets, one call at a time.

A cut that lies within damage, a repair that finds more of it or no room, damage that is told of
when the log has gone on already, an assignment and an install that die at a call of the disk, and
calls that make no sense. Each is a promise of the store (replog_node/storage/store.py), looked at
on a real store over a copy; the members themselves are over by then.

Decides: what is tried, and what must come of it. Must not know: what a member does about it.
Read next: finale.py, autopsy.py (damage of every sort), ../unit/storage/test_crashes.py.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.errors import (
    ChainBroken,
    LogDamaged,
    RepairRefused,
    StorageError,
    StorageFailed,
    StoreMisused,
)
from replog_node.storage.segment import is_segment
from replog_node.storage.snapshots import (
    copy_name,
    described,
    part_name,
    snapshot_name,
    write_snapshot,
)
from replog_node.storage.store import Store, open_store
from tests.simulation.autopsy import all_of, copied, known, opened_anew, read_through
from tests.simulation.oracles.oracle import Broken
from tests.simulation.oracles.served import ServedTrue
from tests.support.simdisk import Crashed, SimDisk

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

DEATHS: Final = 5
"""Installs that die at some call of the disk."""
CALLS: Final = 40
"""An install has no more of them; one that dies later has been done."""
REPAIRS_MAX: Final = 200


class Bench:
    """One member's disk as the run left it: its files, and the log that it gave back when sound."""

    def __init__(self, node: SimNode, random: Random) -> None:
        self.node, self.random, self.sizes = node, random, node.world.sizes
        self.files = {name: node.disk.content(name) for name in sorted(node.disk.names())}
        sound = self.opened(copied(self.files))
        self.log: dict[int, Entry] = {entry.base: entry for entry in all_of(sound)}
        self.bases = sorted(self.log)
        self.oracle = ServedTrue(node.name, self.log)

    def opened(self, disk: SimDisk) -> Store:
        """A start on this disk."""
        return opened_anew(disk, self.sizes, self.random)

    def copy(self) -> tuple[SimDisk, Store]:
        """A copy of its own, opened."""
        disk = copied(self.files)
        return disk, self.opened(disk)

    def broken(self, what: str) -> Broken:
        """The failure to raise."""
        return Broken(f"{self.node.name}, {what}", oracle="probing")

    def whole(self, store: Store, what: str, first: int = 0) -> None:
        """Every entry from there on is served, as it was written."""
        served = list(all_of(store))
        self.oracle.served(what, served)
        missing = {b for b in self.bases if b >= first} - {entry.base for entry in served}
        if missing:
            raise self.broken(f"{what}: {min(missing)} is gone")


def probe(world: World, random: Random) -> None:
    """Try everything on copies of one member's disk; raises Broken."""
    _assignments(world, random)
    node = random.choice(world.nodes)
    if node.storage is None or node.storage.store.holes or node.storage.store.unproven is not None:
        return
    if not node.storage.store.segments():
        return
    bench = Bench(node, random)
    _misused(bench)
    _installs(bench)
    if len(bench.bases) < 8:
        return
    for known_before in (False, True):
        _cut_within(bench, known_before=known_before)
    _more_damage(bench)
    _no_room(bench)
    for then in ("append", "cut", "cut all"):
        _told_late(bench, then)


# Damage, and what is known of it.


def _spoil(disk: SimDisk, entry: Entry) -> bool:
    """Let a byte of this entry rot; whether it was found."""
    for name in filter(is_segment, disk.names()):
        content = disk.content(name)
        at = content.find(entry.frame)
        if at >= 0:
            at += len(entry.frame) // 2
            disk.damage(name, at, bytes([content[at] ^ 1]))
            return True
    return False


def _met(store: Store, entry: Entry, bench: Bench) -> None:
    """Read it, as anybody may: it isn't served, and is a hole from then on."""
    try:
        store.read(entry.base, 1)
    except LogDamaged as problem:
        known(store, problem)
        if _lost(store, entry):
            return
    raise bench.broken(f"{entry.base} was spoilt, and isn't known to be: {store.holes}")


def _lost(store: Store, entry: Entry) -> bool:
    return any(hole.start <= entry.base <= hole.end for hole in store.holes)


def _fill(store: Store, bench: Bench) -> None:
    """Every hole is filled with what was there."""
    for _ in range(REPAIRS_MAX):
        if not store.holes:
            return
        hole = store.holes[0]
        store.repair(hole, [bench.log[b] for b in bench.bases if hole.start <= b <= hole.end])


def _cut_within(bench: Bench, *, known_before: bool) -> None:
    """A cut to an entry that is lost ends the log before it, and says how far it had gone."""
    disk, store = bench.copy()
    newest = store.recovered.snapshot  # what it holds was committed: nobody cuts below it
    bases = [b for b in bench.bases if newest is None or b > newest.position.offset]
    begins = [segment.base for segment in store.segments() if segment.base in bases]
    if not bases:
        return
    entry = bench.log[bench.random.choice((bench.random.choice(bases), *begins[:1]))]
    if not _spoil(disk, entry):
        return
    if known_before:
        _met(store, entry, bench)
    what = f"cut to {entry.position}, which is damaged, {known_before=}"
    try:
        store.write([Persist(1, None, entry.position, ())])
    except StorageFailed as problem:
        if "within damage" not in str(problem):
            raise bench.broken(f"{what}: {problem}") from problem
    else:
        if entry.position != store.tail.position:
            raise bench.broken(f"{what} was done: {store.tail}")
        return  # the log ended there already
    disk.restart()
    again = bench.opened(disk)
    if again.tail.position.offset != entry.base - 1 or again.unproven != entry.position:
        raise bench.broken(f"{what}: ends at {again.tail.position}, unproven {again.unproven}")
    read_through(again, bench.oracle, what)
    again.write(
        [Persist(2, None, None, tuple(bench.log[b] for b in bench.bases if b >= entry.base))]
    )
    first = again.start.position.offset + 1  # what a snapshot stands for went with the start
    bench.whole(again, f"{what}, and appended again", first)


def _more_damage(bench: Bench) -> None:
    """A repair that meets more damage is refused, and what it met is known; then all is filled."""
    disk, store = bench.copy()
    for segment in store.segments()[:-1]:
        within = [b for b in bench.bases if segment.base <= b <= segment.last]
        if len(within) >= 4:
            break
    else:
        return
    place = bench.random.randrange(len(within) - 2)
    first, second = bench.log[within[place]], bench.log[within[place + 2]]
    if bench.random.random() < 0.5:
        first, second = second, first
    if not _spoil(disk, first):
        return
    _met(store, first, bench)
    try:
        store.repair(store.holes[0], [second])
    except ChainBroken:
        pass
    else:
        raise bench.broken(f"{first.base} was filled with {second.base}")
    _spoil(disk, second)
    if _lost(store, second):
        return  # one block held both
    what = f"{first.base} is repaired and {second.base} is spoilt"
    try:
        store.repair(store.holes[0], [first])
    except RepairRefused:
        if not all(_lost(store, each) for each in (first, second)):
            raise bench.broken(f"{what}: known are {store.holes}") from None
    else:
        raise bench.broken(f"{what}: it was done all the same")
    gone = store.holes[0]
    _fill(store, bench)
    bench.whole(store, what)
    try:
        store.repair(gone, [first])
    except RepairRefused:
        return
    raise bench.broken(f"{gone} was filled twice")


def _no_room(bench: Bench) -> None:
    """A repair for which the disk has no room changes nothing, and is done once there is some."""
    disk, store = bench.copy()
    entry = bench.log[bench.random.choice(bench.bases)]
    if not _spoil(disk, entry):
        return
    _met(store, entry, bench)
    holes = store.holes
    missing = bench.random.choice(("create", "write"))
    disk.fail = lambda call: "the disk is full" if call.startswith(missing) else None
    try:
        store.repair(holes[0], [entry])
    except RepairRefused:
        disk.fail = None
    else:
        raise bench.broken("a repair was done without room")
    if store.holes != holes or any(name.endswith(".tmp") for name in disk.names()):
        raise bench.broken(f"a repair without room left {store.holes}, {disk.names()}")
    _fill(store, bench)
    bench.whole(store, "repaired once there was room")


def _told_late(bench: Bench, then: str) -> None:
    """Damage of the growing segment, told of when the log has gone on or back: no more is lost."""
    disk, store = bench.copy()
    place = bench.random.randrange(1, len(bench.bases) - 6)
    some = [bench.log[b] for b in bench.bases[place + 1 : place + 6]]
    end = bench.log[bench.bases[place]].position
    store.write([Persist(1, None, end, ())])
    store.write([Persist(2, None, None, tuple(some[:4]))])
    if store.examine("no such segment") is not None:
        raise bench.broken("a segment that isn't there was examined")
    name = max(filter(is_segment, disk.names()))
    if not _spoil(disk, some[2]) or (examined := store.examine(name)) is None:
        return
    what = f"damage of {some[2].base} was told of after {then}"
    if then == "append":
        store.write([Persist(3, None, None, (some[4],))])
    else:
        to = some[0].position if then == "cut" else end
        store.write([Persist(3, None, to, ())])
    store.damaged(examined)
    if bool(store.holes) != (then == "append"):
        raise bench.broken(f"{what}: known are {store.holes}")
    read_through(store, bench.oracle, what)
    _fill(store, bench)
    bench.oracle.served(what, all_of(store))


# Calls that make no sense.


def _misused(bench: Bench) -> None:
    """Each is refused, nothing is changed, and the store goes on."""
    disk, store = bench.copy()
    tail, held = store.tail, store.hard_state
    recovered = store.recovered
    assert recovered.cluster_id is not None and recovered.lineage is not None
    cluster, lineage = recovered.cluster_id, recovered.lineage
    lower = HardState(Term(held.current_term - 1), None)
    second = HardState(held.current_term, MemberId("somebody else"))
    calls: list[Callable[[], object]] = [
        lambda: store.write([Persist(1, lower, None, ())]),
        lambda: store.assign(ClusterId("another"), lineage),
    ]
    if held.voted_for is not None:
        calls.append(lambda: store.write([Persist(1, second, None, ())]))
    if (newest := store.recovered.snapshot) is not None:
        state = store.read_state(newest)
        far = Position(newest.position.term, Offset(newest.position.offset + (1 << 40)))
        other = described(msgspec.structs.replace(newest, cluster_id=ClusterId("another")), state)
        beyond = described(msgspec.structs.replace(newest, position=far), state)
        calls.append(lambda: store.install(beyond))
        for meta in (other, beyond):
            name = write_snapshot(disk, meta, state)
            calls.append(lambda name=name: store.adopt_snapshot(name))  # type: ignore[misc]
    for number, call in enumerate(calls):
        try:
            call()
        except StoreMisused:
            continue
        raise bench.broken(f"call {number} of {len(calls)} that make no sense was carried out")
    store.assign(cluster, lineage)  # once more, which is harmless
    if (store.tail, store.hard_state) != (tail, held):
        raise bench.broken(f"refused calls left {store.tail} and {store.hard_state}")
    bench.whole(store, "after calls that make no sense")


# Deaths.


def _assignments(world: World, random: Random) -> None:
    """An assignment that dies at any call of the disk was made or not, and can be made again."""
    cluster, lineage, other = ClusterId("c"), Lineage(1, "life"), ClusterId("another")
    store_limits, at = world.sizes.store(), 0
    while True:
        at += 1
        disk = SimDisk()

        def start(disk: SimDisk = disk) -> Store:
            return open_store(
                disk, store_limits,
                new_member_id=lambda: MemberId("new"), random64=lambda: random.getrandbits(64),
            )  # fmt: skip

        store = start()
        disk.crash_at = disk.operations + at
        try:
            store.assign(cluster, lineage)
            return  # it has no more calls than that
        except Crashed:
            _die(disk, random)
        again = start()
        if again.recovered.cluster_id not in (None, cluster) or list(all_of(again)):
            raise Broken(
                f"an assignment that died at {at} left {again.recovered}", oracle="probing"
            )
        again.assign(cluster, lineage)
        try:
            again.assign(other, lineage)
        except StoreMisused:
            continue
        raise Broken(f"after {at} calls it was assigned twice", oracle="probing")


def _die(disk: SimDisk, random: Random) -> None:
    if random.random() < 0.5:
        disk.restart()
    else:
        disk.lose_power(random)


def _installs(bench: Bench) -> None:
    """An install that dies at any call has been done or not, also if what was fetched rots then."""
    found = _newest(bench.node.world)
    if found is None:
        return
    meta, content = found
    files = {
        name: data
        for name, data in bench.files.items()
        if name not in (snapshot_name(meta), copy_name(meta))
    }
    for _ in range(DEATHS):
        at = bench.random.randrange(1, CALLS)
        disk = copied(files)
        try:
            store = bench.opened(disk)
        except StorageError:
            return  # without this one nothing stands for what is before its log; so it says
        if (
            store.recovered.snapshot is not None
            and store.recovered.snapshot.position > meta.position
        ):
            return
        if (store.recovered.cluster_id, store.recovered.lineage) != (meta.cluster_id, meta.lineage):
            return
        _fetched(store, meta, content, bench)
        disk.crash_at = disk.operations + at
        with suppress(Crashed):
            store.install(meta)
        disk.crash_at = None
        _die(disk, bench.random)
        _installed_or_not(disk, meta, bench, f"install of {meta.position} that died at {at}")


def _newest(world: World) -> tuple[SnapshotMeta, bytes] | None:
    """The newest snapshot that anybody has, and its file."""
    newest: tuple[SnapshotMeta, bytes] | None = None
    for node in world.nodes:
        if node.storage is None or node.driver is None:
            continue
        for meta in node.storage.store.snapshots:
            name = snapshot_name(meta)
            if node.disk.has(name) and (newest is None or meta.position > newest[0].position):
                newest = meta, node.disk.content(name)
    return newest


def _fetched(store: Store, meta: SnapshotMeta, content: bytes, bench: Bench) -> None:
    """Fetch it in pieces, as from another member; the last one goes wrong once."""
    middle = len(content) // 2
    for wrong in (True, False):
        incoming = store.incoming(meta)
        last = content[middle:-1] + bytes([content[-1] ^ 1]) if wrong else content[middle:]
        incoming.write(0, content[:middle])
        incoming.close()
        incoming = store.incoming(meta)
        try:
            incoming.write(middle + 1, last[1:])
        except StoreMisused:
            incoming.write(middle, last)
        if incoming.finish() == wrong:
            raise bench.broken(f"a piece of {meta.position} is {wrong=} and taken for the other")


def _installed_or_not(disk: SimDisk, meta: SnapshotMeta, bench: Bench, what: str) -> None:
    part = part_name(meta)
    rots = disk.has(part) and not disk.has(snapshot_name(meta)) and bench.random.random() < 0.5
    if rots:
        size = len(disk.content(part))
        disk.damage(part, size - 1, bytes([disk.content(part)[-1] ^ 1]))
    again = bench.opened(disk)
    if again.tail == meta.tail and again.start == meta.tail and not rots:
        if meta not in again.snapshots or list(all_of(again)):
            raise bench.broken(f"{what}: {again.snapshots}")
        return
    bench.whole(again, f"{what}, {rots=}")
