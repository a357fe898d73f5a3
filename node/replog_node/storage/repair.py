"""A damaged segment written anew: its sound entries, and in a hole those that another member has.

Before anything is written, the entries are checked on both sides: each follows the one before it,
the first the proven tail before the hole, and the last has the chain upon which the entry behind
the hole builds. The new file is written under a temporary name, read back and proven, synced,
and renamed; until then nothing has changed, and readers that hold the old file go on reading it.

Decides: whether entries fill a hole, and the bytes of the new file.
Must not know: where the entries come from, who reads.
Read next: log.py (repair), scan.py.
"""

from collections.abc import Iterator, Sequence

import msgspec

from replog_node.frames.decode import succeeds, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Position
from replog_node.storage.blocks import BLOCK_HEADER_BYTES, encode_block, split
from replog_node.storage.checked import TEMPORARY
from replog_node.storage.disk import Disk, File, Sync
from replog_node.storage.errors import ChainBroken
from replog_node.storage.limits import StoreLimits
from replog_node.storage.scan import scan_sealed
from replog_node.storage.segment import SEGMENT_HEADER_BYTES, SegmentHeader, packed_header
from replog_node.storage.summary import Hole, Place, Placed, Segment
from replog_node.storage.walk import Walk, Window


def encode_entries(
    entries: Sequence[Entry], *, nonce: int, tail: Tail, mark: Position, at: int, block_bytes: int
) -> tuple[bytes, list[Placed]]:
    """Return the blocks with these entries, which follow `tail`, for byte `at`, and the places."""
    blocks: list[bytes] = []
    placed: list[Placed] = []
    for run in split(entries, block_bytes):
        frames = [entry.frame for entry in run]
        base = tail.position.offset + 1
        block = encode_block(nonce=nonce, base=base, chain=tail.chain, mark=mark, frames=frames)
        start = at + BLOCK_HEADER_BYTES
        block_end = start + sum(map(len, frames))
        for entry in run:
            placed.append(Placed(entry, start, block_end))
            start += entry.size_bytes
        blocks.append(block)
        at += len(block)
        tail = tail_of(run[-1])
    return b"".join(blocks), placed


def check_fill(hole: Hole, entries: Sequence[Entry]) -> None:
    """Raise ChainBroken unless these entries are the front of the hole, or all of it."""
    if not entries:
        raise ChainBroken("nothing can't fill a hole")
    tail = hole.before
    for entry in entries:
        if not succeeds(tail, entry):
            raise ChainBroken(f"the entry at offset {entry.base} doesn't follow {tail.position}")
        tail = tail_of(entry)
    if tail.position.offset > hole.end or (
        tail.position.offset == hole.end and tail.chain != hole.after
    ):
        raise ChainBroken(f"what lies behind offset {hole.end} doesn't follow {tail.position}")


def write_repaired(
    disk: Disk,
    limits: StoreLimits,
    held: Segment,
    hole: Hole,
    entries: Sequence[Entry],
    *,
    nonce: int,
) -> Segment:
    """Write the segment anew under its temporary name, synced, and return it as proven there.

    Raises LogDamaged if that isn't what was written, DiskError.
    """
    header = msgspec.structs.replace(held.header, nonce=nonce, size=0)
    old = disk.open(held.header.name)
    try:
        size = old.size() + sum(entry.size_bytes for entry in entries)
        new = disk.create(header.name + TEMPORARY, size)
        try:
            end = _Writer(new, header, limits).write(_runs(old, held, hole, entries, limits))
            new.truncate(end)
            new.sync(Sync.REPAIR)
        finally:
            new.close()
    finally:
        old.close()
    return scan_sealed(disk, limits, header, held.summary.tail, name=header.name + TEMPORARY)


def _runs(
    old: File, held: Segment, hole: Hole, filling: Sequence[Entry], limits: StoreLimits
) -> Iterator[tuple[Tail, Iterator[Entry]]]:
    """Yield the tail before, and the entries of, each run without a hole."""
    window = Window(old, limits.read_bytes)
    before, place = held.header.predecessor, held.start
    for each in held.holes:
        yield before, _sound(window, held, place, each.start)
        if each == hole:
            yield hole.before, iter(filling)
        if each.resume is None:
            return
        before, place = each.tail, each.resume
    yield before, _sound(window, held, place, held.last + 1)


def _sound(window: Window, held: Segment, place: Place, until: int) -> Iterator[Entry]:
    """Yield the entries from a place on that lie before an offset."""
    walk = Walk(window, held.header.nonce, place)
    while walk.place.base < until:
        yield walk.next().entry


class _Writer:
    """Writes runs of entries as blocks, one after the other."""

    def __init__(self, file: File, header: SegmentHeader, limits: StoreLimits) -> None:
        """Begin with the header."""
        self._file = file
        self._header = header
        self._limits = limits
        self._at = SEGMENT_HEADER_BYTES
        file.write(0, packed_header(header))

    def write(self, runs: Iterator[tuple[Tail, Iterator[Entry]]]) -> int:
        """Write everything; return the byte behind it."""
        for tail, entries in runs:
            waiting: list[Entry] = []
            waiting_bytes = 0
            for entry in entries:
                waiting.append(entry)
                waiting_bytes += entry.size_bytes
                if waiting_bytes >= self._limits.block_bytes:
                    tail = self._write(tail, waiting)
                    waiting, waiting_bytes = [], 0
            self._write(tail, waiting)
        return self._at

    def _write(self, tail: Tail, entries: Sequence[Entry]) -> Tail:
        if not entries:
            return tail
        blocks, _ = encode_entries(
            entries,
            nonce=self._header.nonce,
            tail=tail,
            mark=self._header.predecessor.position,
            at=self._at,
            block_bytes=self._limits.block_bytes,
        )
        self._file.write(self._at, blocks)
        self._at += len(blocks)
        return tail_of(entries[-1])
