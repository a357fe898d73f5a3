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

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import MemberId, Position
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.errors import IdentityDamaged, LogDamaged, StorageFailed, VoteStateLost
from replog_node.storage.hardstate import HARD_STATE_NAMES
from replog_node.storage.store import Store, open_store
from tests.support.simdisk import Crashed, SimDisk, SyncSite
from tests.unit.storage.building import (
    CLOCK,
    CLUSTER,
    LINEAGE,
    SMALL,
    START,
    appending,
    chained,
    configured,
    cutting,
    data,
    voting,
    whole_log,
)

OPERATION = "founding-op"


class Lost(AssertionError):
    """Something that was durable is gone, or something is there that can't be."""


class Held(NamedTuple):
    """What a member holds. incarnations: how many starts it finished."""

    entries: tuple[Entry, ...] = ()
    hard_state: HardState = HardState()
    assigned: bool = False
    incarnations: int = 0
    member: MemberId | None = None


class Step(NamedTuple):
    """One call of the script, and what is held once it has returned. persists: None for others."""

    kind: str
    after: Held
    persists: tuple[Persist, ...] = ()


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
        """Add a restart or an idle mark."""
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

    def _tail(self, entries: Sequence[Entry]) -> Tail:
        return tail_of(entries[-1]) if entries else START

    def _write(self, persists: tuple[Persist, ...], entries: tuple[Entry, ...]) -> "Script":
        state = persists[0].hard_state or self._held.hard_state
        return self._add("write", self._held._replace(entries=entries, hard_state=state), persists)

    def _add(self, kind: str, after: Held, persists: tuple[Persist, ...] = ()) -> "Script":
        self.steps.append(Step(kind, after, persists))
        self._held = after
        return self


def rolling() -> list[Step]:
    """Founding a log and filling several segments, with votes, marks and restarts between."""
    script = Script().call("restart").vote("m1").assign().append(CLOCK, configured("m1"))
    script.call("idle").append(data(700)).append(data(700), data(700), data(900)).call("idle")
    script.append(data(1800)).vote(None).append(data(5000)).append(CLOCK).call("restart")
    script.append(data(100)).call("restart").call("restart").append(data(600)).call("idle")
    return script.call("restart").steps


def truncating() -> list[Step]:
    """Cutting the log within a segment, across segments, at a segment's end, and to nothing."""
    script = Script().assign().append(CLOCK, data(900)).append(data(900), data(600)).vote("m2")
    script.append(data(1500)).append(data(800)).append(data(200)).cut(6).append(data(300))
    script.cut(3, data(700), data(700), vote="m3").call("idle").append(data(2500)).call("restart")
    script.cut(4).cut(4, CLOCK).append(CLOCK).cut(2, data(1200)).call("restart").cut(0, CLOCK)
    return script.append(data(900)).call("idle").cut(1).call("restart").steps


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
        """Open the store; a start that fails is a loss."""
        try:
            return open_store(
                self.disk,
                SMALL,
                new_member_id=lambda: MemberId(f"member-{self._random.getrandbits(64)}"),
                random64=partial(self._random.getrandbits, 64),
            )
        except (LogDamaged, VoteStateLost, IdentityDamaged) as problem:
            raise Lost(f"it doesn't start: {problem}") from problem

    def found(self) -> tuple[Store, Held]:
        """Open the store and return it with all it holds."""
        store = self.open()
        recovered = store.recovered
        return store, Held(
            whole_log(store),
            recovered.hard_state,
            recovered.cluster_id is not None,
            recovered.incarnation.number,
            recovered.member,
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
    except (Crashed, StorageFailed):
        return held, under_way
    store.close()
    return None


def _carry_out(step: Step, store: Store, life: Life) -> Store:
    match step.kind:
        case "assign":
            store.assign(CLUSTER, LINEAGE, OPERATION)
        case "idle":
            store.write_idle_mark()
        case "restart":
            store.close()
            return life.open()
        case _:
            store.write(step.persists)
    return store


def crashes(steps: Sequence[Step], left_out: Iterable[SyncSite] = ()) -> Iterator[Crash]:
    """Yield the disk as it is when the process dies in its first, second, … operation."""
    at = 0
    while True:
        at += 1
        disk = SimDisk()
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
    if found.entries == held.entries:
        return
    kept = sum(1 for _ in takewhile(_same, zip(held.entries, under_way.entries, strict=False)))
    if not kept <= len(found.entries) <= len(under_way.entries):
        raise Lost(f"{len(found.entries)} entries, not {len(held.entries)}")
    if found.entries != under_way.entries[: len(found.entries)]:
        raise Lost(f"other entries than those up to {_end(under_way)}")
    if found.hard_state != under_way.hard_state:
        raise Lost("the log of the new term is there, but not the term")


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


def survive(crash: Crash, happens: Recovering, random: Random) -> None:
    """Let it happen to a copy of the disk, start, and judge; then all that must hold afterwards."""
    disk = crash.disk.copy()
    happens(disk, random)
    _die_while_starting(disk, random)
    life = Life(disk, random.getrandbits(32))
    _, found = life.found()
    judge(found, crash.held, crash.under_way)
    happens(disk, random)
    store, again = life.found()
    judge(again, found, found)
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
