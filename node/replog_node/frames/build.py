"""From a payload to the entry that follows the tail: done once, by the leader.

Decides: base offsets, leader epochs, flags and chain of a new frame. Work is per batch, never per
record, and the batches' bytes are copied once: this is the hot path.
Must not know: whether the payload may be appended (state/), who leads.
Read next: decode.py.
"""

from replog_node.frames.chain import link
from replog_node.frames.controls import encode_controls
from replog_node.frames.layout import (
    BATCH_LENGTH_EXTRA,
    BATCH_PLACE,
    CHAINED_HEADER,
    DIGEST_CRC32C,
    FLAG_CONFIGURATION,
    FLAG_CONTROL,
    FRAME_BYTES_MAX,
    FRAME_HEADER_BYTES,
    FrameDamaged,
    batch_header,
)
from replog_node.model.configuration import Configuration
from replog_node.model.controls import ConfigurationChanged
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import TERM_MAX, Offset, Term


class PayloadInvalid(ValueError):
    """The payload can't be an entry: empty, too large, or its batches contradict its count."""


def build_entry(payload: Payload, term: Term, tail: Tail, append_time_ms: int) -> Entry:
    """Return the entry with this payload that follows `tail` (model.entries.Framer). Pure.

    append_time_ms: log time, at least the tail's. Raises PayloadInvalid for a payload that can't
    be an entry and for a term or time below the tail's.
    """
    _check_order(term, tail, append_time_ms)
    base = tail.position.offset + 1
    parts, crcs, end = _placed(_batches(payload, append_time_ms), base, term)
    length = FRAME_HEADER_BYTES + sum(map(len, parts))
    if end != base + payload.count or not parts:
        raise PayloadInvalid(f"batches hold {end - base} records, not {payload.count}")
    if length > FRAME_BYTES_MAX:
        raise PayloadInvalid(f"an entry of {length} bytes exceeds {FRAME_BYTES_MAX}")
    configuration = _last_configuration(payload)
    flags = _flags(payload, configuration)
    header = CHAINED_HEADER.pack(
        length, base, end - 1, term, append_time_ms, flags, DIGEST_CRC32C, 0
    )
    chain = link(tail.chain, header, crcs)
    frame = b"".join((header, chain, *parts))
    return Entry(Offset(base), Offset(end - 1), term, append_time_ms, chain, frame, configuration)


def _check_order(term: Term, tail: Tail, append_time_ms: int) -> None:
    if not max(tail.position.term, 1) <= term <= TERM_MAX:
        raise PayloadInvalid(f"term {term} after term {tail.position.term}")
    if append_time_ms < tail.append_time_ms:
        raise PayloadInvalid(f"log time {append_time_ms} after {tail.append_time_ms}")


def _batches(payload: Payload, append_time_ms: int) -> tuple[bytes, ...]:
    if not payload.controls:
        return payload.batches
    return (encode_controls(payload.controls, append_time_ms), *payload.batches)


def _placed(
    batches: tuple[bytes, ...], base: int, term: Term
) -> tuple[list[bytes | memoryview], list[int], int]:
    """Return the batches as parts with base offset and leader epoch, their checksums, the end."""
    parts: list[bytes | memoryview] = []
    crcs: list[int] = []
    for batch in batches:
        try:
            header = batch_header(batch, 0)
        except FrameDamaged as problem:
            raise PayloadInvalid(str(problem)) from problem
        if header.end != len(batch) or header.last_delta < 0:
            raise PayloadInvalid("a batch's length or record count contradicts its bytes")
        parts.append(BATCH_PLACE.pack(base, len(batch) - BATCH_LENGTH_EXTRA, term))
        parts.append(memoryview(batch)[BATCH_PLACE.size :])
        crcs.append(header.crc)
        base += header.last_delta + 1
    return parts, crcs, base


def _last_configuration(payload: Payload) -> Configuration | None:
    for control in reversed(payload.controls):
        if isinstance(control, ConfigurationChanged):
            return control.configuration
    return None


def _flags(payload: Payload, configuration: Configuration | None) -> int:
    if not payload.controls:
        return 0
    return FLAG_CONTROL | (FLAG_CONFIGURATION if configuration is not None else 0)
