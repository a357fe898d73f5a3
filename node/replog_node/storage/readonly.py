"""The log of a data directory that somebody else may be writing to: read, and changed in nothing.

For the helper process that builds a snapshot beside its member, and for checking a directory
offline. There is no lock and no shared memory: files may grow, appear and go while they are read.
So a file is only believed for what is proven, entry by entry, from a tail that the caller knows;
and when one is not as expected, the directory is looked at once more.

Decides: which file holds an offset, by the names alone. Must not know: recovery, the state.
Read next: path.py, snapshots.py.
"""

from collections.abc import Iterator
from typing import NamedTuple

from replog_node.frames.chain import empty_tail
from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Lineage, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.storage.disk import Disk, DiskError, File
from replog_node.storage.errors import (
    FormatUnknown,
    LogDamaged,
    ReadRefused,
    SnapshotUnusable,
    StoreMisused,
)
from replog_node.storage.identity import load_identity
from replog_node.storage.segment import (
    HeaderUnsound,
    SegmentHeader,
    is_segment,
    read_header,
    rebuilt_header,
    sequence_of,
)
from replog_node.storage.snapshots import is_snapshot, read_meta, read_state
from replog_node.storage.summary import Segment, empty_summary, find_checkpoint, find_summary
from replog_node.storage.walk import Unreadable, Walk, Window

READ_BYTES = 1024 * 1024
"""How much is taken from a file at once."""


class Span(NamedTuple):
    """A segment's file, and the last offset that is to be read from it; None: it is the newest."""

    name: str
    base: Offset
    last: Offset | None


def spans(disk: Disk) -> list[Span]:
    """Return the segments that count, ascending, as far as the names say. Raises DiskError."""
    path: list[str] = []
    for name in sorted(filter(is_segment, disk.names()), key=sequence_of):
        while path and path[-1][:20] >= name[:20]:
            path.pop()
        path.append(name)
    bases = [Offset(int(name[:20])) for name in path]
    lasts = [*(Offset(base - 1) for base in bases[1:]), None]
    return [Span(*each) for each in zip(path, bases, lasts, strict=False)]


def open_reader(disk: Disk) -> "ReadOnlyLog":
    """Return the log of this directory. Raises StoreMisused if it has none, IdentityDamaged."""
    identity = load_identity(disk)
    if identity.cluster_id is None or identity.lineage is None:
        raise StoreMisused(f"member {identity.member} belongs to no cluster, so it has no log")
    return ReadOnlyLog(disk, identity.cluster_id, identity.lineage)


class ReadOnlyLog:
    """See open_reader. May be used beside the process that writes."""

    def __init__(self, disk: Disk, cluster_id: ClusterId, lineage: Lineage) -> None:
        """Read this cluster's log."""
        self._disk = disk
        self.cluster_id = cluster_id
        self.lineage = lineage

    @property
    def origin(self) -> Tail:
        """What the very first entry follows."""
        return empty_tail(self.cluster_id)

    def snapshots(self) -> tuple[SnapshotMeta, ...]:
        """Return the snapshots by their headers, ascending; what can't be read isn't there."""
        found: dict[Offset, SnapshotMeta] = {}
        for name in filter(is_snapshot, self._disk.names()):
            try:
                meta = read_meta(self._disk, name)
            except (SnapshotUnusable, FormatUnknown, DiskError):
                continue  # another one does, or the log from its beginning
            found[meta.position.offset] = meta
        return tuple(found[at] for at in sorted(found))

    def read_state(self, meta: SnapshotMeta) -> bytes:
        """Return a snapshot's state, proven. Raises SnapshotUnusable, DiskError."""
        for name in (n for n in self._disk.names() if is_snapshot(n)):
            if int(name[:20]) != meta.position.offset:
                continue
            try:
                return read_state(self._disk, name, meta)
            except (SnapshotUnusable, DiskError):
                continue
        raise SnapshotUnusable(f"{meta.position.offset:020d}", "no file of it is sound")

    def entries(self, after: Tail, up_to: Position) -> Iterator[Entry]:
        """Yield the entries after this tail up to the one that ends at `up_to`, each one proven.

        Both must be committed, so that nothing cuts them meanwhile. Raises LogDamaged where an
        entry can't be read or proven, ReadRefused when the disk refuses.
        """
        tail, failed_at = after, ""
        while tail.position.offset < up_to.offset:
            span = self._span_of(Offset(tail.position.offset + 1))
            try:
                for entry in self._entries_of(span, tail, up_to):
                    yield entry
                    tail = tail_of(entry)
            except (LogDamaged, ReadRefused):
                moved = f"{span.name} {tail.position.offset}"
                if failed_at == moved:
                    raise
                failed_at = moved  # it may have been removed, or superseded: look again
        if tail.position != up_to:
            what = f"an entry ends at {tail.position}, not at {up_to}"
            raise LogDamaged("the log", tail.position.offset, what)

    def _span_of(self, offset: Offset) -> Span:
        for span in spans(self._disk):
            if span.base <= offset and (span.last is None or offset <= span.last):
                return span
        raise LogDamaged("no segment", offset, "no segment holds it")

    def _entries_of(self, span: Span, tail: Tail, up_to: Position) -> Iterator[Entry]:
        """Yield what this segment holds after the tail, not beyond `up_to`."""
        last = up_to.offset if span.last is None else min(up_to.offset, span.last)
        offset = Offset(tail.position.offset + 1)
        try:
            file = self._disk.open(span.name)
        except DiskError as problem:
            raise ReadRefused(span.name, str(problem)) from problem
        try:
            walk = self._walk_to(file, span, offset)
            if walk.place.chain != tail.chain:
                raise LogDamaged(span.name, offset, f"what is there doesn't follow {tail.position}")
            while tail.position.offset < last:
                entry = walk.next().entry
                if entry.term < tail.position.term or entry.append_time_ms < tail.append_time_ms:
                    raise LogDamaged(span.name, entry.base, "its term or its time falls")
                yield entry
                tail = tail_of(entry)
        except Unreadable as problem:
            raise LogDamaged(span.name, Offset(problem.base), str(problem)) from problem
        except DiskError as problem:
            raise ReadRefused(span.name, str(problem)) from problem
        finally:
            file.close()

    def _walk_to(self, file: File, span: Span, offset: Offset) -> Walk:
        """Return a walk that stands before the entry of this offset."""
        header = self._header_of(span)
        summary = find_summary(self._disk, header) or find_checkpoint(self._disk, header)
        summary = summary or empty_summary(header)
        start = Segment(header, empty_summary(header)).start
        walk = Walk(Window(file, READ_BYTES), header.nonce, summary.place_before(offset, start))
        walk.skip_to(offset)
        return walk

    def _header_of(self, span: Span) -> SegmentHeader:
        """A damaged header is known again from the segment's first block, as at a start."""
        try:
            return read_header(self._disk, span.name, self.cluster_id)
        except HeaderUnsound:
            rebuilt = rebuilt_header(self._disk, span.name, self.cluster_id)
            if rebuilt is None:
                raise
            return rebuilt
