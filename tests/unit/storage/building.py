"""Entries and stores to test with."""

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from replog_node.frames.build import build_entry
from replog_node.frames.chain import empty_tail
from replog_node.frames.decode import tail_of
from replog_node.model.configuration import Configuration, Member
from replog_node.model.controls import ClockAdvanced, ConfigurationChanged
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position, Term
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.disk import Disk
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import Store, open_store

CLUSTER = ClusterId("5d1c0f5e-cluster")
MEMBER = MemberId("7e57-member")
LINEAGE = Lineage(1, "a-life")
START = empty_tail(CLUSTER)
SMALL = StoreLimits(segment_bytes=4096, block_bytes=1500, index_rows=4, read_bytes=700)
"""Bounds so small that a few entries fill blocks, index rows and segments."""

CLOCK = Payload(controls=(ClockAdvanced(),))


def opened(
    disk: Disk,
    limits: StoreLimits = SMALL,
    random64: Callable[[], int] | None = None,
    member: MemberId = MEMBER,
) -> Store:
    """Return the store of this disk."""
    return open_store(
        disk,
        limits,
        new_member_id=lambda: member,
        random64=random64 or partial(Random(7).getrandbits, 64),
    )


def data(size: int, *, fill: str = "a", records: int = 1) -> Payload:
    """Return a payload of one batch of records, about `size` bytes together."""
    return holding(*[fill.encode() * max(1, size // records)] * records)


def holding(*values: bytes) -> Payload:
    """Return a payload of one batch of records with these values."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1 << 30,
    )
    for delta, value in enumerate(values):
        builder.append(delta, 1, None, value, [])
    return Payload(batches=(bytes(builder.build()),), records=len(values))


def configured(*names: str) -> Payload:
    """Return a configuration of these voters."""
    voters = tuple(Member(MemberId(name), f"{name}:7411") for name in names)
    changed = ConfigurationChanged("target", "op", Configuration(voters))
    return Payload(controls=(changed,))


def chained(
    payloads: Sequence[Payload], after: Tail = START, *, term: int = 1, time_ms: int = 1
) -> tuple[Entry, ...]:
    """Return entries with these payloads, one after the other."""
    entries: list[Entry] = []
    for payload in payloads:
        time_ms = max(time_ms, after.append_time_ms)
        entries.append(build_entry(payload, Term(term), after, time_ms))
        after = tail_of(entries[-1])
    return tuple(entries)


def appending(*entries: Entry) -> Persist:
    """Return what asks for these entries to be durable."""
    return Persist(1, None, None, entries)


def cutting(to: Position, *entries: Entry) -> Persist:
    """Return what asks for the log to be cut after `to`, and then extended."""
    return Persist(1, None, to, entries)


def voting(term: int, vote: str | None = None) -> Persist:
    """Return what asks for this term and vote to be durable."""
    voted_for = None if vote is None else MemberId(vote)
    return Persist(1, HardState(Term(term), voted_for), None, ())


def whole_log(store: Store, max_bytes: int = 1 << 30) -> tuple[Entry, ...]:
    """Return all entries, read in as many calls as it takes."""
    found: list[Entry] = []
    while more := store.read(Offset(found[-1].last + 1 if found else 0), max_bytes):
        found += more
    return tuple(found)
