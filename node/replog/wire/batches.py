"""Record batches v2 (Kafka's format, magic 2): build them, read them, and believe none unchecked.

Decides: what a batch from outside must be like (design section 3, Appends). The codec is
aiokafka's.
Must not know: frames, offsets in a log (a batch gets its base offset when it is appended).
Read next: limits.py.
"""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, repeat
from struct import Struct, error
from typing import Any, Final, NamedTuple, Protocol, cast

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from google_crc32c import value as crc32c

from replog.wire.limits import (
    BATCH_BYTES_MAX,
    BATCH_INNER_BYTES_MAX,
    BATCH_RECORDS_MAX,
    SEQUENCES,
    TIMESTAMP_MAX_MS,
)
from replog.wire.problems import ApiError

_HEADER: Final = Struct(">qiibIhiqqqhii")
_CHECKED_AT: Final = 21
_LENGTH_EXTRA: Final = 12
_CODEC_MASK: Final = 0x07
_GZIP: Final = 1
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_KNOWN_ATTRIBUTES: Final = _CODEC_MASK | 0x08
_CODECS: Final = {0: "none", _GZIP: "gzip"}
_GZIP_WINDOW: Final = 31
_PIECE_BYTES: Final = 1024 * 1024
HEADER_BYTES: Final = _HEADER.size


class NewRecord(NamedTuple):
    """A record to be appended. headers: (name, value); timestamp_ms: the user's own time."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp_ms: int = 0


class StoredRecord(Protocol):
    """A record as read: offset, timestamp (ms), key, value, headers."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


class CheckedBatch(msgspec.Struct, frozen=True):
    """A batch that the log may hold.

    producer_id, producer_epoch, base_sequence: -1 without a session.

    crc: of the batch, which covers everything but base offset and leader epoch: the same batch
    sent again has the same.

    if_last_record: append it only while this is the offset of the log's last data record (-1: only
    while the log has none); None: in any case. It isn't part of the bytes.
    """

    data: bytes
    count: int
    crc: int
    producer_id: int = -1
    producer_epoch: int = -1
    base_sequence: int = -1
    if_last_record: int | None = None

    @property
    def last_sequence(self) -> int:
        """The sequence of its last record."""
        return (self.base_sequence + self.count - 1) % SEQUENCES


class _Header(NamedTuple):
    base: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_delta: int
    first_ms: int
    max_ms: int
    producer_id: int
    epoch: int
    sequence: int
    records: int


def build_batch(
    records: Iterable[NewRecord],
    *,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    gzip: bool = False,
) -> CheckedBatch:
    """Return one batch of these records; raises ApiError batch_invalid if they can't be one."""
    builder = _builder(producer_id, producer_epoch, base_sequence, gzip=gzip)
    number = 0
    append = builder.append
    for value, key, headers, timestamp_ms in records:
        if append(number, timestamp_ms, key, value, list(headers)) is None:
            raise ApiError("batch_invalid", f"more than {BATCH_INNER_BYTES_MAX} bytes of records")
        number += 1
    return _built(builder, number, producer_id, producer_epoch, base_sequence)


def build_values(
    values: Sequence[bytes],
    *,
    key: bytes | None = None,
    timestamp_ms: int,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    gzip: bool = False,
) -> CheckedBatch:
    """As build_batch, for values that share all the rest: no Python runs per record."""
    builder = _builder(producer_id, producer_epoch, base_sequence, gzip=gzip)
    taken = map(builder.append, count(), repeat(timestamp_ms), repeat(key), values, repeat([]))
    if not all(taken):  # each answer is an object, None where there is no room
        raise ApiError("batch_invalid", f"more than {BATCH_INNER_BYTES_MAX} bytes of records")
    return _built(builder, len(values), producer_id, producer_epoch, base_sequence)


def _builder(producer_id: int, epoch: int, sequence: int, *, gzip: bool) -> Any:
    return DefaultRecordBatchBuilder(
        magic=2,
        compression_type=_GZIP if gzip else 0,
        is_transactional=0,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=sequence,
        batch_size=BATCH_INNER_BYTES_MAX,
    )


def _built(builder: Any, number: int, producer_id: int, epoch: int, sequence: int) -> CheckedBatch:
    if not number:
        raise ApiError("batch_invalid", "a batch needs at least one record")
    data = bytes(builder.build())
    header = _Header._make(_HEADER.unpack_from(data))
    _check_bounds(header, len(data))
    return CheckedBatch(data, number, header.crc, producer_id, epoch, sequence)


def check_batch(data: bytes) -> CheckedBatch:
    """Return the batch that these bytes are; raises ApiError batch_invalid with the first fault.

    Everything is checked: sizes, magic, checksum, attributes, counts, and that the records within
    decode, one after the other, within BATCH_INNER_BYTES_MAX, each with a timestamp in its range.
    """
    batch = recheck_batch(data)
    _check_records(data, _header(data))
    return batch


def recheck_batch(data: bytes) -> CheckedBatch:
    """As check_batch, but for a batch that a member has checked and sent on: its records aren't
    decoded again, so a large or compressed one costs no more than its checksum."""
    header = _header(data)
    _check_bounds(header, len(data))
    _check_attributes(header)
    if crc32c(data[_CHECKED_AT:]) != header.crc:
        raise _invalid("the checksum does not match")
    _check_producer(header)
    return CheckedBatch(
        data, header.records, header.crc, header.producer_id, header.epoch, header.sequence
    )


def records_of(data: bytes | memoryview) -> Iterator[StoredRecord]:
    """Iterate the records of a stored batch, with their offsets. The batch must be sound."""
    return cast(Iterator[StoredRecord], iter(DefaultRecordBatch(bytes(data))))


def split_batches(data: bytes) -> list[bytes]:
    """Return the batches that were served one after the other; each is checked by its checksum.

    Raises ValueError if the bytes are not whole, sound batches.
    """
    found: list[bytes] = []
    at = 0
    while at < len(data):
        if len(data) - at < HEADER_BYTES:
            raise ValueError(f"no whole batch at byte {at}")
        header = _header(data[at : at + HEADER_BYTES])
        end = at + _LENGTH_EXTRA + header.length
        batch = data[at:end]
        if header.magic != 2 or header.length < HEADER_BYTES - _LENGTH_EXTRA or end > len(data):
            raise ValueError(f"no whole batch at byte {at}")
        if crc32c(batch[_CHECKED_AT:]) != header.crc:
            raise ValueError(f"the checksum of the batch at byte {at} does not match")
        found.append(batch)
        at = end
    return found


def _header(data: bytes) -> _Header:
    try:
        return _Header._make(_HEADER.unpack_from(data))
    except error as problem:
        raise _invalid(f"{len(data)} bytes are no batch") from problem


def _check_bounds(header: _Header, length: int) -> None:
    if length > BATCH_BYTES_MAX:
        raise _invalid(f"{length} bytes exceed {BATCH_BYTES_MAX}")
    if header.length + _LENGTH_EXTRA != length:
        raise _invalid(f"the length says {header.length + _LENGTH_EXTRA}, there are {length} bytes")
    if not 1 <= header.records <= BATCH_RECORDS_MAX:
        raise _invalid(f"{header.records} records")
    if header.last_delta != header.records - 1:
        raise _invalid(
            f"the last offset delta {header.last_delta} contradicts {header.records} records"
        )


def _check_attributes(header: _Header) -> None:
    if header.magic != 2:
        raise _invalid(f"magic {header.magic}, not 2")
    if header.attributes & (_TRANSACTIONAL | _CONTROL):
        raise _invalid("control and transactional batches are not a client's")
    if header.attributes & ~_KNOWN_ATTRIBUTES:
        raise _invalid(f"unknown attributes {header.attributes:#x}")
    if header.attributes & _CODEC_MASK not in _CODECS:
        raise _invalid(f"unknown codec {header.attributes & _CODEC_MASK}: use none or gzip")


def _check_producer(header: _Header) -> None:
    stamp = (header.producer_id, header.epoch, header.sequence)
    if stamp != (-1, -1, -1) and min(stamp) < 0:
        raise _invalid(f"producer id, epoch and sequence {stamp}: all or none")


def _check_records(data: bytes, header: _Header) -> None:
    if header.attributes & _CODEC_MASK == _GZIP:
        _check_inner_size(data[HEADER_BYTES:])
    _check_time("first timestamp", header.first_ms)
    _check_time("max timestamp", header.max_ms)
    found = least_ms = greatest_ms = 0
    try:
        for record in DefaultRecordBatch(data):
            if record.offset - header.base != found:
                raise _invalid(f"record {found} has offset delta {record.offset - header.base}")
            found += 1
            stamp_ms = record.timestamp  # neither min() nor max(): they'd be half of the check
            if stamp_ms > greatest_ms:
                greatest_ms = stamp_ms
            elif stamp_ms < least_ms:
                least_ms = stamp_ms
    except ApiError:
        raise
    except Exception as problem:  # the codec raises whatever its parsing runs into
        raise _invalid(f"record {found} does not decode") from problem
    if found != header.records:
        raise _invalid(f"{found} records where the header says {header.records}")
    _check_time("timestamp of a record", least_ms)
    if greatest_ms != header.max_ms:
        raise _invalid(f"the max timestamp {header.max_ms} is not the greatest, {greatest_ms}")


def _check_time(what: str, time_ms: int) -> None:
    if not 0 <= time_ms <= TIMESTAMP_MAX_MS:
        raise _invalid(f"{what} {time_ms}: not within 0…{TIMESTAMP_MAX_MS} ms")


def _check_inner_size(compressed: bytes) -> None:
    """Refuse what would grow beyond the limit, without ever holding more than a piece of it.

    Exactly one whole gzip member: the codec would go on into a second one, which wasn't measured.
    """
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    total = 0
    left = compressed
    stuck = False
    try:
        while not inflate.eof and not stuck:
            grown = len(inflate.decompress(left, _PIECE_BYTES))
            left = inflate.unconsumed_tail
            stuck = not grown and not left
            total += grown
            if total > BATCH_INNER_BYTES_MAX:
                raise _invalid(f"decompressed it exceeds {BATCH_INNER_BYTES_MAX} bytes")
    except zlib.error as problem:
        raise _invalid("the records do not decompress") from problem
    if not inflate.eof or inflate.unused_data:
        raise _invalid("the records are not one whole gzip stream")


def _invalid(what: str) -> ApiError:
    return ApiError("batch_invalid", what)


class Stamp(NamedTuple):
    """Whose a batch is, and which: the fields of its header that the fold of a log needs."""

    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int
    crc: int
    base_offset: int


def stamp_of(data: bytes | memoryview) -> Stamp:
    """Return the stamp of a sound batch."""
    header = _Header._make(_HEADER.unpack_from(data))
    return Stamp(
        header.producer_id, header.epoch, header.sequence, header.records, header.crc, header.base
    )
