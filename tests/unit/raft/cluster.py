"""A cluster of cores in memory: a disk each, a network, and a hand that moves them.

Nothing happens by itself: `tick` lets time pass, `deliver` lets messages arrive and disks finish.
A test may hold a disk (`stall`), cut links, and let a member crash (what its disk had stays).

Decides: how effects are carried out, as driver/kernel.py does. Must not know: what is right.
Read next: the tests beside it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Protocol, TypeVar

from msgspec.structs import replace

from replog_node.model.configuration import Configuration, Member, Target
from replog_node.model.controls import ConfigurationChanged, LogCreated
from replog_node.model.entries import Entry, Framer, Payload, Tail
from replog_node.model.positions import (
    ORIGIN,
    ClusterId,
    Lineage,
    MemberId,
    Offset,
    Position,
    Term,
)
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.core import Core
from replog_node.raft.effects import (
    Accepted,
    Commit,
    Effect,
    FetchSnapshot,
    InstallSnapshot,
    Persist,
    ReadEntries,
    Rejected,
    Send,
)
from replog_node.raft.events import (
    DiskState,
    EntriesRead,
    Event,
    HardState,
    LogBounds,
    PeerUp,
    Persisted,
    Proposed,
    ReadRequested,
    Received,
    SnapshotFetched,
    SnapshotKept,
    Started,
    TargetRequested,
    Tick,
    TransferRequested,
)
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendReply,
    CoreMessage,
    Envelope,
    HeartbeatReply,
    Incarnation,
    Message,
    VoteReply,
)

LIMITS = CoreLimits(tick_ms=100, heartbeat_ticks=1, election_ticks=10, resend_ticks=5)
SEED = Tail(ORIGIN, b"\0" * 16, 0)
START_MS = 1_000_000


def framer(payload: Payload, term: Term, tail: Tail, append_time_ms: int) -> Entry:
    """Entries whose frame is their text: what the core needs, and nothing of real frames."""
    base = Offset(tail.position.offset + 1)
    text = f"{term} {base} {append_time_ms} {payload}".encode()
    chain = blake2b(tail.chain + text, digest_size=16).digest()
    changed = [c.configuration for c in payload.controls if isinstance(c, ConfigurationChanged)]
    return Entry(
        base=base, last=Offset(base + payload.count - 1), term=term,
        append_time_ms=append_time_ms, chain=chain, frame=text,
        configuration=changed[-1] if changed else None,
    )  # fmt: skip


def ids(names: str) -> tuple[MemberId, ...]:
    """`abc` -> three member ids."""
    return tuple(MemberId(name) for name in names)


def members(names: str) -> tuple[Member, ...]:
    """Members of these names."""
    return tuple(Member(name, f"{name}:1") for name in ids(names))


def data(records: int = 1, size: int = 1) -> Payload:
    """Client data."""
    return Payload(batches=(b"x" * size,), records=records)


def target(names: str, operation: str, planned_from: int, *, epoch: int = 1, by: str = "op"
           ) -> Target:  # fmt: skip
    """A target, as the operator `by` asks for it."""
    return Target(members(names), operation, epoch, by, planned_from)


def founding(voters: str, *, learners: str = "", framer: Framer = framer) -> Entry:
    """The first entry of a cluster's log, offsets 0..1, of term 1."""
    configuration = Configuration(members(voters), learners=members(learners))
    created = LogCreated(ClusterId("c"), Lineage(1, "l"))
    change = ConfigurationChanged("found", "found", configuration)
    return framer(Payload((created, change)), Term(1), SEED, 0)


def snapshot_at(
    position: Position, configuration: Configuration, offset: int = 1, chain: bytes = b"\0" * 16
) -> SnapshotMeta:
    """A snapshot's header; offset: of the configuration."""
    return SnapshotMeta(
        position=position, chain=chain, log_time_ms=0, log_start=Offset(position.offset + 1),
        configuration=configuration, configuration_offset=Offset(offset),
        cluster_id=ClusterId("c"), lineage=Lineage(1, "l"), feature_level=1, size_bytes=100,
        digest=f"{position}".encode(),
    )  # fmt: skip


class Watcher(Protocol):
    """Somebody who sees everything (tests/support/figure_3.py)."""

    def before(self, node: "Node", event: Event) -> None:
        """A member is about to be told something."""

    def after(self, node: "Node", effects: list[Effect]) -> None:
        """It answered; nothing of that is carried out yet."""

    def posted(self, envelope: Envelope) -> None:
        """A message leaves a member, whether it arrives or not."""


class Disk:
    """What a member can't forget, and the writes that are under way.

    begins: the position behind which the entries lie. base: its snapshot. state: how it is.
    """

    def __init__(self, entries: Iterable[Entry] = (), term: int = 1) -> None:
        self.entries = list(entries)
        self.hard = HardState(Term(term), None)
        self.queue: deque[Persist | InstallSnapshot] = deque()
        self.stalled = False
        self.begins = ORIGIN
        self.base: SnapshotMeta | None = None
        self.state = DiskState(1000, low=False, full=False)

    def finish_one(self) -> int:
        """Carry out the oldest write; its ticket."""
        persist = self.queue.popleft()
        if isinstance(persist, InstallSnapshot):
            self.entries, self.base = [], persist.snapshot
            self.begins = persist.snapshot.position
            return persist.ticket
        if persist.hard_state is not None:
            self.hard = persist.hard_state
        self.entries = _written(self.entries, persist, self.begins)
        return persist.ticket

    def bounds(self) -> LogBounds:
        """What recovery would find."""
        starts: dict[Term, Offset] = {}
        for entry in self.entries:
            starts.setdefault(entry.term, entry.base)
        configurations = tuple((e.last, e.configuration) for e in self.entries if e.configuration)
        base = self.base
        tail = SEED if base is None else base.tail
        if self.entries:
            last = self.entries[-1]
            tail = Tail(last.position, last.chain, last.append_time_ms)
        return LogBounds(
            tail, tuple(starts.items()), configurations, start=self.begins, base=base,
            committed=ORIGIN if base is None else base.position,
            first_hole=self.state.first_hole, unproven=self.state.unproven,
            lacking=self.state.lacking,
        )  # fmt: skip

    def keep(self, position: int, start: int) -> SnapshotMeta:
        """Build a snapshot at the entry that ends at `position`, let go of all to `start`."""
        (end,) = [entry for entry in self.entries if entry.last == position]
        known = [(e.last, e.configuration) for e in self.entries if e.configuration]
        if self.base is not None:
            known.insert(0, (self.base.configuration_offset, self.base.configuration))
        offset, configuration = [item for item in known if item[0] <= position][-1]
        self.base = snapshot_at(end.position, configuration, offset, end.chain)
        gone = [entry for entry in self.entries if entry.last <= start]
        self.begins = gone[-1].position if gone else self.begins
        self.entries = self.entries[len(gone) :]
        return self.base


def _written(entries: list[Entry], persist: Persist, begins: Position) -> list[Entry]:
    """A log after a write."""
    end = persist.truncate_to
    kept = [entry for entry in entries if end is None or entry.last <= end.offset]
    for entry in persist.entries:
        tail = kept[-1].last if kept else begins.offset
        assert entry.base == tail + 1, f"a write at {entry.base}, the log ends at {tail}"
        kept.append(entry)
    return kept


class Node:
    """A core with its disk.

    effects: everything it said since `forget`. entries: its log behind `begins`, of which the disk
    may have less. wanted: the snapshot that it fetches.
    """

    def __init__(self, cluster: "Cluster", member: MemberId, disk: Disk) -> None:
        self.cluster = cluster
        self.member = member
        self.disk = disk
        self.life = 0
        self.clock_ms = START_MS
        self.effects: list[Effect] = []
        self.held: list[Send] = []
        self.ticket = 0
        self.entries: list[Entry] = []
        self.begins = ORIGIN
        self.wanted: FetchSnapshot | None = None
        self.start()

    def start(self) -> None:
        """A new process over what the disk holds."""
        self.life += 1
        self.disk.queue.clear()
        self.held.clear()
        self.ticket = 0
        self.effects.clear()
        self.entries, self.begins = list(self.disk.entries), self.disk.begins
        self.wanted = None
        self.incarnation = Incarnation(self.life, 7)
        started = Started(self.member, self.incarnation, self.disk.hard, self.disk.bounds())
        self.core = Core(started, self.cluster.framer, self.cluster.limits)

    def step(self, event: Event) -> list[Effect]:
        """Step the core and carry out what it asks for."""
        watcher = self.cluster.watcher
        if watcher is not None:
            watcher.before(self, event)
        effects = self.core.step(event)
        if watcher is not None:
            watcher.after(self, effects)
        self.effects += effects
        self.cluster.trace += [(self.member, effect) for effect in effects]
        for effect in effects:
            self._carry_out(effect)
        return effects

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Persist():
                self.disk.queue.append(effect)
                self.entries = _written(self.entries, effect, self.begins)
            case InstallSnapshot(snapshot=snapshot):
                self.disk.queue.append(effect)
                self.entries, self.begins = [], snapshot.position
            case FetchSnapshot():
                self.wanted = effect
            case Send():
                if effect.after_ticket > self.ticket:
                    self.held.append(effect)
                else:
                    self.cluster.post(self, effect)
            case Commit(position=position):
                self.cluster.committed(self, position)
            case ReadEntries():
                self.cluster.reads.append((self, effect))
            case _:
                pass

    def persist_one(self) -> None:
        """The disk finishes its oldest write."""
        self.ticket = self.disk.finish_one()
        held, self.held = self.held, []
        for send in held:
            self._carry_out(send)
        self.step(Persisted(self.ticket))

    def fetched(self) -> list[Effect]:
        """The snapshot that it wants is here."""
        wanted, self.wanted = self.wanted, None
        assert wanted is not None
        return self.step(SnapshotFetched(wanted.snapshot))

    def keep(self, position: int, start: int | None = None) -> SnapshotMeta:
        """A snapshot at `position`; the log begins behind `start`, else behind the snapshot."""
        base = self.disk.keep(position, position if start is None else start)
        self.begins = self.disk.begins
        self.entries = [entry for entry in self.entries if entry.base > self.begins.offset]
        self.step(SnapshotKept(base, self.begins))
        return base

    def disk_is(
        self, *, low: bool = False, full: bool = False, hole: int | None = None,
        lacking: bool = False,
    ) -> list[Effect]:  # fmt: skip
        """The disk changes."""
        first = None if hole is None else Offset(hole)
        unproven = self.disk.state.unproven
        self.disk.state = DiskState(1000, low, full, first, unproven, lacking)
        return self.step(self.disk.state)

    def tick(self) -> None:
        """A tick, and as much wall-clock time."""
        self.clock_ms += self.cluster.limits.tick_ms
        self.step(Tick(self.clock_ms))

    def forget(self) -> None:
        """Begin to collect effects anew."""
        self.effects.clear()

    def said(self, kind: type) -> list[Effect]:
        """The effects of one kind."""
        return [effect for effect in self.effects if isinstance(effect, kind)]

    # What tests ask for.

    def hear(
        self,
        sender: str,
        message: CoreMessage,
        *,
        run: int = 9,
        answering: Incarnation | None = None,
    ) -> list[Effect]:
        """A message of somebody's run arrives; replies answer this run unless told otherwise."""
        to = self.incarnation if answering is None else answering
        envelope = Envelope(MemberId(sender), self.member, Incarnation(run, 7), to, message)
        return self.step(Received(envelope, self.clock_ms))

    def propose(self, payload: Payload | None = None) -> Accepted | Rejected:
        """Append data."""
        event = Proposed(data() if payload is None else payload, self.clock_ms)
        return _verdict(self.step(event))

    def aim(self, wanted: Target) -> Accepted | Rejected:
        """Set a target."""
        return _verdict(self.step(TargetRequested(wanted, self.clock_ms)))

    def transfer(self, to: str | None = None) -> list[Effect]:
        """Hand leadership over."""
        return self.step(TransferRequested(None if to is None else MemberId(to)))

    def read(self, context: int) -> list[Effect]:
        """Ask for a linearizable read."""
        return self.step(ReadRequested(context))

    def log(self) -> list[tuple[int, int]]:
        """(term, last offset) of every entry on disk."""
        return [(entry.term, entry.last) for entry in self.disk.entries]


def _verdict(effects: list[Effect]) -> Accepted | Rejected:
    found = [effect for effect in effects if isinstance(effect, Accepted | Rejected)]
    assert len(found) == 1, f"one verdict was due: {effects}"
    return found[0]


class Cluster:
    """Members by name. Lost: links that swallow everything; dead members get nothing.

    fetching: whether snapshots that are wanted arrive.
    """

    def __init__(
        self, voters: str, *, learners: str = "", others: str = "", limits: CoreLimits = LIMITS,
        framer: Framer = framer, watcher: Watcher | None = None,
    ) -> None:  # fmt: skip
        self.limits = limits
        self.framer = framer
        self.watcher = watcher
        self.trace: list[tuple[MemberId, Effect]] = []
        self.flying: deque[Envelope] = deque()
        self.reads: list[tuple[Node, ReadEntries]] = []
        self.cut: set[tuple[str, str]] = set()
        self.dead: set[str] = set()
        self.log: dict[int, Entry] = {}
        self.doubtful: Callable[[Envelope], bool] = lambda _: False
        self.fetching = True
        first = founding(voters, learners=learners, framer=framer)
        self.nodes = {
            name: Node(self, name, Disk([first])) for name in ids(voters + learners)
        }  # fmt: skip
        self.nodes |= {name: Node(self, name, Disk(term=0)) for name in ids(others)}

    def __getitem__(self, name: str) -> Node:
        return self.nodes[MemberId(name)]

    # The network.

    def post(self, sender: Node, send: Send) -> None:
        """A message is on its way."""
        envelope = Envelope(
            sender.member, send.to, sender.incarnation, send.to_incarnation, send.message
        )
        if self.watcher is not None:
            self.watcher.posted(envelope)
        if self._passes(envelope) and not self.doubtful(envelope):
            self.flying.append(envelope)

    def _passes(self, envelope: Envelope) -> bool:
        ends = (envelope.sender, envelope.to)
        return ends not in self.cut and not self.dead & set(ends) and envelope.to in self.nodes

    def receive(self, envelope: Envelope) -> None:
        """A message arrives."""
        node = self.nodes[envelope.to]
        if self._passes(envelope):
            node.step(Received(envelope, node.clock_ms))

    def isolate(self, name: str) -> None:
        """Cut a member off, both ways."""
        for other in self.nodes:
            self.cut |= {(name, other), (other, name)}

    def heal(self) -> None:
        """Mend every link; who was cut off is connected anew."""
        mended, self.cut = sorted(self.cut), set()
        for one, other in mended:
            if one not in self.dead and other not in self.dead:
                self[one].step(PeerUp(MemberId(other)))

    # Time.

    def deliver(self) -> None:
        """Until nothing is under way; stalled disks don't move."""
        for _ in range(100_000):
            if not self.move():
                return
        raise AssertionError("the cluster doesn't come to rest")

    def move(self) -> bool:
        """One write ends, or one message arrives; False when there is nothing."""
        for name in sorted(self.nodes):
            node = self.nodes[name]
            if node.disk.queue and not node.disk.stalled and name not in self.dead:
                node.persist_one()
                return True
        if self.reads:
            self.move_reads()
            return True
        if self.fetching and self.fetch_one():
            return True
        if self.flying:
            self.receive(self.flying.popleft())
            return True
        return False

    def fetch_one(self) -> bool:
        """A snapshot that somebody wants has arrived; False when nobody wants any."""
        wanting = [n for n in self.nodes.values() if n.wanted and n.member not in self.dead]
        if wanting:
            wanting[0].fetched()
        return bool(wanting)

    def move_reads(self) -> None:
        """The oldest read from a disk ends."""
        node, wanted = self.reads.pop(0)
        found = [e for e in node.disk.entries if e.base > wanted.after.offset][:2]
        node.step(EntriesRead(wanted.follower, wanted.after, tuple(found) or None))

    def run(self, ticks: int = 1, *, still: str = "") -> None:
        """Let ticks pass for everybody that lives, and everything arrive in between."""
        for _ in range(ticks):
            self.tick(still=still)
            self.deliver()

    def tick(self, *, still: str = "") -> None:
        """A tick for everybody that lives; nothing arrives."""
        for name in sorted(self.nodes):
            if name not in self.dead and name not in still:
                self.nodes[name].tick()

    def run_until(self, what: Callable[[], bool], ticks: int = 300) -> None:
        """Let time pass until something is true."""
        for _ in range(ticks):
            if what():
                return
            self.run()
        raise AssertionError(f"not in {ticks} ticks: {self.picture()}")

    # Roles.

    def elect(self, name: str, *, still: str = "") -> Node:
        """Let a member become leader: for a while only it is heard. still: whose time stands."""
        node, before = self[name], self.doubtful

        def silenced(envelope: Envelope) -> bool:
            answer = isinstance(envelope.message, VoteReply | AppendReply | HeartbeatReply)
            unheard = envelope.sender != name and not (answer and envelope.to == name)
            return unheard or before(envelope)

        self.doubtful = silenced
        self.flying.clear()
        for _ in range(8 * self.limits.election_ticks):
            if node.core.role == "leader" and node.core.admitting is None:
                break
            self.run(still=still)
        self.doubtful = before
        assert node.core.role == "leader", f"{name} isn't elected: {self.picture()}"
        return node

    @property
    def leader(self) -> Node:
        """The only leader among the living, of the highest term."""
        found = [n for n in self.nodes.values() if n.core.role == "leader"]
        living = [n for n in found if n.member not in self.dead]
        assert living, f"nobody leads: {self.picture()}"
        return max(living, key=lambda node: node.core.term)

    def crash(self, name: str) -> None:
        """A process ends."""
        self.dead.add(name)
        self.flying = deque(e for e in self.flying if e.sender != name and e.to != name)

    def restart(self, name: str) -> Node:
        """It comes back with what its disk had; everybody connects anew."""
        self.dead.discard(name)
        node = self[name]
        node.start()
        for other in self.nodes.values():
            if other is not node and other.member not in self.dead:
                other.step(PeerUp(node.member))
        return node

    def tear(self, name: str, last: int) -> Node:
        """It dies, its disk loses all behind `last`, and it knows how far it was sure once."""
        self.crash(name)
        disk = self[name].disk
        disk.state = replace(disk.state, unproven=disk.entries[-1].position)
        disk.entries = [entry for entry in disk.entries if entry.last <= last]
        return self.restart(name)

    # What is committed.

    def committed(self, node: Node, position: Position) -> None:
        """State machine safety: what one has committed, all others have or will."""
        for entry in node.entries:
            if entry.last <= position.offset:
                known = self.log.setdefault(entry.base, entry)
                assert known.frame == entry.frame, f"two entries committed at {entry.base}"

    def changes(self) -> list[str]:
        """The committed configurations' kinds, in order: found, target, learners, …"""
        found = []
        for base in sorted(self.log):
            text = self.log[base].frame.decode()
            for kind in ("'target'", "'learners'", "'enter-joint'", "'leave-joint'"):
                if f"change={kind}" in text:
                    found.append(kind.strip("'"))
        return found

    def picture(self) -> str:
        """For failures."""
        return "\n".join(str(node.core.status()) for node in self.nodes.values())


def sends(effects: Iterable[Effect], kind: type[Message]) -> list[Send]:
    """The messages of a kind among effects."""
    return [e for e in effects if isinstance(e, Send) and isinstance(e.message, kind)]


M = TypeVar("M", bound=Message)


def messages(effects: Iterable[Effect], kind: type[M]) -> list[M]:
    """As sends, but what was sent."""
    found = [effect.message for effect in effects if isinstance(effect, Send)]
    return [message for message in found if isinstance(message, kind)]
