"""What is believed of the log after a start, and how it is made true.

The page cache is not the disk: what can be read may not be durable. So everything above the last
mark is written again, into a new segment that is synced before it counts (segment.begin); that
segment supersedes the old end, which is then tidied. Dying anywhere in between changes nothing:
the next start finds the same marks, or the new segment.
Above the mark an unreadable end is torn and cut. At or below it something durable is lost: then
nothing is changed and LogDamaged is raised.

Decides: how far the segments that count are sound, and what is damage.
Must not know: who this member is, what it voted.
Read next: path.py, walk.py, store.py.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec

from replog_node.frames.chain import empty_tail
from replog_node.frames.decode import succeeds, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Offset, Position
from replog_node.storage.blocks import (
    BLOCK_ALIGNMENT,
    BLOCK_MAGIC,
    decode_block_header,
)
from replog_node.storage.disk import Disk, File
from replog_node.storage.errors import LogDamaged
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Log, Random64, begin_segment, seal
from replog_node.storage.path import Ground, live_path
from replog_node.storage.reserve import Reserve
from replog_node.storage.segment import (
    SEGMENT_HEADER_BYTES,
    SegmentHeader,
    is_log_file,
    is_segment,
    read_header,
)
from replog_node.storage.summary import (
    Placed,
    Segment,
    Summary,
    empty_summary,
    find_summary,
    load_summary,
)
from replog_node.storage.walk import Unreadable, Walk, Window

_SCAN_BYTES: Final = 1024 * 1024
"""How much of a file is taken at once: a multiple of a block's alignment."""


class _Found(msgspec.Struct, frozen=True):
    """A segment as it was found. rescanned: it had no usable summary."""

    segment: Segment
    rescanned: bool


def recover_log(
    disk: Disk,
    limits: StoreLimits,
    random64: Random64,
    reserve: Reserve,
    cluster_id: ClusterId,
    ground: Ground,
) -> Log:
    """Return the log, every entry of it durable.

    Raises LogDamaged, FormatUnknown, NoRoom, DiskError.
    """
    names = tuple(name for name in disk.names() if is_segment(name))
    headers = [read_header(disk, name, cluster_id) for name in names]
    path = live_path(headers, cluster_id, ground)
    sealed = [
        _load_sealed(disk, limits, header, after.predecessor) for header, after in pairwise(path)
    ]
    _check_nothing_followed(disk, path[-1])
    marked, above = _scan_last(disk, limits, path[-1])
    header = SegmentHeader(
        cluster_id=cluster_id,
        sequence=max(each.sequence for each in headers) + 1,
        nonce=random64(),
        predecessor=marked.summary.tail,
        restart=marked.header.restart and marked.last < marked.base,
    )
    opened = begin_segment(disk, limits, reserve, header, above, any_size=True)
    if marked.last >= marked.base:
        sealed.append(_Found(marked, rescanned=True))
    _tidy(disk, sealed, opened.segment)
    segments = tuple(found.segment for found in sealed)
    return Log(disk, limits, random64, reserve, sealed=segments, opened=opened)


def begin_log(
    disk: Disk, limits: StoreLimits, random64: Random64, reserve: Reserve, cluster_id: ClusterId
) -> Log:
    """Return a new, empty log of this cluster, durably begun. Raises NoRoom, DiskError."""
    header = SegmentHeader(
        cluster_id=cluster_id, sequence=1, nonce=random64(), predecessor=empty_tail(cluster_id)
    )
    opened = begin_segment(disk, limits, reserve, header, any_size=True)
    return Log(disk, limits, random64, reserve, sealed=(), opened=opened)


def _check_nothing_followed(disk: Disk, last: SegmentHeader) -> None:
    """Raise LogDamaged if the last segment is shortened or has a summary.

    Both happen only after the next segment was durably begun.
    """
    summary = find_summary(disk, last)
    if summary is not None:
        at = Offset(summary.tail.position.offset + 1)
        raise LogDamaged(last.name, at, "another segment followed this one, and is missing")
    file = disk.open(last.name)
    try:
        size = file.size()
    finally:
        file.close()
    if size < last.size:
        what = f"the file had {last.size} bytes or more and has {size}"
        raise LogDamaged(last.name, last.base, what)


def _load_sealed(disk: Disk, limits: StoreLimits, header: SegmentHeader, successor: Tail) -> _Found:
    """Return a segment up to where the next begins, which was durable when that was begun."""
    summary = load_summary(disk, header, successor)
    if summary is not None:
        return _Found(Segment(header, summary), rescanned=False)
    scan = _Scan(header, limits)
    file = disk.open(header.name)
    try:
        walk = scan.walk(file)
        while scan.tail.position.offset < successor.position.offset:
            scan.take(walk.next())
            scan.settle(scan.tail.position)
    except Unreadable as problem:
        raise LogDamaged(header.name, Offset(problem.base), str(problem)) from problem
    finally:
        file.close()
    if scan.tail != successor:
        what = f"it ends at {scan.tail.position}, the next begins after {successor.position}"
        raise LogDamaged(header.name, Offset(successor.position.offset), what)
    return _Found(Segment(header, scan.summary), rescanned=True)


def _scan_last(
    disk: Disk, limits: StoreLimits, header: SegmentHeader
) -> tuple[Segment, tuple[Entry, ...]]:
    """Return the last segment up to its last mark, and the sound entries above that.

    What is unreadable is torn, unless a mark, before or behind it, says that it was durable.
    """
    scan = _Scan(header, limits)
    file = disk.open(header.name)
    try:
        walk = scan.walk(file)
        stop = _scan_to_end(scan, walk)
        mark = max(walk.mark, _furthest_mark(file, header.nonce, stop.block_at))
    finally:
        file.close()
    if mark.offset > scan.tail.position.offset:
        at = Offset(scan.tail.position.offset + 1)
        raise LogDamaged(header.name, at, f"{stop}, but it was durable up to {mark}")
    scan.settle(mark)  # which may be that of a block behind a torn one of the same write
    if scan.summary.tail.position != mark:
        raise LogDamaged(header.name, mark.offset, f"no entry ends at the mark {mark}")
    return Segment(header, scan.summary), tuple(placed.entry for placed in scan.pending)


def _scan_to_end(scan: "_Scan", walk: Walk) -> Unreadable:
    """Take every sound entry; return why there are no more."""
    while True:
        try:
            placed = walk.next()
        except Unreadable as stop:
            scan.settle(walk.mark)
            return stop
        scan.settle(walk.mark)
        scan.take(placed)


class _Scan:
    """What was found in one segment: a summary of what is settled, and what is pending after it."""

    def __init__(self, header: SegmentHeader, limits: StoreLimits) -> None:
        """Nothing found yet."""
        self._header = header
        self._limits = limits
        self.summary: Summary = empty_summary(header)
        self.pending: list[Placed] = []
        self.tail = header.predecessor

    def walk(self, file: File) -> Walk:
        """Return a walk from the segment's start."""
        window = Window(file, max(self._limits.read_bytes, _SCAN_BYTES))
        start = Segment(self._header, self.summary).start
        return Walk(window, self._header.nonce, start, self._header.predecessor.position)

    def take(self, placed: Placed) -> None:
        """Add a proven entry; raises LogDamaged if its term or time falls.

        Chain and checksums are right, so such an entry was written: no crash explains it.
        """
        entry = placed.entry
        if not succeeds(self.tail, entry):
            what = f"term {entry.term} and time {entry.append_time_ms} fall after {self.tail}"
            raise LogDamaged(self._header.name, entry.base, what)
        self.pending.append(placed)
        self.tail = tail_of(entry)

    def settle(self, mark: Position) -> None:
        """Move what is pending up to the mark into the summary."""
        count = sum(placed.entry.last <= mark.offset for placed in self.pending)
        if not count:
            return
        settled = self.pending[:count]
        last = settled[-1]
        end = last.at + last.entry.size_bytes
        self.summary = self.summary.grown(settled, end, self._limits.index_interval_bytes)
        del self.pending[:count]


def _furthest_mark(file: File, nonce: int, at: int) -> Position:
    """Return the highest mark of all blocks of this segment from byte `at` on.

    A damaged length can't hide a block: each multiple of 512 is looked at.
    """
    furthest = ORIGIN
    size = file.size()
    for start in range(at, size, _SCAN_BYTES):
        data = file.read(start, _SCAN_BYTES)
        found = data.find(BLOCK_MAGIC)
        while found >= 0:
            header = None
            if found % BLOCK_ALIGNMENT == 0:
                header = decode_block_header(data, found, nonce)
            furthest = max(furthest, header.mark) if header is not None else furthest
            found = data.find(BLOCK_MAGIC, found + 1)
    return furthest


def _tidy(disk: Disk, sealed: Sequence[_Found], opened: Segment) -> None:
    """Remove what is superseded, and give the segments that lack it an end and a summary."""
    headers = [opened.header, *(found.segment.header for found in sealed)]
    keep = {name for header in headers for name in (header.name, header.summary_name)}
    for name in disk.names():
        if is_log_file(name) and name not in keep:
            disk.remove(name)
    for found in sealed:
        if found.rescanned:
            seal(disk, found.segment)


def discard_begun_log(disk: Disk) -> None:
    """Remove the segment of an assignment that was cut off before the identity was written.

    It can't hold anything; if one does, the identity is wrong: raises LogDamaged.
    """
    for name in filter(is_segment, disk.names()):
        file = disk.open(name)
        try:
            magic = file.read(SEGMENT_HEADER_BYTES, len(BLOCK_MAGIC))
        finally:
            file.close()
        if magic == BLOCK_MAGIC:
            raise LogDamaged(name, Offset(0), "there is a log, but the member is unassigned")
        disk.remove(name)
