"""GET /v1/debug/flight on the peer listener: what the flight recorder holds.

Decides: that one recording is sent at a time, since each is as large as the ring.
Must not know: what is in it.
Read next: app.py, ../driver/flight.py.
"""

import asyncio
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from replog.wire.problems import ApiError
from replog_node.settings import Settings
from replog_node.web.gate import Route
from replog_node.web.permissions import Permission
from replog_node.web.query import no_query
from replog_node.web.service import Service

FLIGHT: Final = "/v1/debug/flight"
FLIGHT_TYPE: Final = "application/vnd.replog.flight"

PIECE_BYTES: Final = 256 * 1024
"""So much is written at once, so that others are served in between."""


class DebugRoutes:
    """For those who look into an incident."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._response_s = settings.response_timeout_ms / 1000
        self._sending = False

    def routes(self) -> tuple[Route, ...]:
        """The rows of the route table."""
        return (Route("GET", FLIGHT, self.flight, Permission.ADMIN, bounded=False),)

    async def flight(self, request: web.Request) -> web.StreamResponse:
        """The recording, as bytes."""
        no_query(request)
        if self._sending:
            raise ApiError("overloaded", "a recording is being sent to somebody already")
        self._sending = True
        try:
            return await self._send(request, self._service.recording())
        finally:
            self._sending = False

    async def _send(self, request: web.Request, recording: bytes) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": FLIGHT_TYPE, "Content-Length": str(len(recording))}
        )
        await response.prepare(request)
        if request.method == "HEAD":
            return response
        pieces = memoryview(recording)
        for at in range(0, len(recording), PIECE_BYTES):
            await self._within_time(request, response.write(pieces[at : at + PIECE_BYTES]))
        return response

    async def _within_time(self, request: web.Request, sent: Awaitable[None]) -> None:
        """Let a piece leave, or end a connection that takes nothing; raises ConnectionError."""
        try:
            async with asyncio.timeout(self._response_s):
                await sent
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the reader takes nothing") from None
