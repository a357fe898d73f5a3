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
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Persist
from replog_node.raft.events import HardState
from replog_node.storage.disk import Disk
from replog_node.storage.limits import StoreLimits
from replog_node.storage.snapshots import Incoming, described, encode_header, write_snapshot
from replog_node.storage.store import Store, open_store
from tests.support.simdisk import SimDisk

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


def _after(store: Store, found: Sequence[Entry]) -> Offset:
    return Offset((found[-1].last if found else store.start.position.offset) + 1)


def snapshot_at(
    tail: Tail, state: bytes, *, log_start: int = 0, configuration_offset: int = 1
) -> SnapshotMeta:
    """Return what describes a snapshot with this state after this tail."""
    plain = SnapshotMeta(
        position=tail.position,
        chain=tail.chain,
        log_time_ms=tail.append_time_ms,
        log_start=Offset(log_start),
        configuration=Configuration((Member(MEMBER, "here:7411"),)),
        configuration_offset=Offset(configuration_offset),
        cluster_id=CLUSTER,
        lineage=LINEAGE,
        feature_level=1,
        size_bytes=0,
        digest=b"",
    )
    return described(plain, state)


def built(store: Store, disk: Disk, state: bytes, after: Entry | None = None) -> SnapshotMeta:
    """Write a snapshot after this entry, or the last one, and let the store adopt it."""
    meta = snapshot_at(store.tail if after is None else tail_of(after), state)
    return store.adopt_snapshot(write_snapshot(disk, meta, state))


def bytes_of(meta: SnapshotMeta, state: bytes) -> bytes:
    """Return the bytes of the file that another member would give."""
    return encode_header(meta) + state


def fetched(store: Store, meta: SnapshotMeta, content: bytes, pieces: int = 3) -> Incoming:
    """Write all bytes of a snapshot into its part file, from where that ends."""
    incoming = store.incoming(meta)
    size = -(-len(content) // pieces)
    while incoming.size < len(content):
        at = incoming.size
        incoming.write(at, content[at : at + size])
    return incoming


def whole_log(store: Store, max_bytes: int = 1 << 30) -> tuple[Entry, ...]:
    """Return all entries, read in as many calls as it takes."""
    found: list[Entry] = []
    while more := store.read(_after(store, found), max_bytes):
        found += more
    return tuple(found)


def store_with(count: int, disk: SimDisk | None = None) -> tuple[Store, SimDisk, tuple[Entry, ...]]:
    """Return a store with so many entries, of which a segment holds about two."""
    disk = disk or SimDisk()
    store = opened(disk)
    store.assign(CLUSTER, LINEAGE)
    entries = chained([CLOCK, configured("m1"), *[data(1200)] * (count - 2)])
    for entry in entries:
        store.write([appending(entry)])
    return store, disk, entries


def reopened(store: Store, disk: SimDisk) -> Store:
    store.close()
    return opened(disk)


def segments(disk: SimDisk) -> list[str]:
    return [name for name in disk.names() if name.endswith(".seg")]


STATE = b"what all entries so far have left behind " * 30
AHEAD = snapshot_at(Tail(Position(Term(7), Offset(500)), bytes(range(16)), 900), STATE)
"""A snapshot that is further than any log of these tests."""
