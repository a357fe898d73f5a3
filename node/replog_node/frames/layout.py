"""The bytes of a frame and of the record batches in it: where each field lies, and the limits.

A frame, big-endian (docs/on-disk.md):
  0 u32 length of the whole frame     4 u64 base offset       12 u64 last offset    20 u64 term
 28 i64 append time, ms of log time  36 u16 flags             38 u8 digest algorithm 39 u8 zero
 40 16 bytes chain                   56 record batches, one after the other
A record batch is Kafka's version 2 (magic 2), of which the fields below are used here; its
checksum covers everything from byte 21 on, so base offset and leader epoch can be filled in.

Decides: the layout. Must not know: why an entry is written.
Read next: chain.py, build.py.
"""

from struct import Struct
from typing import Final, NamedTuple

FRAME_HEADER: Final = Struct(">IQQQqHBB16s")
"""The frame's header: length, base, last, term, append time, flags, algorithm, zero, chain."""

CHAINED_HEADER: Final = Struct(">IQQQqHBB")
"""The part of the header that the chain covers: all of it but the chain."""

FRAME_HEADER_BYTES: Final = FRAME_HEADER.size
CHAIN_BYTES: Final = 16

FRAME_BYTES_MAX: Final = 32 * 1024 * 1024
"""A larger frame is neither built nor believed: no length field makes anybody allocate more."""

FLAG_CONTROL: Final = 1
"""The first batch is a control batch."""

FLAG_CONFIGURATION: Final = 2
"""The control batch holds a configuration."""

FLAGS_KNOWN: Final = FLAG_CONTROL | FLAG_CONFIGURATION

DIGEST_CRC32C: Final = 0
"""Digest algorithm 0: a batch's digest is its own CRC-32C."""

BATCH_BYTES_MIN: Final = 61
"""A record batch without records: only its header."""

BATCH_PLACE: Final = Struct(">qii")
"""A batch's first 16 bytes: base offset, length after byte 12, leader epoch. Not checksummed."""

BATCH_SUM: Final = Struct(">BIhi")
"""Bytes 16 to 26 of a batch: magic, CRC-32C, attributes, last offset delta."""

BATCH_SUM_AT: Final = 16
BATCH_CHECKED_AT: Final = 21
"""The first byte that a batch's checksum covers."""

BATCH_COUNT: Final = Struct(">i")
BATCH_COUNT_AT: Final = 57
"""Where a batch says how many records it holds."""

BATCH_LENGTH_EXTRA: Final = 12
"""A batch's length field doesn't count these first bytes."""

BATCH_MAGIC: Final = 2
BATCH_CONTROL_BIT: Final = 0x20
"""The attribute bit of a control batch."""


class FrameDamaged(ValueError):
    """These bytes are not a whole, sound frame. Nothing of them may be used."""


class FrameHeader(NamedTuple):
    """The fields of a frame's header as they stand, believed only once the frame is decoded."""

    length: int
    base: int
    last: int
    term: int
    append_time_ms: int
    flags: int
    algorithm: int
    zero: int
    chain: bytes


def frame_header(data: bytes | memoryview, at: int = 0) -> FrameHeader:
    """Return the header that starts at byte `at`; raises FrameDamaged if its length is absurd."""
    if len(data) - at < FRAME_HEADER_BYTES:
        raise FrameDamaged("the bytes end within the frame's header")
    header = FrameHeader._make(FRAME_HEADER.unpack_from(data, at))
    if not FRAME_HEADER_BYTES + BATCH_BYTES_MIN <= header.length <= FRAME_BYTES_MAX:
        raise FrameDamaged(f"a frame can't be {header.length} bytes long")
    return header


class BatchHeader(NamedTuple):
    """What of a batch's header matters here. end: the batch's first byte after it, in the frame."""

    at: int
    end: int
    base: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int


def batch_header(data: bytes | memoryview, at: int) -> BatchHeader:
    """Return the header of the batch at byte `at`; raises FrameDamaged if it can't fit."""
    if len(data) - at < BATCH_BYTES_MIN:
        raise FrameDamaged("the bytes end within a batch's header")
    base, length, leader_epoch = BATCH_PLACE.unpack_from(data, at)
    end = at + BATCH_LENGTH_EXTRA + length
    if not at + BATCH_BYTES_MIN <= end <= len(data):
        raise FrameDamaged(f"a batch's length, {length}, doesn't fit into its frame")
    return BatchHeader(at, end, base, leader_epoch, *BATCH_SUM.unpack_from(data, at + BATCH_SUM_AT))
