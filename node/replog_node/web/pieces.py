"""A body of many pieces that are sent as they lie, without being copied into one.

Decides: when that pays. Must not know: what the pieces are.
Read next: records_out.py.
"""

from collections.abc import Sequence
from typing import Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

PIECE_BYTES_MIN: Final = 16 * 1024
"""Where pieces are smaller on average, one copy costs less than many writes."""


def body_of(pieces: Sequence[memoryview]) -> "bytes | Pieces":
    """The pieces one after the other: in one, or as they lie."""
    size = sum(map(len, pieces))
    if size < PIECE_BYTES_MIN * max(2, len(pieces)):
        return b"".join(pieces)
    return Pieces(pieces, size)


class Pieces(Payload):
    """Writes each piece when there is room for it, so a slow reader holds no copy."""

    def __init__(self, pieces: Sequence[memoryview], size: int) -> None:
        super().__init__(pieces)
        self._pieces = pieces
        self._size = size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The whole as text, as Payload asks for it."""
        return self.joined().decode(encoding, errors)

    def joined(self) -> bytes:
        """The whole as one."""
        return b"".join(self._pieces)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all; called once."""
        for piece in self._pieces:
            await writer.write(piece)


def joined(body: bytes | Pieces) -> bytes:
    """The bytes of a body as one, for what can't send pieces."""
    return body if isinstance(body, bytes) else body.joined()
