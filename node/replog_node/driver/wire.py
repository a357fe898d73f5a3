"""Messages between members as bytes (docs/wire-format.md has the tables).

{u16 type, u16 version, u32 body length, body (MessagePack), then pieces: u32 length, bytes}. Frames
of entries and batches of forwards travel as pieces, as they lie, never inside the body.

Decides: that form, in both directions; a frame is proven before anybody sees it.
Must not know: connections. Read next: messages.py, ../raft/messages.py.
"""

from collections.abc import Sequence
from struct import Struct
from typing import Any, Final

import msgspec

from replog_node.driver.messages import (
    ChunkFetched,
    EntriesFetched,
    FetchChunk,
    FetchEntries,
    ForwardAdmin,
    ForwardAdminResult,
    ForwardAppends,
    ForwardResults,
    Message,
    SnapshotReport,
)
from replog_node.frames.controls import UnknownControl
from replog_node.frames.decode import decode_entry
from replog_node.frames.layout import FrameDamaged
from replog_node.model.positions import TERM_MAX
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    CoreMessage,
    Envelope,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
    RequestVote,
    SnapshotOffer,
    TimeoutNow,
    VoteReply,
)

VERSION: Final = 1
"""Of every message so far. A change of meaning gets a new version; an unknown one is refused."""

_HEAD: Final = Struct(">HHI")
_LENGTH: Final = Struct(">I")
_ENVELOPE: Final = 1

PIECES_MAX: Final = 100_000
"""Pieces of one message; more are refused."""

TYPES: Final[dict[int, type[Any]]] = {
    _ENVELOPE: Envelope,
    2: ForwardAppends,
    3: ForwardResults,
    4: ForwardAdmin,
    5: ForwardAdminResult,
    6: FetchChunk,
    7: ChunkFetched,
    8: SnapshotReport,
    9: FetchEntries,
    10: EntriesFetched,
}
"""What a message's number says that it is."""

_NUMBERS: Final = {kind: number for number, kind in TYPES.items()}

CORE_KINDS: Final[tuple[type[CoreMessage], ...]] = (
    RequestVote,
    VoteReply,
    AppendEntries,
    AppendReply,
    SnapshotOffer,
    Heartbeat,
    HeartbeatReply,
    TimeoutNow,
    ReadIndexRequest,
    ReadIndexReply,
)
"""What an envelope may hold; the body names the kind in `type`."""

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODERS: Final = {number: msgspec.msgpack.Decoder(kind) for number, kind in TYPES.items()}


_NONSENSE: Final = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    RecursionError,
    FrameDamaged,
    UnknownControl,
)
"""What decoding raises for bytes that are no message."""


class WireError(ValueError):
    """These bytes are not a message that this build understands: nothing of it was used."""


def encode(message: Message) -> bytes:
    """Return the message as bytes."""
    number = _NUMBERS[type(message)]
    bare, pieces = _bare(message)
    body = _ENCODER.encode(bare)
    parts: list[bytes] = [_HEAD.pack(number, VERSION, len(body)), body]
    for piece in pieces:
        parts.append(_LENGTH.pack(len(piece)))
        parts.append(piece)
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """Return the message that these bytes are; raises WireError for anything else."""
    if len(data) < _HEAD.size:
        raise WireError(f"{len(data)} bytes are no message")
    number, version, length = _HEAD.unpack_from(data)
    if number not in _DECODERS or version != VERSION:
        raise WireError(f"unknown message: type {number} version {version}")
    end = _HEAD.size + length
    if end > len(data):
        raise WireError(f"the body ends at byte {end} of {len(data)}")
    try:
        message: Message = _DECODERS[number].decode(memoryview(data)[_HEAD.size : end])
        return _filled(message, _pieces(data, end))
    except _NONSENSE as problem:
        raise WireError(f"message of type {number}: {problem}") from problem


def _bare(message: Message) -> tuple[Message, Sequence[bytes]]:
    """The message without what travels as pieces, and the pieces."""
    match message:
        case Envelope(message=AppendEntries() as append) if append.entries:
            stripped = msgspec.structs.replace(append, entries=())
            bare = msgspec.structs.replace(message, message=stripped)
            return bare, [entry.frame for entry in append.entries]
        case ForwardAppends():
            return msgspec.structs.replace(message, batches=()), message.batches
        case ChunkFetched():
            return msgspec.structs.replace(message, data=b""), (message.data,)
        case EntriesFetched():
            frames = [entry.frame for entry in message.entries]
            return msgspec.structs.replace(message, entries=()), frames
        case _:
            return message, ()


def _filled(message: Message, pieces: list[bytes]) -> Message:
    """The message with its pieces in their place."""
    if isinstance(message, Envelope) and not 0 <= message.message.term <= TERM_MAX:
        raise WireError(f"a message of term {message.message.term}")
    match message:
        case Envelope(message=AppendEntries() as append):
            if append.entries:
                raise WireError("entries inside the body")
            if not pieces:
                return message
            entries = tuple(map(decode_entry, pieces))
            filled = msgspec.structs.replace(append, entries=entries)
            return msgspec.structs.replace(message, message=filled)
        case ForwardAppends():
            if message.batches:
                raise WireError("batches inside the body")
            return msgspec.structs.replace(message, batches=tuple(pieces))
        case ChunkFetched():
            if message.data or len(pieces) > 1:
                raise WireError("a piece of a snapshot is one piece")
            return msgspec.structs.replace(message, data=b"".join(pieces))
        case EntriesFetched():
            if message.entries:
                raise WireError("entries inside the body")
            return msgspec.structs.replace(message, entries=tuple(map(decode_entry, pieces)))
        case _:
            if pieces:
                raise WireError(f"{type(message).__name__} has no pieces")
            return message


def _pieces(data: bytes, at: int) -> list[bytes]:
    found: list[bytes] = []
    while at < len(data):
        if len(found) >= PIECES_MAX or at + _LENGTH.size > len(data):
            raise WireError(f"a piece's length at byte {at} of {len(data)}")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise WireError(f"a piece of {length} bytes at byte {at} of {len(data)}")
        found.append(data[at : at + length])
        at += length
    return found
