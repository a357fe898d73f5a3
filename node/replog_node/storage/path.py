"""Where the log begins at a start: which segments count, after what snapshot.

Decides: what supersedes what, that a log begins at its beginning or where it was given up to, and
how an install that was cut off is finished. Must not know: what is in a segment.
Read next: start.py, recovery.py.
"""

from collections.abc import Iterable

import msgspec

from replog_node.frames.chain import empty_tail
from replog_node.model.entries import Tail
from replog_node.model.positions import ORIGIN, ClusterId, Lineage, Offset
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage.disk import Disk
from replog_node.storage.errors import LogDamaged, SnapshotUnusable
from replog_node.storage.kept import KeptSnapshots
from replog_node.storage.limits import StoreLimits
from replog_node.storage.log import Random64, begin_segment
from replog_node.storage.reserve import Reserve
from replog_node.storage.segment import SegmentHeader, is_segment, sequence_of
from replog_node.storage.snapshots import (
    Found,
    copy_name,
    find_snapshots,
    part_name,
    prove,
    snapshot_name,
)
from replog_node.storage.start import Start, load_start, save_start


class Ground(msgspec.Struct, frozen=True):
    """What the log stands on: what was given up, and the snapshots that stand for it."""

    start: Start = Start()
    found: Found = Found()

    def covers(self, first: Offset) -> bool:
        """Whether there is a snapshot for what is before this offset."""
        return any(first <= meta.position.offset + 1 for meta in self.found.snapshots)


def find_ground(
    disk: Disk,
    limits: StoreLimits,
    random64: Random64,
    reserve: Reserve,
    cluster_id: ClusterId,
    lineage: Lineage | None,
) -> Ground:
    """Return what the log stands on, after finishing an install that was cut off.

    Raises LogDamaged, FormatUnknown, NoRoom, DiskError.
    """
    start, found = load_start(disk), find_snapshots(disk, cluster_id, lineage)
    if start != Start() and start.known:
        save_start(disk, start)  # what was read may be in the page cache only
    meta = start.installing
    if meta is None:
        return Ground(start, found)
    base = start.base
    if _take_fetched(disk, meta, found):  # nothing was appended behind it: install hadn't returned
        begin_anew(disk, limits, random64, reserve, cluster_id, meta.tail)
        found = find_snapshots(disk, cluster_id, lineage)
        base = meta.position
    start = Start(base=base)
    save_start(disk, start)
    return Ground(start, found)


def begin_anew(
    disk: Disk,
    limits: StoreLimits,
    random64: Random64,
    reserve: Reserve,
    cluster_id: ClusterId,
    tail: Tail,
) -> None:
    """Begin the segment with which the log restarts after `tail`, superseding all others."""
    sequences = [sequence_of(name) for name in disk.names() if is_segment(name)]
    header = SegmentHeader(
        cluster_id=cluster_id,
        sequence=max(sequences, default=0) + 1,
        nonce=random64(),
        predecessor=tail,
        restart=True,
    )
    begin_segment(disk, limits, reserve, header, any_size=True).file.close()


def _forget(disk: Disk, meta: SnapshotMeta) -> None:
    """Remove what can't be read now, so that it isn't found ahead of the log later."""
    names = disk.names()
    for name in (snapshot_name(meta), copy_name(meta)):
        if name in names:
            disk.remove(name)


def _take_fetched(disk: Disk, meta: SnapshotMeta, found: Found) -> bool:
    """Give a fetched snapshot its name, durably; whether it is there at all.

    If it isn't, the install never happened, and nobody was told that it did.
    """
    kept = KeptSnapshots(disk, found)
    if meta not in found.snapshots:
        try:
            prove(disk, part_name(meta), meta)
        except SnapshotUnusable:
            _forget(disk, meta)
            return False
        kept.take(part_name(meta), meta)
    kept.cover(meta.position, None)
    return True


def live_path(
    headers: Iterable[SegmentHeader], cluster_id: ClusterId, ground: Ground
) -> list[SegmentHeader]:
    """Return the segments that count, by base: each superseded older ones from its base on.

    Raises LogDamaged if the log begins later than it may, or nothing stands for what is before.
    """
    path = superseding(headers, ground)
    if not path:
        raise LogDamaged("no segment", Offset(0), "the log's first segment is missing")
    _check_first(path[0], cluster_id, ground)
    return path


def superseding(headers: Iterable[SegmentHeader], ground: Ground) -> list[SegmentHeader]:
    """Return the segments that count, by base, wherever they begin."""
    path: list[SegmentHeader] = []
    for header in sorted(headers, key=lambda each: each.sequence):
        while path and (header.restart or path[-1].base >= header.base):
            path.pop()
        path.append(header)
    while len(path) > 1 and path[1].base <= ground.start.base.offset + 1:
        del path[0]
    return path


def lost_first(
    headers: Iterable[SegmentHeader], cluster_id: ClusterId, ground: Ground
) -> SegmentHeader | None:
    """Return a header for the log's first segment if that is missing and others are there.

    It begins where the log may begin by what is known for sure: at its very beginning, or after
    the snapshot up to which segments were released. Whatever was in it is a hole then.
    """
    path = superseding(headers, ground)
    start, base = ground.start, ground.start.base
    if not path or path[0].restart or not start.known or start.allows(path[0].base):
        return None
    tails = [meta.tail for meta in ground.found.snapshots if meta.position == base]
    predecessor = empty_tail(cluster_id) if base == ORIGIN else next(iter(tails), None)
    if predecessor is None or path[0].sequence < 1:
        return None
    return SegmentHeader(cluster_id, path[0].sequence - 1, 0, predecessor)


def _check_first(first: SegmentHeader, cluster_id: ClusterId, ground: Ground) -> None:
    if first.predecessor == empty_tail(cluster_id):
        return
    if not first.restart and not ground.start.allows(first.base):
        raise LogDamaged(first.name, Offset(0), "the log's first segment is missing")
    if not ground.covers(first.base):
        if ground.found.refused is not None:
            raise ground.found.refused
        what = f"it begins at {first.base}, and no snapshot stands for what is before"
        raise LogDamaged(first.name, Offset(0), what)
