"""Bodies of appends as one checked batch: a value, lines of JSON, a JSON array, or a batch itself.

Decides: how each content type becomes records, and what is told of the first one that is wrong
(its line or index). Nothing is appended of a body with any fault.
Must not know: batch bytes (replog.wire.batches), who appends.
Read next: replog/wire/batches.py.
"""

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec.structs import replace
from multidict import CIMultiDictProxy

from replog.wire.batches import CheckedBatch, NewRecord, build_batch, check_batch
from replog.wire.limits import TIMESTAMP_MAX_MS
from replog.wire.problems import ApiError
from replog.wire.schemas import Record
from replog_node.web.json_bodies import NOT_JSON
from replog_node.web.query import OFFSET_MAX, header_integer, single_header

OCTETS: Final = "application/octet-stream"
NDJSON: Final = "application/x-ndjson"
JSON: Final = "application/json"
BATCH: Final = "application/vnd.replog.batch"
APPEND_TYPES: Final = (OCTETS, NDJSON, JSON, BATCH)

QUICK_BYTES: Final = 16 * 1024
"""Records in a body up to this are decoded in a few ms even if they are as small as can be."""

QUICK_RECORDS: Final = 1000
QUICK_BATCH_BYTES: Final = 1024 * 1024
"""A batch of so few records is quick up to this: what costs is the record, not the byte."""

Headers = CIMultiDictProxy[str]

_CODEC_AT: Final = 22
"""The byte of a batch's attributes that names its codec."""

_COUNT_AT: Final = 57
"""Where a batch says how many records it has; no more than those are ever decoded."""

_STAMP_IT: Final = "within a producer session give each record its timestamp, or a repeat differs"
"""The moment of arrival would make each repeat another batch, hence a sequence_conflict."""

_RECORD: Final = msgspec.json.Decoder(Record)
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
IF_LAST_RECORD: Final = "If-Last-Record"
_PRODUCER_HEADERS: Final = ("Producer-Id", "Producer-Epoch", "Producer-Sequence")
_RECORD_HEADERS: Final = ("Replog-Key", "Replog-Timestamp-Ms", "Replog-Header")


class ProducerStamp(msgspec.Struct, frozen=True):
    """The producer headers: session, epoch, sequence of the first record."""

    producer_id: int = -1
    epoch: int = -1
    sequence: int = -1


_NO_PRODUCER: Final = ProducerStamp()


def is_quick(content_type: str, body: bytes) -> bool:
    """Whether `batch_of` takes so little time that nobody who shares the loop notices."""
    if content_type == OCTETS:
        return True
    if content_type != BATCH:
        return len(body) <= QUICK_BYTES
    if body[_CODEC_AT : _CODEC_AT + 1] != b"\0":
        return False
    few = int.from_bytes(body[_COUNT_AT : _COUNT_AT + 4]) <= QUICK_RECORDS
    return len(body) <= (QUICK_BATCH_BYTES if few else QUICK_BYTES)


def batch_of(content_type: str, headers: Headers, body: bytes) -> CheckedBatch:
    """Return the batch that a request with this body asks to append.

    Raises ApiError header_invalid, json_invalid, record_invalid, batch_invalid.
    """
    batch = _built(content_type, headers, body)
    condition = single_header(headers, IF_LAST_RECORD)
    return batch if condition is None else replace(batch, if_last_record=_offset(condition))


def _offset(condition: str) -> int:
    """The offset that the condition names; -1 for none."""
    if condition == "none":
        return -1
    return header_integer(IF_LAST_RECORD, condition, 0, OFFSET_MAX)


def _built(content_type: str, headers: Headers, body: bytes) -> CheckedBatch:
    if content_type != OCTETS:
        _refuse_record_headers(headers)
    stamp = _producer(headers)
    now_ms = None if stamp is not _NO_PRODUCER else time.time_ns() // 1_000_000
    match content_type:
        case "application/octet-stream":
            records: Sequence[NewRecord] = (_single(headers, body, now_ms),)
        case "application/x-ndjson":
            records = _lines(body, now_ms)
        case "application/json":
            records = _array(body, now_ms)
        case _:
            return _ready_made(body, stamp)
    return build_batch(
        records,
        producer_id=stamp.producer_id,
        producer_epoch=stamp.epoch,
        base_sequence=stamp.sequence,
    )


def _ready_made(body: bytes, stamp: ProducerStamp) -> CheckedBatch:
    """A batch that the client built, checked from end to end; its header says whose it is."""
    batch = check_batch(body)
    within = ProducerStamp(batch.producer_id, batch.producer_epoch, batch.base_sequence)
    if stamp not in (_NO_PRODUCER, within):
        raise ApiError("batch_invalid", "the producer headers contradict the batch")
    return batch


def _producer(headers: Headers) -> ProducerStamp:
    """The producer headers, all or none."""
    texts = [single_header(headers, name) for name in _PRODUCER_HEADERS]
    if texts == [None, None, None]:
        return _NO_PRODUCER
    ranges = (2**63 - 1, 2**15 - 1, 2**31 - 1)
    values = []
    for name, text, most in zip(_PRODUCER_HEADERS, texts, ranges, strict=True):
        if text is None:
            raise ApiError(
                "header_invalid",
                f"{name} is missing; {', '.join(_PRODUCER_HEADERS)} come together",
                header=name,
            )
        values.append(header_integer(name, text, 0, most))
    return ProducerStamp(*values)


def _refuse_record_headers(headers: Headers) -> None:
    """Headers that describe one record say nothing about many: better refused than ignored."""
    for name in _RECORD_HEADERS:
        if name in headers:
            raise ApiError("header_invalid", f"{name} goes with {OCTETS} only", header=name)


def _single(headers: Headers, body: bytes, now_ms: int | None) -> NewRecord:
    """The record whose value is the body."""
    key = single_header(headers, "Replog-Key")
    timestamp = single_header(headers, "Replog-Timestamp-Ms")
    if timestamp is None and now_ms is None:
        raise ApiError("header_invalid", _STAMP_IT, header="Replog-Timestamp-Ms")
    given = headers.getall("Replog-Header", ())
    return NewRecord(
        value=body,
        key=None if key is None else _decoded("Replog-Key", key),
        headers=tuple(_record_header(text) for text in given),
        timestamp_ms=(now_ms or 0)
        if timestamp is None
        else header_integer("Replog-Timestamp-Ms", timestamp, 0, TIMESTAMP_MAX_MS),
    )


def _record_header(text: str) -> tuple[str, bytes]:
    """`name=value`, each percent-encoded where it must be."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ApiError("header_invalid", "Replog-Header: not name=value", header="Replog-Header")
    try:
        return _decoded("Replog-Header", name).decode(), _decoded("Replog-Header", value)
    except UnicodeDecodeError:
        raise ApiError(
            "header_invalid", "Replog-Header: the name is not UTF-8", header="Replog-Header"
        ) from None


def _decoded(name: str, text: str) -> bytes:
    """The bytes that a percent-encoded header stands for."""
    if text.isascii() and "%" not in text:
        return text.encode()
    try:
        if _BAD_PERCENT.search(text):
            raise ValueError(text)
        return unquote_to_bytes(text)
    except ValueError:
        raise ApiError(
            "header_invalid", f"{name}: not percent-encoded UTF-8", header=name
        ) from None


def _lines(body: bytes, now_ms: int | None) -> list[NewRecord]:
    """One record a line; the last line may lack its end."""
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return _records(lines, now_ms, lambda at: {"line": at + 1})


def _array(body: bytes, now_ms: int | None) -> list[NewRecord]:
    """An array of records."""
    try:
        items = _ITEMS.decode(body)
    except msgspec.ValidationError:
        raise ApiError("record_invalid", "the body is not an array of records") from None
    except NOT_JSON as error:
        raise ApiError("json_invalid", f"the body is not JSON: {error}") from None
    return _records(items, now_ms, lambda at: {"index": at})


def _records(
    texts: Sequence[bytes | msgspec.Raw],
    now_ms: int | None,
    place: Callable[[int], Mapping[str, int]],
) -> list[NewRecord]:
    """Decode each; a fault tells its place."""
    found: list[NewRecord] = []
    decode = _RECORD.decode
    try:
        for text in texts:
            found.append(_new_record(decode(text), now_ms))
    except (msgspec.ValidationError, _RecordFault) as error:
        raise _fault("record_invalid", place(len(found)), str(error)) from None
    except NOT_JSON as error:
        raise _fault("json_invalid", place(len(found)), str(error)) from None
    return found


def _fault(code: str, place: Mapping[str, int], why: str) -> ApiError:
    where = ", ".join(f"{name} {number}" for name, number in place.items())
    return ApiError(code, f"{where}: {why}", **place)


class _RecordFault(ValueError):
    """A record that JSON can say and a batch can't hold."""


def _new_record(record: Record, now_ms: int | None) -> NewRecord:
    """The record in bytes."""
    timestamp_ms = record.timestamp_ms
    if timestamp_ms is None:
        if now_ms is None:
            raise _RecordFault(_STAMP_IT)
        timestamp_ms = now_ms
    elif not 0 <= timestamp_ms <= TIMESTAMP_MAX_MS:
        raise _RecordFault(f"timestamp_ms is not within 0…{TIMESTAMP_MAX_MS}")
    return NewRecord(
        value=_content("value", record.value, record.value_base64),
        key=_content("key", record.key, record.key_base64),
        headers=tuple((name, text.encode()) for name, text in record.headers),
        timestamp_ms=timestamp_ms,
    )


def _content(name: str, text: str | None, encoded: str | None) -> bytes | None:
    """The bytes of a value or key; None when neither form is given."""
    if encoded is None:
        return None if text is None else text.encode()
    if text is not None:
        raise _RecordFault(f"give {name} or {name}_base64, not both")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise _RecordFault(f"{name}_base64 is not base64") from None
