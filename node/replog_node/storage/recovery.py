"""What is believed of the log after a start, and how it is made true.

The page cache is not the disk: what can be read may not be durable. So everything above the last
mark is written again, into a new segment that is synced before it counts (segment.begin); that
segment supersedes the old end, which is then tidied. Dying anywhere in between changes nothing:
the next start finds the same marks, or the new segment.
Above the mark an unreadable end is torn and cut. At or below it something durable is lost: a hole
(summary.Hole), or an end of the log that is unproven. A file with holes stays as it was found.

Decides: how far the segments that count are sound, and what is damage.
Must not know: who this member is, what it voted.
Read next: path.py, walk.py, store.py.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from replog_node.frames.chain import empty_tail
from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Offset, Position, Term
from replog_node.storage.blocks import BLOCK_MAGIC
from replog_node.storage.disk import Disk
from replog_node.storage.errors import LogDamaged, NoRoom
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import (
    Log,
    Opened,
    Random64,
    begin_segment,
    seal,
    still_unproven,
)
from replog_node.storage.path import Ground, live_path, lost_first
from replog_node.storage.reserve import Reserve, give_back_unused
from replog_node.storage.scan import scan_last, scan_sealed
from replog_node.storage.segment import (
    SEGMENT_HEADER_BYTES,
    HeaderUnsound,
    SegmentHeader,
    base_of,
    is_log_file,
    is_segment,
    read_header,
    rebuilt_header,
    sequence_of,
)
from replog_node.storage.summary import Segment, find_checkpoint, find_summary, load_summary

DAMAGED = ".damaged"
"""How the names of segments end whose header and first block are bad; nothing looks at them."""

OFFSET_MAX = Offset(2**63 - 1)
"""The log's end when all that is known of it is that nothing of its last terms can be trusted."""


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
    term: Term,
) -> Log:
    """Return the log, every entry of it durable; what can't be read is its holes.

    term: no entry of the log has a higher one. Raises LogDamaged for what no rot explains or if
    nothing is left, FormatUnknown, NoRoom, DiskError.
    """
    names = tuple(name for name in disk.names() if is_segment(name))
    headers, lost = _found_headers(disk, names, cluster_id)
    first = lost_first(headers, cluster_id, ground)
    if first is not None:
        first = msgspec.structs.replace(first, nonce=random64())
        opened = begin_segment(disk, limits, reserve, first, any_size=True)
        opened.file.close()
        headers.append(opened.segment.header)
    path = live_path(headers, cluster_id, ground)
    sealed = [_load_sealed(disk, limits, header, after, lost) for header, after in pairwise(path)]
    marked, above, unproven = scan_last(disk, limits, path[-1], find_checkpoint(disk, path[-1]))
    tail = tail_of(above[-1]) if above else marked.summary.tail
    covered = _beyond(ground, tail)
    if covered is not None:
        known = find_checkpoint(disk, path[-1])
        marked, above, tail = scan_sealed(disk, limits, path[-1], covered, known=known), (), covered
    if covered is not None or _something_followed(disk, path[-1], lost):
        unproven = Position(term, OFFSET_MAX)
    unproven = still_unproven(tail, unproven, path[-1].unproven)
    header = SegmentHeader(
        cluster_id=cluster_id,
        sequence=max(map(sequence_of, names)) + 1,
        nonce=random64(),
        predecessor=marked.summary.tail,
        restart=marked.header.restart and marked.last < marked.base,
        unproven=unproven,
    )
    opened = _begin_after(disk, limits, reserve, header, above, path[-1].name)
    if marked.last >= marked.base:
        sealed.append(_Found(marked, rescanned=unproven is None))
    _tidy(disk, sealed, opened.segment, lost)
    segments = tuple(found.segment for found in sealed)
    return Log(disk, limits, random64, reserve, sealed=segments, opened=opened)


def _begin_after(
    disk: Disk,
    limits: StoreLimits,
    reserve: Reserve,
    header: SegmentHeader,
    above: Sequence[Entry],
    last: str,
) -> Opened:
    """Begin the segment of this start; on a full disk in the room that the last one doesn't use."""
    try:
        return begin_segment(disk, limits, reserve, header, above, any_size=True)
    except NoRoom:
        give_back_unused(disk, last)
        return begin_segment(disk, limits, reserve, header, above, any_size=True)


def begin_log(
    disk: Disk, limits: StoreLimits, random64: Random64, reserve: Reserve, cluster_id: ClusterId
) -> Log:
    """Return a new, empty log of this cluster, durably begun. Raises NoRoom, DiskError."""
    header = SegmentHeader(
        cluster_id=cluster_id, sequence=1, nonce=random64(), predecessor=empty_tail(cluster_id)
    )
    opened = begin_segment(disk, limits, reserve, header, any_size=True)
    return Log(disk, limits, random64, reserve, sealed=(), opened=opened)


def _found_headers(
    disk: Disk, names: Sequence[str], cluster_id: ClusterId
) -> tuple[list[SegmentHeader], list[str]]:
    """Return the headers of all segments, and the names of those whose header can't be found out.

    Raises LogDamaged for a sound header of another cluster, FormatUnknown.
    """
    headers: list[SegmentHeader] = []
    lost: list[str] = []
    for name in names:
        try:
            header = read_header(disk, name, cluster_id)
        except HeaderUnsound:
            rebuilt = rebuilt_header(disk, name, cluster_id)
            if rebuilt is None:
                lost.append(name)
                continue
            header = rebuilt
        headers.append(header)
    return headers, lost


def _beyond(ground: Ground, tail: Tail) -> Tail | None:
    """Return where the newest snapshot ends, if the log ends before that.

    A snapshot is built of what is durable, so what lies between was here and is lost: a hole. How
    much was behind the snapshot nobody knows.
    """
    newest = ground.found.snapshots[-1].tail if ground.found.snapshots else tail
    return newest if newest.position.offset > tail.position.offset else None


def _something_followed(disk: Disk, last: SegmentHeader, lost: Sequence[str]) -> bool:
    """Whether there was more behind the last segment than can be told.

    It has a summary only after the next one was durably begun; it is shorter than it was begun
    only then, or if its end is lost; or the header of a later one can't be read.
    """
    if any(sequence_of(name) > last.sequence for name in lost):
        return True
    if find_summary(disk, last) is not None:
        return True
    file = disk.open(last.name)
    try:
        return file.size() < last.size
    finally:
        file.close()


def _load_sealed(
    disk: Disk,
    limits: StoreLimits,
    header: SegmentHeader,
    after: SegmentHeader,
    lost: Sequence[str],
) -> _Found:
    """Return a segment up to where the next begins, which was durable when that was begun."""
    successor = after.predecessor
    summary = load_summary(disk, header, successor)
    if summary is not None:
        return _Found(Segment(header, summary), rescanned=False)
    upto = last_before(header, after, lost)
    known = find_checkpoint(disk, header)
    found = scan_sealed(disk, limits, header, successor, upto=upto, known=known)
    return _Found(found, rescanned=True)


def last_before(header: SegmentHeader, after: SegmentHeader, lost: Iterable[str]) -> Offset:
    """Return up to where a segment counts: to where the next one begins, though it can't be read.

    after: the next one that can. lost: the names of those that can't.
    """
    between = [n for n in lost if header.sequence < sequence_of(n) < after.sequence]
    superseding = [base_of(name) for name in between if base_of(name) > header.base]
    return Offset(min(superseding, default=after.base) - 1)


def _tidy(disk: Disk, sealed: Sequence[_Found], opened: Segment, lost: Sequence[str]) -> None:
    """Remove what is superseded, and give the segments that lack it an end and a summary.

    What is damaged stays as it was found, since somebody may want to look at it. lost: files that
    can't be used any more; they get another name, so that nobody takes them for segments.
    """
    headers = [opened.header, *(found.segment.header for found in sealed)]
    kept = {name for header in headers for name in (header.name, header.summary_name)}
    for name in lost:
        if name not in kept:
            disk.rename(name, name + DAMAGED)
    for name in disk.names():
        if is_log_file(name) and name not in kept:
            disk.remove(name)
    for found in sealed:
        if found.rescanned and not found.segment.holes:
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
