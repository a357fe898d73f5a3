"""What is believed of the log after a start, and how it is made true.

The page cache is not the disk: what can be read may not be durable. So everything above the last
mark is written again, into a new segment that is synced before it counts (segment.begin); that
segment supersedes the old end, which is then tidied. Dying anywhere in between changes nothing:
the next start finds the same marks, or the new segment.
Above the mark an unreadable end is torn and cut. At or below it something durable is lost: then
nothing is changed and LogDamaged is raised.

Decides: which segments count, how far, and what is damage.
Must not know: who this member is, what it voted.
Read next: walk.py, store.py.
"""

from collections.abc import Iterable, Sequence

import msgspec

from replog_node.frames.chain import empty_tail
from replog_node.frames.decode import succeeds, tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Offset, Position
from replog_node.storage.blocks import (
    BLOCK_ALIGNMENT,
    BLOCK_HEADER_BYTES,
    BLOCK_MAGIC,
    decode_block_header,
)
from replog_node.storage.disk import Disk, File
from replog_node.storage.errors import LogDamaged
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Log, Random64, begin_segment, seal
from replog_node.storage.segment import SegmentHeader, is_segment, read_header
from replog_node.storage.summary import (
    Placed,
    Segment,
    Summary,
    empty_summary,
    load_summary,
)
from replog_node.storage.walk import Unreadable, Walk, Window

_SEARCH_BYTES = 1024 * 1024


class _Found(msgspec.Struct, frozen=True):
    """A segment as it was found. rescanned: it had no usable summary."""

    segment: Segment
    rescanned: bool


def recover_log(
    disk: Disk, limits: StoreLimits, random64: Random64, cluster_id: ClusterId
) -> Log:
    """Return the log, every entry of it durable. Raises LogDamaged, FormatUnknown, DiskError."""
    names = tuple(name for name in disk.names() if is_segment(name))
    headers = [read_header(disk, name, cluster_id) for name in names]
    path = _live_path(headers, cluster_id)
    sealed = [
        _load_sealed(disk, limits, header, after.predecessor)
        for header, after in zip(path, path[1:], strict=False)
    ]
    marked, above = _scan_last(disk, limits, path[-1])
    header = SegmentHeader(
        cluster_id=cluster_id,
        sequence=max(each.sequence for each in headers) + 1,
        nonce=random64(),
        predecessor=marked.summary.tail,
    )
    opened = begin_segment(disk, limits, header, above)
    if marked.last >= marked.base:
        sealed.append(_Found(marked, rescanned=True))
    _tidy(disk, names, sealed, keep=header.name)
    segments = tuple(found.segment for found in sealed)
    return Log(disk, limits, random64, sealed=segments, opened=opened)


def begin_log(disk: Disk, limits: StoreLimits, random64: Random64, cluster_id: ClusterId) -> Log:
    """Return a new, empty log of this cluster, durably begun. Raises DiskError."""
    header = SegmentHeader(
        cluster_id=cluster_id, sequence=1, nonce=random64(), predecessor=empty_tail(cluster_id)
    )
    opened = begin_segment(disk, limits, header)
    return Log(disk, limits, random64, sealed=(), opened=opened)


def _live_path(headers: Iterable[SegmentHeader], cluster_id: ClusterId) -> list[SegmentHeader]:
    """Return the segments that count, by base: each superseded older ones from its base on."""
    path: list[SegmentHeader] = []
    for header in sorted(headers, key=lambda each: each.sequence):
        while path and path[-1].base >= header.base:
            path.pop()
        path.append(header)
    if not path or path[0].predecessor != empty_tail(cluster_id):
        name = path[0].name if path else "no segment"
        raise LogDamaged(name, Offset(0), "the log's first segment is missing")
    return path


def _load_sealed(
    disk: Disk, limits: StoreLimits, header: SegmentHeader, successor: Tail
) -> _Found:
    """Return a segment up to where the next begins, which was durable when that was begun."""
    summary = load_summary(disk, header, successor)
    if summary is not None:
        return _Found(Segment(header, summary), rescanned=False)
    file = disk.open(header.name)
    try:
        scan = _Scan(header, limits)
        walk = scan.walk(file)
        while scan.summary.tail.position.offset < successor.position.offset:
            scan.take(walk.next())
            scan.settle(scan.tail.position.offset, )
    except Unreadable as problem:
        raise LogDamaged(header.name, Offset(problem.base), str(problem)) from problem
    finally:
        file.close()
    if scan.summary.tail != successor:
        what = f"it ends at {scan.summary.tail.position}, the next begins after {successor.position}"
        raise LogDamaged(header.name, Offset(successor.position.offset), what)
    return _Found(Segment(header, scan.summary), rescanned=True)
