"""One pass over the entries of a segment, each proven before it is given.

Recovery walks to find out how far a segment is sound; reads walk within what is known to be there.
Both take an entry only if its block header, its checksums, its offsets and its chain are right.

Decides: what counts as an entry of a segment, byte by byte.
Must not know: what it means that one is missing.
Read next: reader.py, recovery.py.
"""

from replog_node.frames.controls import UnknownControl
from replog_node.frames.decode import decode_entry, follows
from replog_node.frames.layout import (
    FRAME_HEADER_BYTES,
    FrameDamaged,
    FrameHeader,
    frame_header,
)
from replog_node.model.positions import ORIGIN, Position
from replog_node.storage.blocks import BLOCK_HEADER_BYTES, aligned, decode_block_header
from replog_node.storage.disk import File
from replog_node.storage.errors import FormatUnknown
from replog_node.storage.summary import Place, Placed


class Unreadable(Exception):
    """There is no sound entry here. block_at: where the last block looked at begins."""

    def __init__(self, base: int, block_at: int, what: str) -> None:
        """Keep the offset that was expected, the block, and what is wrong."""
        super().__init__(what)
        self.base = base
        self.block_at = block_at


class Window:
    """A file read in large pieces, ahead of a walk."""

    def __init__(self, file: File, read_bytes: int) -> None:
        """Look at `file`, at least `read_bytes` at a time."""
        self._file = file
        self._read_bytes = read_bytes
        self._start = 0
        self._data = b""

    def look(self, at: int, length: int) -> tuple[bytes, int]:
        """Return bytes that hold what the file has of these, and where in them `at` is."""
        if not self._start <= at <= at + length <= self._start + len(self._data):
            self._data = self._file.read(at, max(length, self._read_bytes))
            self._start = at
        return self._data, at - self._start

    def take(self, at: int, length: int) -> bytes:
        """Return exactly the bytes from `at` on, fewer only at the file's end."""
        data, within = self.look(at, length)
        return data[within : within + length]


class Walk:
    """Stands before an entry and steps over it. mark: the highest of the blocks entered."""

    def __init__(self, window: Window, nonce: int, place: Place, mark: Position = ORIGIN) -> None:
        """Stand at `place` in the segment with this nonce."""
        self._window = window
        self._nonce = nonce
        self._block_at = place.at
        self.place = place
        self.mark = mark

    def next(self) -> Placed:
        """Return the entry here, proven, and step over it; raises Unreadable, FormatUnknown."""
        header = self._enter()
        _, at, block_end, chain = self.place
        frame = self._window.take(at, header.length)
        try:
            entry = decode_entry(frame)
        except FrameDamaged as problem:
            raise self._unreadable(str(problem)) from problem
        except UnknownControl as problem:
            raise FormatUnknown(f"at offset {self.place.base}: {problem}") from problem
        if not follows(chain, entry):
            raise self._unreadable("a frame doesn't follow the one before it")
        self._step(header)
        return Placed(entry, at, block_end)

    def skip_to(self, offset: int) -> None:
        """Step over entries, unproven, up to the one that holds `offset`; raises Unreadable."""
        while (header := self._enter()).last < offset:
            self._step(header)

    def skip_to_time(self, time_ms: int) -> None:
        """Step over entries, unproven, up to one that is no older; raises Unreadable."""
        while (header := self._enter()).append_time_ms < time_ms:
            self._step(header)

    def _enter(self) -> FrameHeader:
        """Return the header of the frame here, after entering its block if need be."""
        while self.place.at == self.place.block_end:
            self._enter_block()
        base, at, block_end, _ = self.place
        data, within = self._window.look(at, FRAME_HEADER_BYTES)
        try:
            header = frame_header(data, within)
        except FrameDamaged as problem:
            raise self._unreadable(str(problem)) from problem
        if header.base != base or header.last < base or at + header.length > block_end:
            raise self._unreadable(f"a frame of offset {header.base} that doesn't fit here")
        return header

    def _enter_block(self) -> None:
        base, at, _, chain = self.place
        self._block_at = at = aligned(at)
        data, within = self._window.look(at, BLOCK_HEADER_BYTES)
        block = decode_block_header(data, within, self._nonce)
        if block is None:
            raise self._unreadable("no block begins here")
        if (block.base, block.chain) != (base, chain):
            raise self._unreadable(f"the block of offset {block.base} doesn't follow")
        self.mark = max(self.mark, block.mark)
        start = at + BLOCK_HEADER_BYTES
        # An empty block's end is its padded one, so that the next step looks behind it.
        end = start + block.length if block.length else aligned(start)
        self.place = Place(base, start if block.length else end, end, chain)

    def _step(self, header: FrameHeader) -> None:
        at, block_end = self.place.at + header.length, self.place.block_end
        self.place = Place(header.last + 1, at, block_end, header.chain)

    def _unreadable(self, what: str) -> Unreadable:
        return Unreadable(self.place.base, self._block_at, what)
