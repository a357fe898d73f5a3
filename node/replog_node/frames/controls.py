"""Control records in bytes: a control batch of Kafka's format.

A record's key is two i16, version and type, as in Kafka's own control records; its value is the
control's fields as JSON. The batch has the control bit, no producer and no compression.

Decides: that encoding, in both directions. Must not know: what a control means.
Read next: build.py, decode.py.
"""

from collections.abc import Sequence
from struct import Struct, error
from typing import Final, cast

import msgspec
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from google_crc32c import value as crc32c

from replog_node.frames.layout import (
    BATCH_CHECKED_AT,
    BATCH_CONTROL_BIT,
    BATCH_MAGIC,
    BATCH_SUM_AT,
    FrameDamaged,
)
from replog_node.model.controls import CONTROL_TYPES, ConfigurationChanged, Control
from replog_node.model.positions import Offset

CONTROL_BATCH_BYTES_MAX: Final = 1024 * 1024
"""The controls of one entry are refused beyond this; the largest is a configuration, a few KiB."""

_KEY: Final = Struct(">hh")
_CHECKSUM: Final = Struct(">I")
_ATTRIBUTES: Final = Struct(">h")
_KIND_OF_KEY: Final = {
    _KEY.pack(version, number): kind for kind, (number, version) in CONTROL_TYPES.items()
}
_CONFIGURATION_TYPE: Final = CONTROL_TYPES[ConfigurationChanged][0]


class UnknownControl(Exception):
    """A sound control record of a kind or version that this build doesn't know: stop applying."""


class ControlsTooLarge(ValueError):
    """The controls of one entry exceed CONTROL_BATCH_BYTES_MAX."""


def encode_controls(controls: Sequence[Control], time_ms: int) -> bytes:
    """Return one control batch with these controls, in order; its base offset is not yet set."""
    builder = DefaultRecordBatchBuilder(
        magic=BATCH_MAGIC,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=CONTROL_BATCH_BYTES_MAX,
    )
    for delta, control in enumerate(controls):
        number, version = CONTROL_TYPES[type(control)]
        value = msgspec.json.encode(control)
        if builder.append(delta, time_ms, _KEY.pack(version, number), value, []) is None:
            raise ControlsTooLarge(f"controls of one entry exceed {CONTROL_BATCH_BYTES_MAX} bytes")
    return _as_control_batch(builder.build())


def _as_control_batch(batch: bytearray) -> bytes:
    """Set the control bit, for which the codec has no parameter, and the checksum over it."""
    (attributes,) = _ATTRIBUTES.unpack_from(batch, BATCH_CHECKED_AT)
    _ATTRIBUTES.pack_into(batch, BATCH_CHECKED_AT, attributes | BATCH_CONTROL_BIT)
    _CHECKSUM.pack_into(batch, BATCH_SUM_AT + 1, crc32c(bytes(batch[BATCH_CHECKED_AT:])))
    return bytes(batch)


def decode_controls(batch: bytes) -> tuple[tuple[Offset, Control], ...]:
    """Return the controls of a control batch with their offsets, in order.

    Raises FrameDamaged for what no version of this program wrote, UnknownControl for what a newer
    one may have written.
    """
    return tuple((offset, _decode(key, value)) for offset, key, value in _records(batch))


def decode_configurations(batch: bytes) -> tuple[tuple[Offset, ConfigurationChanged], ...]:
    """Return only the configurations of a control batch: they take effect before applying does.

    Unknown kinds beside them are left for the one who applies; an unknown version of a
    configuration raises UnknownControl.
    """
    found = [
        (offset, _decode(key, value))
        for offset, key, value in _records(batch)
        if _type_of(key) == _CONFIGURATION_TYPE
    ]
    return tuple((offset, c) for offset, c in found if isinstance(c, ConfigurationChanged))


def _records(batch: bytes) -> list[tuple[Offset, bytes, bytes]]:
    try:
        records = list(DefaultRecordBatch(batch))
    except Exception as problem:  # the codec raises whatever its parsing runs into
        raise FrameDamaged(f"a control batch doesn't parse: {problem}") from problem
    return [(Offset(r.offset), bytes(r.key or b""), bytes(r.value or b"")) for r in records]


def _type_of(key: bytes) -> int:
    try:
        return cast(int, _KEY.unpack(key)[1])
    except error as problem:
        raise FrameDamaged(f"a control record's key is {len(key)} bytes, not 4") from problem


def _decode(key: bytes, value: bytes) -> Control:
    kind = _KIND_OF_KEY.get(key)
    if kind is None:
        raise UnknownControl(
            f"a control record of type {_type_of(key)} with key {key.hex()} is not known to this"
            " build: a newer one wrote it, so run that"
        )
    try:
        return cast(Control, msgspec.json.decode(value, type=kind))
    except msgspec.MsgspecError as problem:
        raise FrameDamaged(f"a {kind.__name__} record doesn't parse: {problem}") from problem
