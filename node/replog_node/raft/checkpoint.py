"""All that a core knows between two steps, as one value, and a core that goes on from it.

The flight recorder begins with it: the events after a checkpoint, given to the restored core, make
the very effects that they made (driver/flight.py). A member's own start needs nothing of it: that
stands upon what is durable.

Decides: which attributes are the core's memory (tests/unit/raft/test_checkpoint.py counts them, so
that a new one isn't forgotten). Of cached entries only place and size are kept: the core looks at
nothing else of them.
A field that is added gets a default, so that recordings of older builds can still be read.
Must not know: files, why somebody looks.
Read next: core.py, ../driver/replay.py.
"""

from collections import deque
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Framer, Tail
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.core import Core
from replog_node.raft.events import DiskState, HardState, LogBounds, Started
from replog_node.raft.invariants import Watch
from replog_node.raft.leader import Leader
from replog_node.raft.limits import CoreLimits
from replog_node.raft.log import Log
from replog_node.raft.messages import Envelope, HeartbeatReply, Incarnation, SnapshotOffer
from replog_node.raft.progress import Progress
from replog_node.raft.quorum import Electorate
from replog_node.raft.reads import Asker
from replog_node.raft.violation import InvariantViolation

Part = TypeVar("Part", bound=msgspec.Struct)


class CoreMemory(msgspec.Struct, frozen=True):
    """Of core.Core."""

    incarnations: dict[MemberId, int]
    handed: tuple[MemberId, int] | None


class StateMemory(msgspec.Struct, frozen=True):
    """Of state.CoreState."""

    hard: HardState
    commit: Position
    base: SnapshotMeta | None
    disk: DiskState
    torn: bool
    role: str
    leader: MemberId | None
    ready_at: Offset
    tick: int
    now_ms: int
    heard_tick: int
    ticket: int
    persisted_ticket: int
    hard_ticket: int
    removed: bool
    handed_over_tick: int | None
    spoken: dict[MemberId, int]


class LogMemory(msgspec.Struct, frozen=True):
    """Of log.Log, but for the cached entries."""

    tail: Tail
    durable: Position
    start: Position
    terms: list[Term]
    starts: list[Offset]
    configurations: list[tuple[Offset, Configuration]]
    writing: list[tuple[int, Position]]
    cached_bytes: int


class Cached(msgspec.Struct, frozen=True):
    """The cached entries, which follow each other up to the tail: first offsets, frame bytes."""

    bases: list[Offset]
    sizes: list[int]


class ElectionsMemory(msgspec.Struct, frozen=True):
    """Of elections.Elections."""

    attempt: int
    votes: dict[MemberId, bool]
    own_vote_ticket: int
    transfer: bool
    timer_from: int
    timeout: int
    lost: bool


class SnapshotsMemory(msgspec.Struct, frozen=True):
    """Of snapshots.Snapshots."""

    asked: tuple[Envelope, SnapshotOffer] | None


class AskedMemory(msgspec.Struct, frozen=True):
    """Of reads.FollowerReads."""

    asked: dict[int, int]


class LeaderMemory(msgspec.Struct, frozen=True):
    """Of leader.Leader, but for its parts."""

    since_tick: int
    ready_tick: int | None
    departing: dict[MemberId, tuple[Offset, int]]
    commits: list[tuple[int, Offset]]
    uncommitted: list[tuple[Offset, int]]
    uncommitted_bytes: int
    handing_over: bool


class ReplicationMemory(msgspec.Struct, frozen=True):
    """Of replication.Replication, but for its members."""

    session: int
    round: int


class ProgressMemory(msgspec.Struct, frozen=True):
    """Of progress.Progress."""

    state: str
    match: Position
    sent: Position
    start: Position
    session: int
    asking: bool
    reading: bool
    heard_tick: int
    acked_tick: int
    round: int
    told: int
    knows: int
    telling: tuple[int, int] | None
    inflight: list[tuple[int, int]]
    inflight_bytes: int
    disk: HeartbeatReply | None
    full: bool


class ReadsMemory(msgspec.Struct, frozen=True):
    """Of reads.LeaderReads."""

    early: list[Asker]
    rounds: list[tuple[int, Offset, list[Asker]]]


class TransferMemory(msgspec.Struct, frozen=True):
    """Of transfer.Transfer."""

    to: MemberId | None
    since_tick: int


class HandoverMemory(msgspec.Struct, frozen=True):
    """Of handover.Handover."""

    behind: tuple[int, int] | None
    others: int
    others_tick: int


class TimeMemory(msgspec.Struct, frozen=True):
    """Of logtime.LogTime."""

    clocks: dict[MemberId, tuple[int, int]]
    appended_tick: int
    believed: tuple[int, int]
    jumped: bool


class Leading(msgspec.Struct, frozen=True):
    """A term of office: the leader and its parts. members: whom it replicates to, in its order."""

    leader: LeaderMemory
    replication: ReplicationMemory
    members: dict[MemberId, ProgressMemory]
    reads: ReadsMemory
    transfer: TransferMemory
    handover: HandoverMemory
    time: TimeMemory


class Checkpoint(msgspec.Struct, frozen=True):
    """One core between two steps. leading: None unless it leads."""

    member: MemberId
    incarnation: Incarnation
    limits: CoreLimits
    core: CoreMemory
    state: StateMemory
    log: LogMemory
    cached: Cached
    elections: ElectionsMemory
    snapshots: SnapshotsMemory
    asked: AskedMemory
    leading: Leading | None


def take(core: Core) -> Checkpoint:
    """A picture of the core; to be encoded at once, for it shares what the core changes.

    Costs a few microseconds, and some 50 nanoseconds for each cached entry.
    """
    state = core._s
    log = state.log
    entries = log._entries[log._head :]
    return Checkpoint(
        state.member,
        state.incarnation,
        state.limits,
        _taken(CoreMemory, core),
        _taken(StateMemory, state),
        _taken(LogMemory, log),
        Cached(log._bases[log._head :], [len(entry.frame) for entry in entries]),
        _taken(ElectionsMemory, core._elections),
        _taken(SnapshotsMemory, core._snapshots),
        _taken(AskedMemory, core._asked),
        None if core._leader is None else _leading(core._leader),
    )


def _leading(leader: Leader) -> Leading:
    members = leader.replication._members
    return Leading(
        _taken(LeaderMemory, leader),
        _taken(ReplicationMemory, leader.replication),
        {member: _taken(ProgressMemory, progress) for member, progress in members.items()},
        _taken(ReadsMemory, leader.reads),
        _taken(TransferMemory, leader.transfer),
        _taken(HandoverMemory, leader.handover),
        _taken(TimeMemory, leader.time),
    )


def restore(checkpoint: Checkpoint, framer: Framer, cached: Sequence[Entry]) -> Core:
    """A core that goes on from there.

    cached: the entries that checkpoint.cached tells of; their frames are measured, never read.
    Raises InvariantViolation if they aren't those.
    """
    bounds = LogBounds(checkpoint.log.tail)
    started = Started(checkpoint.member, checkpoint.incarnation, checkpoint.state.hard, bounds)
    core = Core(started, framer, checkpoint.limits)
    state = core._s
    _put(state, checkpoint.state)
    _put(state.log, checkpoint.log)
    _fill(state.log, checkpoint.cached, cached)
    state.electorate = Electorate.of(state.log.configuration)
    _put(core, checkpoint.core)
    _put(core._elections, checkpoint.elections)
    _put(core._snapshots, checkpoint.snapshots)
    _put(core._asked, checkpoint.asked)
    if checkpoint.leading is not None:
        core._leader = Leader(state)
        _put_leading(core._leader, checkpoint.leading)
    core._watch = Watch(state)
    return core


def _fill(log: Log, told: Cached, cached: Sequence[Entry]) -> None:
    bases = [entry.base for entry in cached]
    if (bases, [entry.size_bytes for entry in cached]) != (told.bases, told.sizes):
        raise InvariantViolation("these entries aren't those that the checkpoint tells of")
    log._entries, log._bases = list(cached), bases


def _put_leading(leader: Leader, leading: Leading) -> None:
    replication = leader.replication
    _put(leader, leading.leader)
    _put(replication, leading.replication)
    for member, memory in leading.members.items():
        progress = Progress(memory.start, memory.session, memory.heard_tick)
        _put(progress, memory)
        replication._members[member] = progress
    _put(leader.reads, leading.reads)
    _put(leader.transfer, leading.transfer)
    _put(leader.handover, leading.handover)
    _put(leader.time, leading.time)


def _attribute(part: object, name: str) -> str:
    """How a part calls what the struct calls `name`."""
    return name if name in vars(part) else f"_{name}"


def _taken(kind: type[Part], part: object) -> Part:
    """The struct of a part's attributes."""
    found = vars(part)
    values = (found[n] if n in found else found[f"_{n}"] for n in kind.__struct_fields__)
    return kind(*(list(v) if isinstance(v, deque) else v for v in values))


def _put(part: object, memory: msgspec.Struct) -> None:
    """Set a part's attributes to what the struct says."""
    for name in memory.__struct_fields__:
        attribute, value = _attribute(part, name), getattr(memory, name)
        queued = isinstance(getattr(part, attribute), deque)
        setattr(part, attribute, deque(value) if queued else value)
