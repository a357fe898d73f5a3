"""Reading entries out of published segments, from any thread, beside the one that writes.

A reader holds one View, an immutable picture of what was durable when it was published, and opens
the files it needs for itself. So nothing is shared with the writer but the disk.

Decides: how an offset is found and how much is read. Must not know: writing, recovery.
Read next: log.py.
"""

from bisect import bisect_left, bisect_right
from typing import Final

import msgspec

from replog_node.frames.layout import FRAME_HEADER_BYTES, FrameDamaged, frame_header
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import Offset, Term
from replog_node.storage.disk import Disk, DiskError, File
from replog_node.storage.errors import LogDamaged, ReadRefused
from replog_node.storage.summary import Place, Segment
from replog_node.storage.walk import Unreadable, Walk, Window

_CURSORS: Final = 64
_END_OF_TIME: Final = 2**63


class Cursors:
    """Where recent reads ended, so that who reads on doesn't search again.

    A fixed table, indexed by the next offset: a newer end takes the older one's slot. Slots are
    set whole, so threads need no lock.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._slots: list[tuple[int, Place] | None] = [None] * _CURSORS

    def put(self, sequence: int, place: Place) -> None:
        """Remember that a read of the segment with this sequence number ended here."""
        self._slots[place.base % _CURSORS] = (sequence, place)

    def get(self, sequence: int, base: int) -> Place | None:
        """Return the place of the entry that begins with `base`, if it is remembered."""
        slot = self._slots[base % _CURSORS]
        if slot is None or slot[0] != sequence or slot[1].base != base:
            return None
        return slot[1]


class View(msgspec.Struct, frozen=True):
    """What can be read: sealed segments, ascending, and the one that grows.

    generation: counts truncations and releases; what fails under an older one may only have been
    taken away.
    """

    sealed: tuple[Segment, ...]
    active: Segment
    generation: int
    cursors: Cursors

    @property
    def start(self) -> Tail:
        """What the log's first entry follows; nothing up to it is there any more."""
        return (self.sealed or (self.active,))[0].header.predecessor

    @property
    def last(self) -> Offset:
        """The log's last offset."""
        return self.active.last

    def segment_of(self, at: Offset) -> Segment:
        """Return the segment that holds offset `at`, which must be within the log."""
        if at >= self.active.base:
            return self.active
        return self.sealed[bisect_right(self.sealed, at, key=lambda segment: segment.base) - 1]

    def term_at(self, at: Offset) -> Term:
        """Return the term of the entry that holds offset `at`, which must be within the log."""
        starts = self.segment_of(at).summary.term_starts
        return starts[bisect_right(starts, at, key=lambda start: start[1]) - 1][0]


def read_entries(
    disk: Disk, view: View, at: Offset, *, max_bytes: int, read_bytes: int
) -> tuple[Entry, ...]:
    """Return the entry that holds `at`, then those after it while all fit into `max_bytes`.

    Nothing if the log doesn't reach that far, or begins later. What can't be read ends the answer
    before it; if it is the first entry, raises LogDamaged or ReadRefused.
    """
    found: list[Entry] = []
    room = max_bytes
    while view.start.position.offset < at <= view.last and (not found or room > 0):
        try:
            entries, more = _read_segment(disk, view, at, room, read_bytes, first=not found)
        except (LogDamaged, ReadRefused):
            if found:
                break  # whoever reads on from there is told
            raise
        found += entries
        if not more:
            break
        if not entries:  # between two segments lies what neither holds
            if found:
                break
            name = view.segment_of(at).header.name
            raise LogDamaged(name, at, "no segment holds it")
        room -= sum(entry.size_bytes for entry in entries)
        at = Offset(found[-1].last + 1)
    return tuple(found)


def offset_at_time(disk: Disk, view: View, time_ms: int, read_bytes: int) -> Offset | None:
    """Return the first offset of the first entry with this append time or a later one, or None.

    Append times never fall, so whole segments and most of one are stepped over. What is stepped
    over isn't proven. Raises LogDamaged, ReadRefused.
    """
    segments = (*view.sealed, view.active)
    number = bisect_left(segments, time_ms, key=lambda each: each.summary.tail.append_time_ms)
    if number == len(segments) or view.last < segments[number].base:
        return None
    segment = segments[number]
    try:
        file = disk.open(segment.header.name)
    except DiskError as problem:
        raise _refusal(problem, segment, segment.base) from problem
    try:
        walk = _walk(Window(file, read_bytes), segment, _place_before_time(file, segment, time_ms))
        walk.skip_to_time(time_ms)
        return Offset(walk.place.base)
    except Unreadable as problem:
        raise LogDamaged(segment.header.name, Offset(problem.base), str(problem)) from problem
    except DiskError as problem:
        raise _refusal(problem, segment, segment.base) from problem
    finally:
        file.close()


def _place_before_time(file: File, segment: Segment, time_ms: int) -> Place:
    """Return the last indexed place whose entry is older than this time, else the start."""
    places = segment.summary.places
    number = bisect_left(places, time_ms, key=lambda place: _time_at(file, place))
    return places[number - 1] if number else segment.start


def _time_at(file: File, place: Place) -> int:
    """Return the append time of the frame here, or the end of time if it is damaged."""
    try:
        header = frame_header(file.read(place.at, FRAME_HEADER_BYTES))
    except FrameDamaged:
        return _END_OF_TIME
    return header.append_time_ms if header.base == place.base else _END_OF_TIME


def place_at(disk: Disk, segment: Segment, at: Offset, read_bytes: int) -> tuple[Entry, int]:
    """Return the entry that holds `at`, proven, and the byte after its frame."""
    file = disk.open(segment.header.name)
    try:
        walk = _walk(Window(file, read_bytes), segment, segment.place_before(at))
        walk.skip_to(at)
        return walk.next().entry, walk.place.at
    except Unreadable as problem:
        raise LogDamaged(segment.header.name, Offset(problem.base), str(problem)) from problem
    finally:
        file.close()


def _read_segment(
    disk: Disk, view: View, at: Offset, room: int, read_bytes: int, *, first: bool
) -> tuple[list[Entry], bool]:
    """Return entries of the one segment that holds `at`, and whether there may be room for more."""
    segment = view.segment_of(at)
    if (hole := segment.hole_at(at)) is not None:
        raise LogDamaged(segment.header.name, at, f"offsets {hole.start} to {hole.end} are lost")
    sequence = segment.header.sequence
    try:
        file = disk.open(segment.header.name)
    except DiskError as problem:
        raise _refusal(problem, segment, at) from problem
    try:
        place = view.cursors.get(sequence, at) or segment.place_before(at)
        walk = _walk(Window(file, read_bytes), segment, place)
        walk.skip_to(at)
        found, more = _take(walk, segment.readable_from(at), room, first=first)
        view.cursors.put(sequence, walk.place)
    except Unreadable as problem:
        raise LogDamaged(segment.header.name, Offset(problem.base), str(problem)) from problem
    except DiskError as problem:
        raise _refusal(problem, segment, at) from problem
    finally:
        file.close()
    return found, more


def _refusal(problem: DiskError, segment: Segment, at: Offset) -> LogDamaged | ReadRefused:
    """A file that is gone is a loss; anything else may be of this moment only."""
    if problem.missing:
        return LogDamaged(segment.header.name, at, str(problem))
    return ReadRefused(segment.header.name, str(problem))


def _take(walk: Walk, last: Offset, room: int, *, first: bool) -> tuple[list[Entry], bool]:
    found: list[Entry] = []
    while walk.place.base <= last:
        before = walk.place
        try:
            entry = walk.next().entry
        except (Unreadable, DiskError):
            if found:
                return found, False
            raise
        room -= entry.size_bytes
        if room < 0 and (found or not first):
            walk.place = before
            return found, False
        found.append(entry)
    return found, room > 0


def _walk(window: Window, segment: Segment, place: Place) -> Walk:
    return Walk(window, segment.header.nonce, place)
