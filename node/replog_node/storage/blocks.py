"""The block: what is written at once, and the mark that says how far the log was durable before.

A block starts at a multiple of 512 bytes, big-endian:
  0 4 bytes magic · 4 u32 length of the frames · 8 u64 the segment's nonce · 16 u64 base: the
 offset of the first frame · 24 16 bytes chain of the frame before · 40 u64 mark's term
 48 i64 mark's offset · 56 u32 CRC-32C over bytes 0 to 55 · 60 u32 zero · 64 the frames
and is filled with zeros up to the next multiple of 512. Base and chain bind a block to its place;
the nonce, random for each segment, keeps old blocks, and records that look like blocks, from
being taken for blocks of it. The mark is the end of what an earlier fdatasync had covered when
the block was written. A block without frames only moves the mark.

Decides: the layout. Must not know: files, when a block is written.
Read next: walk.py, log.py.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from google_crc32c import value as crc32c

from replog_node.model.entries import Entry
from replog_node.model.positions import Offset, Position, Term

BLOCK_ALIGNMENT: Final = 512
"""A sector: the unit in which a power loss keeps or loses what was not synced."""

BLOCK_MAGIC: Final = b"RLbk"
BLOCK_HEADER_BYTES: Final = 64
_FIELDS: Final = Struct(">4sIQQ16sQq")
_CHECKSUM: Final = Struct(">I4x")


class BlockHeader(NamedTuple):
    """A block header whose checksum and nonce were right."""

    length: int
    base: int
    chain: bytes
    mark: Position


def aligned(size: int) -> int:
    """Return the next multiple of 512 at or above `size`."""
    return -(-size // BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT


def encode_block(
    *, nonce: int, base: int, chain: bytes, mark: Position, frames: Sequence[bytes] = ()
) -> bytes:
    """Return a whole block, padding included."""
    length = sum(map(len, frames))
    fields = _FIELDS.pack(BLOCK_MAGIC, length, nonce, base, chain, mark.term, mark.offset)
    end = BLOCK_HEADER_BYTES + length
    padding = bytes(aligned(end) - end)
    return b"".join((fields, _CHECKSUM.pack(crc32c(fields)), *frames, padding))


def decode_block_header(data: bytes, at: int, nonce: int) -> BlockHeader | None:
    """Return the header at byte `at` of `data`, or None if that is no block of this segment."""
    found = any_block_header(data, at)
    return found[1] if found is not None and found[0] == nonce else None


def any_block_header(data: bytes, at: int = 0) -> tuple[int, BlockHeader] | None:
    """Return the nonce and header of the block at byte `at` of `data`; None if there is none."""
    if len(data) - at < BLOCK_HEADER_BYTES or not data.startswith(BLOCK_MAGIC, at):
        return None
    fields = data[at : at + _FIELDS.size]
    if _CHECKSUM.unpack_from(data, at + _FIELDS.size)[0] != crc32c(fields):
        return None
    _, length, found, base, chain, term, offset = _FIELDS.unpack(fields)
    return found, BlockHeader(length, base, chain, Position(Term(term), Offset(offset)))


def split(entries: Sequence[Entry], block_bytes: int) -> list[list[Entry]]:
    """Return the entries in runs whose frames fit into a block; a larger one stands alone."""
    runs: list[list[Entry]] = []
    room = 0
    for entry in entries:
        if not runs or entry.size_bytes > room:
            runs.append([])
            room = block_bytes
        runs[-1].append(entry)
        room -= entry.size_bytes
    return runs
