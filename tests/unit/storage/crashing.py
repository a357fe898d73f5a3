"""A script of what a member does to its store, a crash at any disk operation of it, and a judge.

What was acknowledged must be there, byte for byte; what was under way may be there as far as its
order allows: term and vote first, then the truncation, then the entries from the front. And what a
start has found may never be lost again, since it is acknowledged from then on.

Decides: what may be found after a crash. Must not know: files, blocks, segments.
Read next: test_crashes.py, test_each_sync.py.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from random import Random
from typing import NamedTuple

import msgspec

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.disk import DiskError
from replog_node.storage.errors import (
    IdentityDamaged,
    LogDamaged,
    NoRoom,
    StorageFailed,
    VoteStateLost,
)
from replog_node.storage.hardstate import HARD_STATE_NAMES
from replog_node.storage.snapshots import is_snapshot, write_snapshot
from replog_node.storage.store import Store, open_store
from tests.support.simdisk import Crashed, SimDisk, SyncSite
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    SMALL,
    START,
    appending,
    bytes_of,
    chained,
    configured,
    cutting,
    data,
    fetched,
    snapshot_at,
    voting,
    whole_log,
)

OPERATION = "founding-op"
LIMITS = msgspec.structs.replace(SMALL, checkpoint_bytes=1024)
STATE = b"a state of some bytes " * 50
CAPACITY = 1024 * 1024
"""Room for every script, as long as nobody fills it."""


class Lost(AssertionError):
    """Something that was durable is gone, or something is there that can't be."""


class Held(NamedTuple):
    """What a member holds. incarnations: how many starts it finished.

    entries: of the log since its start or its last restart, which was after `after`. released: the
    offset up to which entries may be gone. start: of a found log, what its first entry follows.
    snapshots: those that must be there; of a found log, all of them.
    """

    entries: tuple[Entry, ...] = ()
    hard_state: HardState = HardState()
    assigned: bool = False
    incarnations: int = 0
    member: MemberId | None = None
    after: Tail = START
    released: int = -1
    start: int = -1
    snapshots: tuple[SnapshotMeta, ...] = ()


class Step(NamedTuple):
    """One call of the script, and what is held once it has returned. persists, meta: its own."""

    kind: str
    after: Held
    persists: tuple[Persist, ...] = ()
    meta: SnapshotMeta | None = None


class Crash(NamedTuple):
    """A disk after a crash, what was acknowledged before, and what the call under way would do."""

    at: int
    disk: SimDisk
    held: Held
    under_way: Held


class Script:
    """Builds the steps, keeping track of what is held after each."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._held = Held()
        self._term = 1

    def call(self, kind: str) -> "Script":
        """Add a restart, an idle mark, or a look at the space, or let somebody take it or give it.

        ("restart", "idle", "space", "fill", "free")
        """
        return self._add(kind, self._held)

    def assign(self) -> "Script":
        return self._add("assign", self._held._replace(assigned=True))

    def vote(self, vote: str | None) -> "Script":
        self._term += 1
        return self._write((voting(self._term, vote),), self._held.entries)

    def append(self, *payloads: Payload) -> "Script":
        entries = chained(payloads, self._tail(self._held.entries), term=self._term)
        return self._write((appending(*entries),), (*self._held.entries, *entries))

    def cut(self, keep: int, *payloads: Payload, vote: str | None = None) -> "Script":
        """Keep so many entries, and append others, in one write; with a vote if that is given."""
        self._term += 1
        kept = self._held.entries[:keep]
        tail = self._tail(kept)
        entries = chained(payloads, tail, term=self._term)
        first = (voting(self._term, vote),) if vote else ()
        return self._write((*first, cutting(tail.position, *entries)), (*kept, *entries))

    def snapshot(self, log_start: int = 0) -> "Script":
        """Build one after the last entry; from then on, the log isn't cut any more before it."""
        meta = snapshot_at(self._tail(self._held.entries), STATE, log_start=log_start)
        snapshots = (*self._held.snapshots, meta)
        return self._add("snapshot", self._held._replace(snapshots=snapshots), meta=meta)

    def release(self, number: int) -> "Script":
        """Retain what is after the snapshot of this number, from 0; older ones go."""
        snapshots = self._held.snapshots[number:]
        base = snapshots[0]
        after = self._held._replace(snapshots=snapshots, released=base.position.offset)
        return self._add("release", after, meta=base)

    def install(self, ahead: int) -> "Script":
        """Fetch and install the snapshot of another log, which ends so many offsets further."""
        offset = Offset(self._tail(self._held.entries).position.offset + ahead)
        self._term += 1
        tail = Tail(Position(Term(self._term), offset), bytes([self._term]) * 16, 1000)
        meta = snapshot_at(tail, STATE)
        after = self._held._replace(entries=(), after=tail, released=offset, snapshots=(meta,))
        return self._add("install", after, meta=meta)

    def _tail(self, entries: Sequence[Entry]) -> Tail:
        return tail_of(entries[-1]) if entries else self._held.after

    def _write(self, persists: tuple[Persist, ...], entries: tuple[Entry, ...]) -> "Script":
        state = persists[0].hard_state or self._held.hard_state
        return self._add("write", self._held._replace(entries=entries, hard_state=state), persists)

    def _add(
        self,
        kind: str,
        after: Held,
        persists: tuple[Persist, ...] = (),
        meta: SnapshotMeta | None = None,
    ) -> "Script":
        self.steps.append(Step(kind, after, persists, meta))
        self._held = after
        return self


def rolling() -> list[Step]:
    """Founding a log and filling several segments, with votes, marks and restarts between."""
    script = Script().call("restart").vote("m1").assign().append(CLOCK, configured("m1"))
    script.call("idle").append(data(700)).append(data(700), data(700), data(900)).call("idle")
    script.append(data(1800)).vote(None).append(data(5000)).append(CLOCK).call("restart")
    script.append(data(100)).call("restart").call("restart").append(data(600)).call("idle")
    return script.call("restart").steps


def filling() -> list[Step]:
    """Going on while somebody else has filled the disk: from the reserve, and through restarts."""
    script = Script().assign().append(CLOCK, data(900)).call("space").append(data(2500))
    script.call("fill").append(data(900)).append(data(900)).call("idle").vote("m1").call("space")
    script.append(data(400)).call("restart").append(data(300)).call("free").call("space")
    script.append(data(2500)).call("space").append(data(2000)).call("space").call("fill")
    script.cut(4).append(data(100)).call("restart").append(CLOCK)
    return script.steps


def making_room() -> list[Step]:
    """Giving up what is before a snapshot that is written while the disk is full."""
    script = Script().assign().append(CLOCK, data(900)).call("space").append(data(2500))
    script.append(data(2500)).call("space").append(data(2500)).call("space").call("fill")
    script.append(data(900)).snapshot().append(data(3500)).release(0).call("space")
    script.append(data(900)).call("idle").append(data(2500))
    return script.call("restart").append(CLOCK).call("free").call("space").snapshot().steps


def truncating() -> list[Step]:
    """Cutting the log within a segment, across segments, at a segment's end, and to nothing."""
    script = Script().assign().append(CLOCK, data(900)).append(data(900), data(600)).vote("m2")
    script.append(data(1500)).append(data(800)).append(data(200)).cut(6).append(data(300))
    script.cut(3, data(700), data(700), vote="m3").call("idle").append(data(2500)).call("restart")
    script.cut(4).cut(4, CLOCK).append(CLOCK).cut(2, data(1200)).call("restart").cut(0, CLOCK)
    return script.append(data(900)).call("idle").cut(1).call("restart").steps


def trimming() -> list[Step]:
    """Snapshots, releases of whole segments, installs over a log and over nothing, and restarts."""
    script = Script().assign().append(CLOCK, configured("m1")).append(data(900), data(1800))
    script.append(data(1800), data(1800)).snapshot().append(data(2500)).append(data(900))
    script.call("restart").snapshot().release(0).append(data(1500)).append(data(3000)).release(1)
    script.append(data(400)).call("restart").snapshot().append(data(2500)).release(1)
    script.call("idle").cut(11, data(300)).call("restart").install(40).append(data(700))
    return script.call("restart").install(7).call("restart").append(CLOCK).steps


def installing() -> list[Step]:
    """A new member's log that begins with a snapshot, and is replaced by one of a longer log."""
    script = Script().assign().install(30).append(data(900)).append(data(3500), data(900))
    return script.install(5).cut(0, data(300)).call("restart").steps


def wandering(seed: int) -> list[Step]:
    """Anything in any order."""
    random, script = Random(seed), Script().assign()
    for _ in range(14):
        sizes = [random.choice((50, 400, 900, 2500)) for _ in range(random.randint(1, 3))]
        payloads = [data(size, fill=random.choice("abc")) for size in sizes]
        held = len(script.steps[-1].after.entries)
        match random.randrange(9):
            case 0:
                script.vote(random.choice(("m1", None)))
            case 1:
                script.call("idle")
            case 2:
                script.call("restart")
            case 3 | 4 if held:
                more = payloads if random.random() < 0.5 else []
                script.cut(random.randint(0, held), *more, vote=random.choice((None, "m2")))
            case _:
                script.append(*payloads)
    return script.steps


class Life:
    """Runs stores on one disk, all with one source of nonces and member ids."""

    def __init__(self, disk: SimDisk, seed: int = 0) -> None:
        self.disk = disk
        self._random = Random(seed)

    def open(self) -> Store:
        """Open the store; a start that fails is a loss.

        Somebody who has filled the disk gives the room back if it can't start without.
        """
        try:
            try:
                store = self._open()
            except NoRoom:
                self.disk.taken_bytes = 0
                store = self._open()
        except (LogDamaged, VoteStateLost, IdentityDamaged) as problem:
            raise Lost(f"it doesn't start: {problem}") from problem
        if store.holes or store.unproven is not None:
            raise Lost(f"damage is found: {store.holes}, unproven {store.unproven}")
        return store

    def _open(self) -> Store:
        return open_store(
            self.disk,
            LIMITS,
            new_member_id=lambda: MemberId(f"member-{self._random.getrandbits(64)}"),
            random64=partial(self._random.getrandbits, 64),
        )

    def found(self) -> tuple[Store, Held]:
        """Open the store and return it with all it holds."""
        store = self.open()
        recovered = store.recovered
        newest = recovered.snapshot
        if newest is not None and newest.position.offset > store.tail.position.offset:
            raise Lost(f"the snapshot {newest.position} is ahead of the log")
        try:
            entries = whole_log(store)
        except LogDamaged as problem:
            raise Lost(f"it can't be read: {problem}") from problem
        return store, Held(
            entries,
            recovered.hard_state,
            recovered.cluster_id is not None,
            recovered.incarnation.number,
            recovered.member,
            start=store.start.position.offset,
            snapshots=store.snapshots,
        )


def run(disk: SimDisk, steps: Iterable[Step]) -> tuple[Held, Held] | None:
    """Carry out the script; None if it ends, else what was held and under way when it crashed."""
    life, held, under_way = Life(disk), Held(), Held()
    try:
        store = life.open()
        held = Held(incarnations=1, member=store.recovered.member)
        for step in steps:
            under_way = step.after._replace(incarnations=held.incarnations, member=held.member)
            store = _carry_out(step, store, life)
            held = under_way._replace(incarnations=store.recovered.incarnation.number)
    except (Crashed, StorageFailed, DiskError):
        return held, under_way
    store.close()
    return None


def _carry_out(step: Step, store: Store, life: Life) -> Store:
    match step.kind:
        case "assign":
            store.assign(CLUSTER, LINEAGE, OPERATION)
        case "idle":
            store.write_idle_mark()
        case "space":
            store.space()
        case "fill":
            life.disk.fill()
        case "free":
            life.disk.taken_bytes = 0
        case "restart":
            store.close()
            return life.open()
        case "snapshot" if step.meta is not None:
            store.adopt_snapshot(write_snapshot(life.disk, step.meta, STATE))
        case "release" if step.meta is not None:
            store.release(Offset(step.meta.position.offset + 1))
        case "install" if step.meta is not None:
            _install(store, step.meta)
        case _:
            _write_when_there_is_room(step, store, life.disk)
    return store


def _write_when_there_is_room(step: Step, store: Store, disk: SimDisk) -> None:
    """Write; somebody who has filled the disk gives the room back when the store has none left."""
    try:
        store.write(step.persists)
    except NoRoom:
        disk.taken_bytes = 0
        store.write(step.persists)


def _install(store: Store, meta: SnapshotMeta) -> None:
    incoming = fetched(store, meta, bytes_of(meta, STATE))
    assert incoming.finish()
    store.install(meta)


def crashes(steps: Sequence[Step], left_out: Iterable[SyncSite] = ()) -> Iterator[Crash]:
    """Yield the disk as it is when the process dies in its first, second, … operation."""
    at = 0
    while True:
        at += 1
        disk = SimDisk()
        disk.capacity = CAPACITY
        disk.left_out = frozenset(left_out)
        disk.crash_at, disk.crash_random = at, Random(at)
        ended = run(disk, steps)
        if ended is None:
            return
        disk.crash_at = None
        yield Crash(at, disk, *ended)


class FailOnce:
    """Lets the n-th operation of a disk fail (SimDisk.fail)."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, call: str) -> str | None:
        self._left -= 1
        return f"{call}: input/output error" if self._left == 0 else None


def failures(steps: Sequence[Step]) -> Iterator[Crash]:
    """Yield the disk as it is when its first, second, … operation failed, and the process ended."""
    at = 0
    while True:
        at += 1
        disk = SimDisk()
        disk.capacity = CAPACITY
        disk.fail = FailOnce(at)
        ended = run(disk, steps)
        if ended is None:
            return
        disk.fail = None
        yield Crash(at, disk, *ended)


def judge(found: Held, held: Held, under_way: Held) -> None:
    """Raise Lost unless a member that held this, with that under way, may find this."""
    if held.member not in (None, found.member):
        raise Lost(f"member {held.member} became {found.member}")
    if found.incarnations <= held.incarnations:
        raise Lost(f"incarnation {found.incarnations} after {held.incarnations}")
    if found.assigned not in (held.assigned, under_way.assigned):
        raise Lost(f"assigned: {found.assigned}")
    if found.hard_state not in (held.hard_state, under_way.hard_state):
        raise Lost(f"{found.hard_state}, not {held.hard_state} or {under_way.hard_state}")
    if found.start > max(held.released, under_way.released, held.start):
        raise Lost(f"the log begins after {found.start}")
    before, after = _entries(held, found.start), _entries(under_way, found.start)
    if found.entries == before:
        return
    kept = sum(1 for _ in takewhile(_same, zip(before, after, strict=False)))
    if not kept <= len(found.entries) <= len(after):
        raise Lost(f"{len(found.entries)} entries, not {len(before)}")
    if found.entries != after[: len(found.entries)]:
        raise Lost(f"other entries than those up to {_end(under_way)}")
    if found.hard_state != under_way.hard_state:
        raise Lost("the log of the new term is there, but not the term")


def judge_snapshots(found: Held, held: Held, under_way: Held) -> None:
    """Raise Lost unless all snapshots are there that were, and that weren't being let go of."""
    lost = {*held.snapshots} & {*under_way.snapshots} - {*found.snapshots}
    if lost:
        raise Lost(f"snapshots {sorted(meta.position for meta in lost)} are gone")


def _entries(held: Held, start: int) -> tuple[Entry, ...]:
    return tuple(entry for entry in held.entries if entry.base > start)


def _same(pair: tuple[Entry, Entry]) -> bool:
    return pair[0] == pair[1]


def _end(held: Held) -> Position | None:
    return held.entries[-1].position if held.entries else None


Recovering = Callable[[SimDisk, Random], None]
"""What happens to the disk between two lives."""


def process_dies(disk: SimDisk, random: Random) -> None:
    disk.restart()


def power_fails(disk: SimDisk, random: Random) -> None:
    disk.lose_power(random)


def power_fails_and_a_copy_rots(disk: SimDisk, random: Random) -> None:
    """As power_fails, and one of the two copies of term and vote is unreadable afterwards."""
    disk.lose_power(random)
    name = random.choice(HARD_STATE_NAMES)
    if all(disk.has(each) for each in HARD_STATE_NAMES):
        disk.damage(name, random.randrange(64), b"\xff\xff")


def power_fails_and_a_snapshot_rots(disk: SimDisk, random: Random) -> None:
    """As power_fails, and a file of a snapshot is damaged afterwards."""
    disk.lose_power(random)
    names = [name for name in disk.names() if is_snapshot(name)]
    if names:
        name = random.choice(names)
        disk.damage(name, random.randrange(len(disk.content(name))), b"\xff")


def survive(crash: Crash, happens: Recovering, random: Random) -> None:
    """Let it happen to a copy of the disk, start, and judge; then all that must hold afterwards."""
    disk = crash.disk.copy()
    happens(disk, random)
    _die_while_starting(disk, random)
    life = Life(disk, random.getrandbits(32))
    _, found = life.found()
    judge(found, crash.held, crash.under_way)
    if happens is not power_fails_and_a_snapshot_rots:
        judge_snapshots(found, crash.held, crash.under_way)
        happens(disk, random)
    else:
        power_fails(disk, random)  # one that rots may be the last but one, as far as is promised
    store, again = life.found()
    judge(again, found, found)
    disk.taken_bytes = 0
    _go_on(store, again)
    power_fails(disk, random)
    _, last = life.found()
    if last.entries[: len(again.entries)] != again.entries:
        raise Lost("what was found twice is lost")


def _die_while_starting(disk: SimDisk, random: Random) -> None:
    """Start and die in one of the first operations, unless the start is over by then."""
    disk.crash_at, disk.crash_random = random.randint(1, 60), random
    with suppress(Crashed):
        Life(disk, random.getrandbits(32)).open()
    disk.crash_at = None
    random.choice((process_dies, power_fails))(disk, random)


def _go_on(store: Store, held: Held) -> None:
    """Use the store as a member would."""
    if not held.assigned:
        store.assign(CLUSTER, LINEAGE)
    term = max(store.tail.position.term, held.hard_state.current_term) + 1
    after = store.tail
    store.write([voting(term, "m9"), appending(*chained([data(400)], after, term=term))])
