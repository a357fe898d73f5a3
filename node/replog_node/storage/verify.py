"""Checks a whole data directory, offline or beside its member, and says of each file how it is.

Everything is read and proven as a start would, and nothing is changed. Beside a running member the
newest segment grows meanwhile, so what is written last may look torn.

Decides: what a report says. Must not know: who reads it.
Read next: scan.py, readonly.py.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import zip_longest
from typing import Any, Final, NamedTuple

import msgspec

from replog_node.model.entries import Tail
from replog_node.model.positions import ClusterId, Offset
from replog_node.storage import checked
from replog_node.storage.disk import Disk, DiskError
from replog_node.storage.disk_os import OsDiskBeside
from replog_node.storage.errors import IdentityDamaged, StorageError
from replog_node.storage.hardstate import HARD_STATE_NAMES, check_copy
from replog_node.storage.identity import IDENTITY_NAME, Identity, load_identity
from replog_node.storage.limits import StoreLimits
from replog_node.storage.path import Ground, superseding
from replog_node.storage.recovery import last_before
from replog_node.storage.scan import scan_last, scan_sealed
from replog_node.storage.segment import (
    HeaderUnsound,
    SegmentHeader,
    is_segment,
    read_header,
    rebuilt_header,
)
from replog_node.storage.snapshots import Found, is_part, is_snapshot, prove
from replog_node.storage.start import START_NAME, read_start
from replog_node.storage.summary import Segment, find_summary
from replog_node.storage.walk import Unreadable, Walk, Window

READ_BYTES: Final = 4096
"""How much is read where a row of an index leads."""


class Checked(msgspec.Struct, frozen=True):
    """How a file is. sound: whether all of it that must be right is. detail: a sentence."""

    file: str
    sound: bool
    detail: str


def check_path(directory: str) -> list[dict[str, Any]]:
    """Return how each file of this data directory is: `file`, `sound`, `detail`."""
    try:
        disk = OsDiskBeside(directory)
    except DiskError as problem:
        return [msgspec.to_builtins(Checked(directory, False, str(problem)))]
    try:
        return [msgspec.to_builtins(each) for each in check_directory(disk)]
    finally:
        disk.close()


def check_directory(disk: Disk) -> Iterator[Checked]:
    """Yield how each file is. A file of a newer format isn't sound, as far as this build knows."""
    names = disk.names()
    identity: list[Identity] = []
    yield _tried(IDENTITY_NAME, lambda: _identity(disk, identity))
    if not identity:
        return  # whose the other files are is not known
    member, cluster_id = identity[0].member, identity[0].cluster_id
    for name in HARD_STATE_NAMES:
        yield _tried(name, partial(check_copy, disk, name, member))
    if cluster_id is None:
        return
    if START_NAME in names:
        yield _tried(START_NAME, lambda: _start(disk))
    for name in names:
        if is_snapshot(name):
            yield _tried(name, partial(_snapshot, disk, name))
        elif is_part(name):
            yield Checked(name, True, "a snapshot that is being fetched; proven when it is whole")
    yield from _log(disk, cluster_id)


def _tried(name: str, check: Callable[[], str]) -> Checked:
    try:
        return Checked(name, True, check())
    except (StorageError, DiskError, checked.Unsound) as problem:
        return Checked(name, False, str(problem))


def _identity(disk: Disk, found: list[Identity]) -> str:
    if IDENTITY_NAME not in disk.names():
        raise IdentityDamaged("there is none, so this is no member's directory")
    found.append(load_identity(disk))
    held = found[0]
    whose = "no cluster" if held.cluster_id is None else f"cluster {held.cluster_id}"
    return f"member {held.member} of {whose}, started {held.incarnation} times"


def _start(disk: Disk) -> str:
    start = read_start(disk)
    if not start.known:
        raise checked.Unsound("it can't be read; a snapshot that covers the log's start stands in")
    return f"segments were released up to offset {start.base.offset}"


def _snapshot(disk: Disk, name: str) -> str:
    meta = prove(disk, name)
    return f"the state up to offset {meta.position.offset}, {meta.size_bytes} bytes"


def _log(disk: Disk, cluster_id: ClusterId) -> Iterator[Checked]:
    """Yield how each segment is, and its index."""
    headers: list[SegmentHeader] = []
    damaged: dict[str, str] = {}
    for name in filter(is_segment, disk.names()):
        try:
            headers.append(read_header(disk, name, cluster_id))
        except HeaderUnsound as problem:
            damaged[name] = str(problem)
            if (rebuilt := rebuilt_header(disk, name, cluster_id)) is not None:
                headers.append(rebuilt)
            else:
                yield Checked(name, False, f"{problem}, and its first block; none of it is used")
        except (StorageError, DiskError) as problem:
            yield Checked(name, False, str(problem))
    path = superseding(headers, Ground(read_start(disk), Found()))
    for header in headers:
        if header not in path:
            yield Checked(header.name, True, "superseded; it goes at the next start")
    lost = damaged.keys() - {header.name for header in headers}
    for header, after in zip_longest(path, path[1:]):
        end = None if after is None else End(after.predecessor, last_before(header, after, lost))
        yield from _segment(disk, header, end, damaged.get(header.name))


class End(NamedTuple):
    """Where a segment ends: what the next one builds upon, and the last offset that it counts to.

    They differ if a segment between the two can't be used; the offsets between are its loss.
    """

    tail: Tail
    upto: Offset


def _segment(
    disk: Disk, header: SegmentHeader, end: End | None, harm: str | None
) -> Iterator[Checked]:
    """Yield how a segment is, and its index. harm: what is wrong with its header, if anything."""
    found: list[Segment] = []
    rest = _tried(header.name, lambda: _scanned(disk, header, end, found))
    yield rest if harm is None else Checked(header.name, False, f"{harm}; the rest: {rest.detail}")
    if found and header.summary_name in disk.names():
        yield _tried(header.summary_name, lambda: _index(disk, found[0]))
    if header.checkpoint_name in disk.names():
        yield Checked(header.checkpoint_name, True, "how far it was whole; not used if it is torn")


def _scanned(disk: Disk, header: SegmentHeader, end: End | None, found: list[Segment]) -> str:
    torn = ""
    limits = StoreLimits()
    if end is not None:
        segment = _up_to(scan_sealed(disk, limits, header, end.tail, upto=end.upto), end.upto)
    else:
        last = scan_last(disk, limits, header)
        segment = last.segment
        if last.unproven is not None:
            raise checked.Unsound(f"what was durable up to {last.unproven} is lost at its end")
        torn = f", {len(last.above)} entries above its last mark"
    found.append(segment)
    if segment.holes:
        holes = ", ".join(f"{hole.start} to {hole.end}" for hole in segment.holes)
        raise checked.Unsound(f"what was durable can't be read: offsets {holes}")
    return f"offsets {segment.base} to {segment.last}{torn}"


def _up_to(segment: Segment, last: Offset) -> Segment:
    """Return the segment without the hole that another one has behind its last offset."""
    theirs = next((hole for hole in segment.holes if hole.start > last), None)
    if theirs is None:
        return segment
    summary = msgspec.structs.replace(segment.summary, tail=theirs.before)
    return Segment(segment.header, summary, segment.cut_holes(last))


def _index(disk: Disk, segment: Segment) -> str:
    """Check that the summary is of this segment as it is, and that each row leads to an entry."""
    summary = find_summary(disk, segment.header)
    if summary is None:
        raise checked.Unsound("it can't be read; it isn't used, and written anew at the next start")
    held = segment.summary
    if segment.holes:
        return "not compared with its segment, which is damaged"
    if (summary.tail, summary.term_starts) != (held.tail, held.term_starts):
        raise checked.Unsound("it tells another end than the segment has")
    file = disk.open(segment.header.name)
    try:
        for place in summary.places:
            Walk(Window(file, READ_BYTES), segment.header.nonce, place).next()
    except Unreadable as problem:
        raise checked.Unsound(f"a row leads to no entry: {problem}") from problem
    finally:
        file.close()
    return f"{len(summary.places)} rows"
