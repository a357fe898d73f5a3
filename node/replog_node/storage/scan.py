"""One segment, read and proven from its start, past what can't be read.

Behind damage the next block is found again: every multiple of 512 is looked at for a block with the
segment's nonce, and the first one whose first frame is sound goes on. What lies between was
durable if a mark, or the next segment, says so: a hole.

Decides: how far a segment is sound, which of its offsets are holes, and what is torn or unproven.
Must not know: other segments, what is done about it.
Read next: walk.py, recovery.py.
"""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from replog_node.frames.decode import ordered, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Offset, Position
from replog_node.storage.blocks import (
    BLOCK_ALIGNMENT,
    BLOCK_MAGIC,
    BlockHeader,
    aligned,
    decode_block_header,
)
from replog_node.storage.disk import Disk, File
from replog_node.storage.errors import LogDamaged
from replog_node.storage.limits import StoreLimits
from replog_node.storage.segment import SegmentHeader
from replog_node.storage.summary import (
    Hole,
    Place,
    Placed,
    Segment,
    Summary,
    empty_summary,
    same_end,
)
from replog_node.storage.walk import Unreadable, Walk, Window

SCAN_BYTES: Final = 1024 * 1024
"""How much of a file is taken at once: a multiple of a block's alignment."""


class Last(NamedTuple):
    """The last segment up to its mark, the sound entries above, and what is unproven.

    unproven: how far the log went when that lies beyond all that can be read; else None.
    """

    segment: Segment
    above: tuple[Entry, ...]
    unproven: Position | None


def scan_sealed(
    disk: Disk, limits: StoreLimits, header: SegmentHeader, end: Tail, *,
    upto: Offset | None = None, name: str = "", known: Summary | None = None,
) -> Segment:  # fmt: skip
    """Return a segment up to `end`, all of which was durable: what can't be read is its holes.

    upto: entries above it are superseded, though they may still be there. name: of the file, if it
    isn't the segment's. known: how far it needn't be read (find_checkpoint). Raises LogDamaged if
    the segment's end contradicts `end`; DiskError.
    """
    file = disk.open(name or header.name)
    try:
        upto = end.position.offset if upto is None else upto
        if known is not None and known.tail.position.offset > upto:
            known = None
        scan = _Scan(file, header, limits, known)
        while scan.tail.position.offset < upto and (found := scan.next()) is not None:
            gap, placed = found
            if placed.entry.last > upto:
                break
            if gap is not None:
                scan.add_hole(gap)
            scan.take(placed)
            if scan.pending_bytes >= SCAN_BYTES:
                scan.settle(scan.tail.position)
        scan.settle(scan.tail.position)
    finally:
        file.close()
    if scan.tail.position.offset < end.position.offset:
        scan.end_in_hole(end)
    elif not same_end(scan.tail, end):
        what = f"it ends at {scan.tail.position}, the next begins after {end.position}"
        raise LogDamaged(header.name, end.position.offset, what)
    return Segment(header, scan.summary, tuple(scan.holes))


def scan_last(
    disk: Disk, limits: StoreLimits, header: SegmentHeader, known: Summary | None = None
) -> Last:
    """Return what the last segment holds. known: how far it needn't be read (find_checkpoint).

    What is unreadable is torn, unless a mark, before or behind it, says that it was durable. Then
    it is a hole if there are sound entries behind it; else the log's end is unproven.
    """
    file = disk.open(header.name)
    try:
        scan = _Scan(file, header, limits, known)
        unproven = _scan_to_end(scan)
    finally:
        file.close()
    if unproven is None and scan.summary.tail.position != scan.mark:
        raise LogDamaged(header.name, scan.mark.offset, f"no entry ends at the mark {scan.mark}")
    above = tuple(placed.entry for placed in scan.pending)
    return Last(Segment(header, scan.summary, tuple(scan.holes)), above, unproven)


def _scan_to_end(scan: "_Scan") -> Position | None:
    """Take every sound entry that counts; return what is unproven."""
    while (found := scan.next()) is not None:
        gap, placed = found
        if gap is not None:
            scan.look_for_marks()
            if scan.mark.offset < gap.start:
                break  # torn: nothing behind it was promised to be whole
            if scan.mark.offset < gap.end:
                return max(scan.mark, _last_of(scan, placed))
            scan.add_hole(gap)
        scan.settle(scan.mark)
        scan.take(placed)
    scan.look_for_marks()
    scan.settle(scan.mark)
    return scan.mark if scan.mark.offset > scan.tail.position.offset else None


def _last_of(scan: "_Scan", placed: Placed) -> Position:
    """Return the last position that can be read, though it doesn't count."""
    scan.settle(scan.mark)
    while (found := scan.next()) is not None:
        placed = found[1]
    return placed.entry.position


class _Scan:
    """What was found so far: a summary of what is settled, and what is pending after it."""

    def __init__(
        self, file: File, header: SegmentHeader, limits: StoreLimits, known: Summary | None = None
    ) -> None:
        """Nothing found yet but what is known to be whole."""
        self._file = file
        self._header = header
        self._limits = limits
        self._window = Window(file, max(limits.read_bytes, SCAN_BYTES))
        self.summary: Summary = known or empty_summary(header)
        self.tail = self.summary.tail
        start = Segment(header, self.summary).start
        if known is not None:
            base = self.tail.position.offset + 1
            start = Place(base, known.end, known.end, self.tail.chain)
        self._walk = self._at(start, self.tail.position)
        self._stopped_at = aligned(start.at)
        self.pending: list[Placed] = []
        self.pending_bytes = 0
        self.holes: list[Hole] = []

    @property
    def mark(self) -> Position:
        """The highest mark seen."""
        return self._walk.mark

    def next(self) -> tuple[Hole | None, Placed] | None:
        """Return the next sound entry, with the gap before it if there is one; None at the end."""
        try:
            return None, self._walk.next()
        except Unreadable as stop:
            self._stopped_at = stop.block_at
        base = self._walk.place.base
        for at, block in self._blocks(self._stopped_at):
            if block.base <= base or not block.length:
                continue
            place = Place(block.base, at, at, block.chain)
            walk = self._at(place, self._walk.mark)
            try:
                placed = walk.next()
            except Unreadable:
                continue
            self._walk = walk
            end = Offset(block.base - 1)
            before = self.tail
            gap = Hole(self._header.name, Offset(base), end, before, block.chain, place)
            return gap, placed
        return None

    def add_hole(self, hole: Hole) -> None:
        """Settle what is before the hole, and go on behind it."""
        self.settle(self.tail.position)
        self.holes.append(hole)
        exact = self.mark if self.mark.offset == hole.end else hole.tail.position
        self.tail = msgspec.structs.replace(hole.tail, position=exact)
        self.summary = msgspec.structs.replace(self.summary, tail=self.tail)

    def end_in_hole(self, end: Tail) -> None:
        """Let everything up to `end` be a hole, in no block of this segment."""
        start = Offset(self.tail.position.offset + 1)
        self.holes.append(Hole(self._header.name, start, end.position.offset, self.tail, end.chain))
        self.tail = end
        self.summary = msgspec.structs.replace(self.summary, tail=end)

    def take(self, placed: Placed) -> None:
        """Add a proven entry; raises LogDamaged if its term or time falls.

        Chain and checksums are right, so such an entry was written: no crash explains it.
        """
        entry = placed.entry
        if not ordered(self.tail, entry):  # the walk has proven the chain
            what = f"term {entry.term} and time {entry.append_time_ms} fall after {self.tail}"
            raise LogDamaged(self._header.name, entry.base, what)
        self.pending.append(placed)
        self.pending_bytes += entry.size_bytes
        self.tail = tail_of(entry)

    def settle(self, mark: Position) -> None:
        """Move what is pending up to the mark into the summary."""
        if not self.pending or self.pending[0].entry.last > mark.offset:
            return
        count = bisect_right(self.pending, mark.offset, key=lambda placed: placed.entry.last)
        settled = self.pending[:count]
        last = settled[-1]
        end = last.at + last.entry.size_bytes
        self.summary = self.summary.grown(settled, end, self._limits.index_interval_bytes)
        del self.pending[:count]
        self.pending_bytes -= sum(placed.entry.size_bytes for placed in settled)

    def look_for_marks(self) -> None:
        """Raise the mark to the highest of all blocks from where the scan stopped on.

        A damaged length can't hide a block: each multiple of 512 is looked at.
        """
        for _, block in self._blocks(self._stopped_at):
            self._walk.mark = max(self._walk.mark, block.mark)

    def _at(self, place: Place, mark: Position) -> Walk:
        return Walk(self._window, self._header.nonce, place, mark)

    def _blocks(self, at: int) -> Iterator[tuple[int, BlockHeader]]:
        """Yield every block of this segment from byte `at`, a multiple of 512, on."""
        for start in range(at, self._file.size(), SCAN_BYTES):
            data = self._file.read(start, SCAN_BYTES)
            found = data.find(BLOCK_MAGIC)
            while found >= 0:
                header = None
                if found % BLOCK_ALIGNMENT == 0:
                    header = decode_block_header(data, found, self._header.nonce)
                if header is not None:
                    yield start + found, header
                found = data.find(BLOCK_MAGIC, found + 1)
