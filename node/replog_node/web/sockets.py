"""WebSockets for clients: opened within a number, closed together.

Decides: how many there may be, and what a request that is no WebSocket's is told.
Must not know: what is said on them.
Read next: sessions.py, tails.py.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import WSCloseCode, web

from replog.wire.problems import ApiError

CLOSE_S: Final = 1.0
"""So long the other side may take to agree to an end."""


class Sockets:
    """The sockets of one kind."""

    __slots__ = ("_kind", "_most", "_open", "_promised")

    def __init__(self, kind: str, most: int) -> None:
        self._kind = kind
        self._most = most
        self._promised = 0
        self._open: set[web.WebSocketResponse] = set()

    @asynccontextmanager
    async def open(
        self, request: web.Request, message_bytes_max: int, *, heartbeat_s: float | None = None
    ) -> AsyncIterator[web.WebSocketResponse]:
        """Accept a WebSocket, and hang up in the end.

        Raises ApiError overloaded, request_invalid; later than that nothing can be told but by
        closing.
        """
        socket = web.WebSocketResponse(
            timeout=CLOSE_S,
            heartbeat=heartbeat_s,
            compress=False,
            max_msg_size=message_bytes_max + 1,
        )
        if not socket.can_prepare(request).ok:
            raise ApiError("request_invalid", "this path is a WebSocket (RFC 6455)")
        if self._promised >= self._most:
            raise ApiError("overloaded", f"{self._promised} {self._kind} are open already")
        self._promised += 1
        try:
            await socket.prepare(request)
            self._open.add(socket)
            yield socket
        finally:
            self._promised -= 1
            self._open.discard(socket)
            if socket.prepared:
                await socket.close()

    async def close(self) -> None:
        """Hang up everywhere; those who talked find another member."""
        ends = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in self._open]
        await asyncio.gather(*ends, return_exceptions=True)
