"""The log's files while the store is open: appending, marking, truncating.

Everything before the last call is durable, so the tail is always what the next block's mark may
say. A new segment is begun when the active one is full and when the log is truncated (see
segment.begin); the readers' view changes only after the disk has.

Decides: the order of the writes. Must not know: votes, identity, who asked.
Read next: store.py.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from replog_node.frames.decode import tail_of
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ORIGIN, Offset, Position
from replog_node.storage.blocks import BLOCK_HEADER_BYTES, aligned, encode_block
from replog_node.storage.checked import TEMPORARY
from replog_node.storage.disk import Disk, DiskError, File, Sync
from replog_node.storage.errors import LogDamaged, NoRoom, RepairRefused, StoreMisused
from replog_node.storage.limits import StoreLimits
from replog_node.storage.reader import Cursors, View, place_at
from replog_node.storage.repair import encode_entries, write_repaired
from replog_node.storage.reserve import Reserve
from replog_node.storage.scan import scan_sealed
from replog_node.storage.segment import SEGMENT_HEADER_BYTES, SegmentHeader, begin
from replog_node.storage.summary import (
    Hole,
    Placed,
    Segment,
    Summary,
    empty_summary,
    save_checkpoint,
    save_summary,
)
from replog_node.storage.walk import Unreadable

Random64 = Callable[[], int]
"""Where nonces come from: 64 random bits a call."""


class Cut(msgspec.Struct, frozen=True):
    """Where a truncation will end the log. kept: the segments that stay, the last one shortened.

    lost: how far it should have gone, when it has to end before damage.
    """

    tail: Tail
    kept: tuple[Segment, ...]
    lost: Position | None = None


class Opened(msgspec.Struct, frozen=True):
    """An active segment with its open file, and how long the file is."""

    segment: Segment
    file: File
    size: int


def begin_segment(
    disk: Disk,
    limits: StoreLimits,
    reserve: Reserve,
    header: SegmentHeader,
    entries: Sequence[Entry] = (),
    *,
    any_size: bool = False,
    room: int = 0,
) -> Opened:
    """Begin a segment that already holds these entries, durably. Raises NoRoom, DiskError.

    room: bytes that it must have beside its header for what comes next.
    """
    tail, at = header.predecessor, SEGMENT_HEADER_BYTES
    blocks, placed = encode_entries(
        entries,
        nonce=header.nonce,
        tail=tail,
        mark=tail.position,
        at=at,
        block_bytes=limits.block_bytes,
    )
    file, header = begin(disk, reserve, header, blocks, any_size=any_size, room=room)
    end = placed[-1].block_end if placed else at
    summary = empty_summary(header).grown(placed, end, limits.index_interval_bytes)
    return Opened(Segment(header, summary), file, header.size)


class Log:
    """The segments of an assigned member. Raises DiskError, after which it must not be used.

    NoRoom is none: the log is as it was, and the same call may succeed later.
    """

    def __init__(
        self,
        disk: Disk,
        limits: StoreLimits,
        random64: Random64,
        reserve: Reserve,
        *,
        sealed: tuple[Segment, ...],
        opened: Opened,
    ) -> None:
        """Go on from what recovery or the assignment left."""
        self._disk = disk
        self._limits = limits
        self._random64 = random64
        self._reserve = reserve
        self._opened = opened
        self._noted_at = SEGMENT_HEADER_BYTES
        self._marked = opened.segment.header.predecessor.position
        self._replacing = False
        self.view = View(sealed, opened.segment, 0, Cursors())

    @property
    def start(self) -> Tail:
        """What the first entry follows: the empty log's tail, unless a snapshot stands before."""
        return self.view.start

    @property
    def tail(self) -> Tail:
        """The durable tail, which the next entry must follow."""
        return self._opened.segment.summary.tail

    @property
    def room(self) -> int:
        """Bytes that are left in the active segment."""
        return max(0, self._opened.size - aligned(self._opened.segment.summary.end))

    @property
    def unproven(self) -> Position | None:
        """How far the log once went, until it has been replicated past that; else None."""
        return still_unproven(self.tail, self._opened.segment.header.unproven)

    @property
    def holes(self) -> tuple[Hole, ...]:
        """What was durable and can't be read, ascending."""
        return tuple(hole for s in (*self.view.sealed, self.view.active) for hole in s.holes)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries that follow the tail, and sync once. Raises NoRoom: nothing is written."""
        room = sum(e.size_bytes + BLOCK_HEADER_BYTES for e in entries)
        self._write(entries, room)

    def write_mark(self) -> None:
        """Say durably that everything is durable, unless the disk says so already, or is full."""
        if self._marked != self.tail.position:
            with suppress(NoRoom):
                self._write((), BLOCK_HEADER_BYTES)

    def plan_cut(self, to: Position) -> Cut:
        """Return what truncating after `to` takes; raises StoreMisused if no entry ends there."""
        segments = (*self.view.sealed, self.view.active)
        start = self.start
        if to == start.position:
            return Cut(start, ())
        if not start.position.offset < to.offset <= self.view.last:
            raise StoreMisused(f"the log can't be cut at {to}: it ends at {self.tail.position}")
        held = self.view.segment_of(to.offset)
        try:
            entry, end = place_at(self._disk, held, to.offset, self._limits.read_bytes)
        except LogDamaged:
            if (cut := self._cut_before_damage(held, to)) is None:
                raise
            return cut
        if entry.position != to:
            raise StoreMisused(f"the log can't be cut at {to}: an entry ends at {entry.position}")
        tail = tail_of(entry)
        holes = held.cut_holes(to.offset)
        shortened = Segment(held.header, held.summary.cut(tail, end), holes)
        before = tuple(segment for segment in segments if segment.base < held.base)
        return Cut(tail, (*before, shortened))

    def _cut_before_damage(self, held: Segment, to: Position) -> Cut | None:
        """Return the cut before the hole in which `to` lies; None if it lies in none."""
        examined = self.examine(held.header.name) or held
        hole = examined.hole_at(to.offset)
        if hole is None:
            return None
        tail = hole.before
        if tail.position.offset >= held.base:
            cut = self.plan_cut(tail.position)
            return Cut(cut.tail, cut.kept, lost=to)
        kept = tuple(segment for segment in self.view.sealed if segment.base < held.base)
        return Cut(tail, kept, lost=to)

    def truncate(self, cut: Cut) -> None:
        """End the log at the cut, durably, and begin a fresh segment there.

        The fresh segment's header is the lowered mark: once it is durable nothing claims what is
        cut any more. Only then are the older files removed and shortened, and losing that is
        harmless: they stay superseded. A cut that keeps nothing, after the end of a snapshot, is
        how a log restarts there.
        """
        dropped = (*self.view.sealed, self.view.active)[len(cut.kept) :]
        restart = not cut.kept and cut.tail.position != ORIGIN
        self._begin(cut.tail, restart=restart, unproven=cut.lost)
        self.view = View(cut.kept, self._opened.segment, self.view.generation + 1, Cursors())
        self._remove(tuple(reversed(dropped)))
        if cut.kept and not cut.kept[-1].holes:
            seal(self._disk, cut.kept[-1])

    def releases(self, up_to: Offset) -> bool:
        """Whether there is a full segment that ends at or before this offset."""
        return bool(self.view.sealed) and self.view.sealed[0].last <= up_to

    def release(self, up_to: Offset) -> tuple[Segment, ...]:
        """Let go of the full segments that end at or before this offset, and return them.

        They are read no more. Their files are the caller's to remove, which may be lost.
        """
        sealed = self.view.sealed
        gone = tuple(segment for segment in sealed if segment.last <= up_to)
        if gone:
            self.view = msgspec.structs.replace(
                self.view, sealed=sealed[len(gone) :], generation=self.view.generation + 1
            )
        return gone

    def _remove(self, segments: Sequence[Segment]) -> None:
        names = self._disk.names()  # a sealed segment's summary may be lost
        for header in (segment.header for segment in segments):
            self._disk.remove(header.name)
            if header.summary_name in names:
                self._disk.remove(header.summary_name)

    def examine(self, name: str) -> Segment | None:
        """Read the segment with this file name anew; None if it is sound, or is no more.

        Any thread may call this: it changes nothing. Raises DiskError.
        """
        segments = (*self.view.sealed, self.view.active)
        held = next((s for s in segments if s.header.name == name), None)
        if held is None:
            return None
        found = scan_sealed(self._disk, self._limits, held.header, held.summary.tail)
        if not found.holes or found.holes == held.holes:
            return None
        return Segment(held.header, held.summary, found.holes)

    def damaged(self, examined: Segment) -> bool:
        """Take the holes that `examine` found for what they are; False if it is outdated.

        They are served no more. The active segment is finished first: it grows no hole. What was
        examined may have grown since, or been cut or written anew: then it is read once more.
        """
        if examined.header == self.view.active.header:
            self._roll()
        held = next((s for s in self.view.sealed if s.header == examined.header), None)
        if held is None:
            return False
        current = examined if held.summary == examined.summary else self.examine(held.header.name)
        return current is not None and self._replace(current)

    def repair(self, hole: Hole, entries: Sequence[Entry]) -> None:
        """Fill the front of a hole, or all of it, with entries that the caller has checked.

        The whole segment is written anew, proven as it lies there, synced and renamed. Raises
        RepairRefused when that doesn't work out: more of it is damaged, or the disk is full.
        """
        held = next(segment for segment in self.view.sealed if hole in segment.holes)
        try:
            fixed = self._written_anew(held, hole, entries)
        except (Unreadable, LogDamaged) as problem:
            examined = self.examine(hole.segment)
            if examined is not None:
                self._replace(examined)
            raise RepairRefused(f"{hole.segment}: more of it is damaged: {problem}") from problem
        self._replacing = True
        try:
            self._disk.rename(fixed.header.name + TEMPORARY, fixed.header.name)
            self._replace(fixed)
        finally:
            self._replacing = False
        self._disk.sync_directory(Sync.REPAIR_NAME)
        if not fixed.holes:
            _summarize(self._disk, fixed)

    def _written_anew(self, held: Segment, hole: Hole, entries: Sequence[Entry]) -> Segment:
        try:
            return write_repaired(
                self._disk, self._limits, held, hole, entries, nonce=self._random64()
            )
        except DiskError as problem:
            if not problem.full:
                raise
            if held.header.name + TEMPORARY in self._disk.names():  # not without room for the file
                self._disk.remove(held.header.name + TEMPORARY)
            raise RepairRefused(f"{hole.segment}: {problem}") from problem

    def same_generation(self, generation: int) -> bool:
        """Whether no file that a view of this generation knows was cut or written anew since.

        Any thread may ask, after a read failed. While a file gets its name the answer is no: the
        flag falls only after the new generation is there to be seen, so it is looked at first.
        """
        return not self._replacing and self.view.generation == generation

    def _replace(self, segment: Segment) -> bool:
        """Let readers see this in place of the sealed segment of its name, if it still counts."""
        sealed = tuple(
            segment if s.header.name == segment.header.name else s for s in self.view.sealed
        )
        if segment not in sealed:
            return False
        view = self.view
        self.view = View(sealed, view.active, view.generation + 1, Cursors())
        return True

    def close(self) -> None:
        """Give the active file back."""
        self._opened.file.close()

    def _write(self, entries: Sequence[Entry], room: int) -> None:
        active = self._opened.segment
        at = aligned(active.summary.end)
        if active.summary.end > SEGMENT_HEADER_BYTES and at + aligned(room) > self._opened.size:
            self._roll(aligned(room))
            if not entries:  # the new segment's header is the mark
                return
            active, at = self._opened.segment, SEGMENT_HEADER_BYTES
        self._make_room(at + aligned(room))
        mark = self.tail
        blocks, placed = self._blocks(entries, active, at)
        self._opened.file.write(at, blocks)
        self._opened.file.sync(Sync.BLOCK if entries else Sync.MARK)
        self._marked = mark.position
        end = placed[-1].block_end if placed else at + len(blocks)
        self._grow(active.summary.grown(placed, end, self._limits.index_interval_bytes))

    def _make_room(self, size: int) -> None:
        """Have the space of a write that is larger than a whole segment, before it begins."""
        if size <= self._opened.size:
            return
        try:
            self._opened.file.allocate(size)
        except DiskError as problem:
            if not problem.full:
                raise
            raise NoRoom(f"the disk is full: {problem}") from problem
        self._opened = Opened(self._opened.segment, self._opened.file, size)

    def _blocks(
        self, entries: Sequence[Entry], active: Segment, at: int
    ) -> tuple[bytes, list[Placed]]:
        nonce, tail = active.header.nonce, self.tail
        if not entries:
            base = tail.position.offset + 1
            mark = tail.position
            return encode_block(nonce=nonce, base=base, chain=tail.chain, mark=mark), []
        return encode_entries(
            entries,
            nonce=nonce,
            tail=tail,
            mark=tail.position,
            at=at,
            block_bytes=self._limits.block_bytes,
        )

    def _grow(self, summary: Summary) -> None:
        segment = Segment(self._opened.segment.header, summary)
        size = max(self._opened.size, aligned(summary.end))
        self._opened = Opened(segment, self._opened.file, size)
        self.view = msgspec.structs.replace(self.view, active=segment)
        if summary.end - self._noted_at >= self._limits.checkpoint_bytes:
            save_checkpoint(self._disk, segment)
            self._noted_at = summary.end

    def _roll(self, room: int = 0) -> None:
        """Begin a segment with this room after the tail, then seal the full one."""
        full = self._opened.segment
        self._begin(self.tail, room=room)
        sealed = (*self.view.sealed, full)
        self.view = msgspec.structs.replace(self.view, sealed=sealed, active=self._opened.segment)
        seal(self._disk, full)

    def _begin(
        self,
        predecessor: Tail,
        *,
        restart: bool = False,
        room: int = 0,
        unproven: Position | None = None,
    ) -> None:
        old = self._opened
        header = SegmentHeader(
            cluster_id=old.segment.header.cluster_id,
            sequence=old.segment.header.sequence + 1,
            nonce=self._random64(),
            predecessor=predecessor,
            restart=restart,
            unproven=still_unproven(predecessor, old.segment.header.unproven, unproven),
        )
        self._opened = begin_segment(self._disk, self._limits, self._reserve, header, room=room)
        self._marked = predecessor.position
        old.file.close()
        name = old.segment.header.checkpoint_name
        if self._noted_at > SEGMENT_HEADER_BYTES and name in self._disk.names():
            self._disk.remove(name)
        self._noted_at = SEGMENT_HEADER_BYTES


def still_unproven(tail: Tail, *unproven: Position | None) -> Position | None:
    """Return the furthest of these, unless the log has gone past all of them.

    An entry of a later term proves it too: its leader's log held all that was committed before.
    """
    beyond = [each for each in unproven if each is not None and each > tail.position]
    return max(beyond, default=None)


def seal(disk: Disk, segment: Segment) -> None:
    """Shorten a segment that gets no more entries to what counts, and write its summary.

    Tidying: nothing is synced, since a file that is longer, or lacks its summary, is scanned. For
    lack of space there is no summary.
    """
    file = disk.open(segment.header.name)
    try:
        if file.size() > segment.summary.end:
            file.truncate(segment.summary.end)
    finally:
        file.close()
    _summarize(disk, segment)


def _summarize(disk: Disk, segment: Segment) -> None:
    """Write a segment's summary; on a full disk there is none."""
    try:
        save_summary(disk, segment)
    except DiskError as problem:
        if not problem.full:
            raise
