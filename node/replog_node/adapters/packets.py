"""Messages on a connection: many in one packet, or one in many packets.

A packet is one binary WebSocket message of at most PACKET_BYTES_MAX: pieces {u8 more, u32 length,
bytes}. more = 1 says that the message goes on in the next piece. What waits together leaves in one
packet, so with one write to the socket.

Decides: that form, and what is dropped when a queue is full.
Must not know: sockets, what messages say. Read next: links.py.
"""

import asyncio
from collections import deque
from struct import Struct
from typing import Final

PACKET_BYTES_MAX: Final = 1024 * 1024
"""A packet; a larger message is split, so that none holds a buffer of its own size."""

MESSAGE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A message of many pieces; a longer one ends the connection. Twice the largest frame."""

CONTROL_MESSAGES_MAX: Final = 256
"""Control messages that wait; past it the oldest is dropped: only the news count."""

BULK_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bulk messages that wait, unless there is only one; past it a new one is not taken. Raft sends
again what was lost, and a forward that isn't taken surely did not happen."""

BULK_MESSAGES_MAX: Final = 65_536
"""As BULK_BYTES_MAX, by count."""

_PIECE: Final = Struct(">BI")


class PacketError(ValueError):
    """These bytes are no packet, or a message that is too long."""


class Outbox:
    """What waits for one connection, in order."""

    def __init__(self, messages_max: int, bytes_max: int, *, drop_oldest: bool) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._drop_oldest = drop_oldest
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._begun = 0
        self._filled = asyncio.Event()

    def put(self, message: bytes) -> bool:
        """Queue a message; False if it is not taken."""
        if len(message) > MESSAGE_BYTES_MAX:
            return False
        while self._queue and self._is_full(len(message)):
            if not self._drop_oldest or not self._drop():
                return False
        self._queue.append(message)
        self._bytes += len(message)
        self._filled.set()
        return True

    def clear(self) -> None:
        """Forget everything, for a new connection."""
        self._queue.clear()
        self._bytes = self._begun = 0
        self._filled.clear()

    async def wait(self) -> None:
        """Return once something waits."""
        await self._filled.wait()

    def take(self) -> bytes:
        """Take the next packet: as many messages as fit, or a part of one; b"" if none waits."""
        parts: list[bytes | memoryview] = []
        room = PACKET_BYTES_MAX
        while self._queue and room > _PIECE.size:
            message = self._queue[0]
            end = min(len(message), self._begun + room - _PIECE.size)
            more = end < len(message)
            parts.append(_PIECE.pack(more, end - self._begun))
            parts.append(memoryview(message)[self._begun : end])
            room -= _PIECE.size + end - self._begun
            self._begun = end
            if not more:
                self._forget(0)
                self._begun = 0
        if not self._queue:
            self._filled.clear()
        return b"".join(parts)

    def _is_full(self, more_bytes: int) -> bool:
        return len(self._queue) >= self._messages_max or self._bytes + more_bytes > self._bytes_max

    def _drop(self) -> bool:
        """Drop the oldest message of which nothing was sent."""
        place = 1 if self._begun else 0
        if place >= len(self._queue):
            return False
        self._forget(place)
        return True

    def _forget(self, place: int) -> None:
        self._bytes -= len(self._queue[place])
        del self._queue[place]


class Unpacker:
    """From the packets of one connection to its messages."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._bytes = 0

    def feed(self, packet: bytes) -> list[bytes]:
        """Return the messages that end in this packet; raises PacketError."""
        messages: list[bytes] = []
        at = 0
        while at < len(packet):
            if at + _PIECE.size > len(packet):
                raise PacketError(f"a piece's head at byte {at} of {len(packet)}")
            more, length = _PIECE.unpack_from(packet, at)
            at += _PIECE.size
            if more > 1 or at + length > len(packet) or (more and not length):
                raise PacketError(f"a piece of {length} bytes at byte {at} of {len(packet)}")
            self._add(packet[at : at + length])
            at += length
            if not more:
                messages.append(self._end())
        return messages

    def _add(self, part: bytes) -> None:
        self._bytes += len(part)
        if self._bytes > MESSAGE_BYTES_MAX:
            raise PacketError(f"a message of more than {MESSAGE_BYTES_MAX} bytes")
        self._parts.append(part)

    def _end(self) -> bytes:
        message = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._bytes = [], 0
        return message


def control_outbox() -> Outbox:
    """A queue of control messages: votes, heartbeats and what must not wait behind data."""
    return Outbox(CONTROL_MESSAGES_MAX, PACKET_BYTES_MAX, drop_oldest=True)


def bulk_outbox() -> Outbox:
    """A queue of entries and forwarded calls, with their answers."""
    return Outbox(BULK_MESSAGES_MAX, BULK_BYTES_MAX, drop_oldest=False)
