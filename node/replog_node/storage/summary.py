"""What is in a segment, known without reading it: its end, terms, configurations, sparse index.

While a segment is written this grows in memory; when the segment is sealed it is written beside
it, so that start-up reads a few KiB per segment instead of all of it. It can always be rebuilt:
a summary that is torn, lost or of another segment is not used.
An index row, big-endian: 0 u64 offset · 8 u64 byte of its frame · 16 u64 byte after the frames of
its block · 24 16 bytes chain of the frame before.

Decides: the summary, and when one is believed. Must not know: how a segment is scanned.
Read next: walk.py.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

import msgspec

from replog_node.frames.decode import configurations, tail_of
from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Offset, Position, Term
from replog_node.storage import checked
from replog_node.storage.disk import Disk, DiskError
from replog_node.storage.segment import SEGMENT_HEADER_BYTES, SegmentHeader

_KIND: Final = b"RLsm"
_ROW: Final = Struct(">QQQ16s")


class Place(NamedTuple):
    """Where a walk stands: before the frame of offset `base`.

    at: the frame's byte. block_end: the byte after its block's frames (at == block_end: the next
    block holds it). chain: of the frame before.
    """

    base: int
    at: int
    block_end: int
    chain: bytes


class Hole(msgspec.Struct, frozen=True):
    """Offsets that were durable and can't be read: from `start` up to `end`, inclusive.

    segment: the file in which they belong. before: the proven tail in front of them (behind
    another hole its term and time are lower bounds). after: the chain of the last of them, upon
    which the next entry builds. resume: the place of that next entry, None if it is in no block of
    this segment.
    """

    segment: str
    start: Offset
    end: Offset
    before: Tail
    after: bytes
    resume: Place | None = None

    @property
    def tail(self) -> Tail:
        """What the entry behind it builds upon; term and time are lower bounds."""
        at = Position(self.before.position.term, self.end)
        return Tail(at, self.after, self.before.append_time_ms)


class Placed(NamedTuple):
    """An entry with its frame's byte, and the byte after the frames of its block."""

    entry: Entry
    at: int
    block_end: int


class Summary(msgspec.Struct, frozen=True):
    """What a segment holds. end: the byte after its last frame or block that counts.

    term_starts: (term, the first offset of it in this segment). configurations: by the offset of
    their record. index: rows, ascending, at least an interval of bytes apart.
    """

    nonce: int
    tail: Tail
    end: int
    term_starts: tuple[tuple[Term, Offset], ...] = ()
    configurations: tuple[tuple[Offset, Configuration], ...] = ()
    index: bytes = b""

    def grown(self, placed: Sequence[Placed], end: int, interval: int) -> "Summary":
        """Return the summary after these entries, which follow its tail."""
        if not placed:
            return msgspec.structs.replace(self, end=end)
        terms, rows = list(self.term_starts), bytearray(self.index)
        found = list(self.configurations)
        previous, indexed = self.tail, self._indexed_up_to()
        for entry, at, block_end in placed:
            if not terms or terms[-1][0] != entry.term:
                terms.append((entry.term, entry.base))
            if entry.configuration is not None:
                found += [(offset, c.configuration) for offset, c in configurations(entry)]
            if at - indexed >= interval:
                rows += _ROW.pack(entry.base, at, block_end, previous.chain)
                indexed = at
            previous = tail_of(entry)
        return Summary(self.nonce, previous, end, tuple(terms), tuple(found), bytes(rows))

    def cut(self, tail: Tail, end: int) -> "Summary":
        """Return the summary of the segment once it ends at `tail`, byte `end`."""
        last = tail.position.offset
        rows = [_ROW.unpack_from(self.index, at) for at in range(0, len(self.index), _ROW.size)]
        return Summary(
            self.nonce,
            tail,
            end,
            tuple((term, start) for term, start in self.term_starts if start <= last),
            tuple((offset, found) for offset, found in self.configurations if offset <= last),
            b"".join(_ROW.pack(*row) for row in rows if row[0] <= last),
        )

    def place_before(self, at: Offset, start: Place) -> Place:
        """Return the last indexed place at or before offset `at`, else `start`."""
        low, high = 0, len(self.index) // _ROW.size
        while low < high:
            middle = (low + high) // 2
            if _ROW.unpack_from(self.index, middle * _ROW.size)[0] <= at:
                low = middle + 1
            else:
                high = middle
        if not low:
            return start
        return Place._make(_ROW.unpack_from(self.index, (low - 1) * _ROW.size))

    @property
    def places(self) -> list[Place]:
        """The places in the index, ascending."""
        return [Place._make(row) for row in _ROW.iter_unpack(self.index)]

    def _indexed_up_to(self) -> int:
        if not self.index:
            return SEGMENT_HEADER_BYTES
        return int(_ROW.unpack_from(self.index, len(self.index) - _ROW.size)[1])


class Segment(msgspec.Struct, frozen=True):
    """A segment as readers see it: immutable, replaced by a new value when it grows."""

    header: SegmentHeader
    summary: Summary
    holes: tuple[Hole, ...] = ()

    @property
    def base(self) -> Offset:
        """Its first offset."""
        return self.header.base

    @property
    def last(self) -> Offset:
        """Its last offset; base - 1 while it is empty."""
        return self.summary.tail.position.offset

    @property
    def start(self) -> Place:
        """The place before its first frame."""
        at = SEGMENT_HEADER_BYTES
        return Place(self.base, at, at, self.header.predecessor.chain)

    def place_before(self, at: Offset) -> Place:
        """Return the best known place at or before offset `at`, with no hole in between."""
        found = self.summary.place_before(at, self.start)
        for hole in self.holes:
            if hole.resume is not None and found.base < hole.resume.base <= at:
                found = hole.resume
        return found

    def hole_at(self, at: Offset) -> Hole | None:
        """Return the hole in which offset `at` lies, if it does."""
        return next((hole for hole in self.holes if hole.start <= at <= hole.end), None)

    def readable_from(self, at: Offset) -> Offset:
        """Return the last offset up to which there is no hole from `at` on."""
        return min((Offset(h.start - 1) for h in self.holes if h.start > at), default=self.last)

    def cut_holes(self, last: Offset) -> tuple[Hole, ...]:
        """Return the holes that stay when the segment is cut after `last`."""
        return tuple(hole for hole in self.holes if hole.start <= last)


def same_end(one: Tail, other: Tail) -> bool:
    """Whether two tails are of one entry: the chain tells, even where a time had to be guessed."""
    return (one.position, one.chain) == (other.position, other.chain)


def empty_summary(header: SegmentHeader) -> Summary:
    """Return the summary of a segment that holds nothing yet."""
    return Summary(header.nonce, header.predecessor, SEGMENT_HEADER_BYTES)


def save_summary(disk: Disk, segment: Segment) -> None:
    """Write the summary beside its segment. Not synced: a lost or torn one is rebuilt."""
    _save(disk, segment.header.summary_name, segment.summary)


def save_checkpoint(disk: Disk, segment: Segment) -> None:
    """Note how far a growing segment is whole, and durable: a start goes on from there.

    Not synced: without it the segment is read from its start. On a full disk nothing is noted.
    """
    try:
        _save(disk, segment.header.checkpoint_name, segment.summary)
    except DiskError as problem:
        if not problem.full:
            raise


def _save(disk: Disk, name: str, summary: Summary) -> None:
    data = checked.pack(_KIND, summary)
    file = disk.create(name, len(data))
    try:
        file.write(0, data)
    finally:
        file.close()


def load_summary(disk: Disk, header: SegmentHeader, successor: Tail) -> Summary | None:
    """Return the summary of a sealed segment, or None if it can't be used.

    The file must be as long as it says, and end where the next segment begins: after a truncation
    that was cut off it doesn't.
    """
    summary = find_summary(disk, header)
    if summary is None or not same_end(summary.tail, successor):
        return None
    file = disk.open(header.name)
    try:
        return summary if summary.end == file.size() else None
    finally:
        file.close()


def find_summary(disk: Disk, header: SegmentHeader) -> Summary | None:
    """Return the sound summary of this very file (nonce), current or not, or None."""
    return _find(disk, header.summary_name, header)


def find_checkpoint(disk: Disk, header: SegmentHeader) -> Summary | None:
    """Return how far this very file (nonce) was whole when it was last noted, or None."""
    return _find(disk, header.checkpoint_name, header)


def _find(disk: Disk, name: str, header: SegmentHeader) -> Summary | None:
    try:
        summary = checked.unpack(_KIND, checked.read_whole(disk, name), Summary, name)
    except checked.Unsound:
        return None
    except DiskError as problem:
        if problem.missing:
            return None
        raise
    return summary if summary.nonce == header.nonce else None
