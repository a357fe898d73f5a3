"""The folded state as bytes: what a snapshot holds, equal on all members at equal offset.

An image is named parts, each with a version of its own, in the order of their names. What joins
the fold later (tables, locks, groups) is one more part; a build that meets a part or version that
it doesn't know refuses the image, since a fold that leaves something out would differ from others.

Decides: that encoding, in both directions. Must not know: what the parts mean, files.
Read next: applied.py; docs/on-disk.md has the table.
"""

from typing import Any, Final, NamedTuple

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Tail
from replog_node.model.positions import ClusterId, Lineage, Offset
from replog_node.state.producers import Session


class StateDamaged(ValueError):
    """These bytes are no image of a state, although their checksum may be right."""


class StateUnknown(ValueError):
    """A newer build wrote this image: it holds what this one can't fold on."""


class LogPart(msgspec.Struct, frozen=True, array_like=True):
    """What the state knows of the log itself; AppliedState says what each is."""

    offset: Offset
    last_record: Offset
    log_time_ms: int
    tail: Tail | None
    cluster_id: ClusterId | None
    lineage: Lineage | None
    log_start: Offset
    configuration: Configuration | None
    configuration_offset: Offset
    point: Offset
    bytes_since_point: int


class ProducersPart(msgspec.Struct, frozen=True, array_like=True):
    """Producer sessions by id, and request keys with the sessions that they made, both ordered."""

    next_producer_id: int
    sessions: tuple[Session, ...]
    by_request: tuple[tuple[str, int], ...]


class _Part(msgspec.Struct, frozen=True, array_like=True):
    name: str
    version: int
    content: msgspec.Raw


class _Image(msgspec.Struct, frozen=True, array_like=True):
    version: int
    parts: tuple[_Part, ...]


class Parts(NamedTuple):
    """The parts of an image that this build knows: all of them."""

    log: LogPart
    producers: ProducersPart


IMAGE_VERSION: Final = 1
_KINDS: Final[dict[tuple[str, int], type[Any]]] = {
    ("log", 1): LogPart,
    ("producers", 1): ProducersPart,
}
_ENCODER: Final = msgspec.msgpack.Encoder(order="deterministic")
_IMAGE: Final = msgspec.msgpack.Decoder(_Image)


def encode_image(log: LogPart, producers: ProducersPart) -> bytes:
    """Return the image of these parts; equal parts give equal bytes."""
    contents = (log, producers)
    parts = tuple(
        _Part(name, version, msgspec.Raw(_ENCODER.encode(content)))
        for (name, version), content in zip(_KINDS, contents, strict=True)
    )
    return _ENCODER.encode(_Image(IMAGE_VERSION, parts))


def decode_image(data: bytes) -> Parts:
    """Return the parts of an image; raises StateDamaged, StateUnknown."""
    try:
        image = _IMAGE.decode(data)
        if image.version != IMAGE_VERSION:
            raise StateUnknown(f"an image of version {image.version}")
        found = {(part.name, part.version): part.content for part in image.parts}
        unknown = found.keys() - _KINDS.keys()
        if unknown:
            raise StateUnknown(f"parts that this build doesn't know: {sorted(unknown)}")
        decoded = [msgspec.msgpack.decode(found[key], type=kind) for key, kind in _KINDS.items()]
    except (msgspec.MsgspecError, KeyError) as problem:
        raise StateDamaged(f"no image of a state: {problem}") from problem
    return Parts(*decoded)
