"""GET /v1/debug/flight: a recording as bytes, one at a time."""

import asyncio
import os

import pytest

from replog_node.web.debug_routes import FLIGHT, FLIGHT_TYPE, PIECE_BYTES
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import Client, peer_listener, problem

pytestmark = pytest.mark.asyncio


async def test_a_recording_comes_as_it_is() -> None:
    service = MemoryService()
    service.recorded = os.urandom(3 * PIECE_BYTES + 17)
    async with peer_listener(service) as peer:
        for _ in range(2):
            response = await peer.get(FLIGHT)
            assert (response.status, response.content_type) == (200, FLIGHT_TYPE)
            assert await response.read() == service.recorded


async def test_the_head_alone_tells_how_large_it_is() -> None:
    async with peer_listener(MemoryService()) as peer:
        response = await peer.head(FLIGHT)
        assert (response.status, response.content_length) == (200, len(b"RLflight"))
        assert await response.read() == b""
        assert await (await peer.get(FLIGHT)).read() == b"RLflight"


async def test_a_parameter_is_refused() -> None:
    async with peer_listener(MemoryService()) as peer:
        await problem(await peer.get(f"{FLIGHT}?all=1"), 400, "parameter_unknown")


async def _stalled(peer: Client) -> asyncio.StreamWriter:
    """Somebody who asks for the recording and takes nothing of it."""
    server = peer.server
    _, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    writer.write(f"GET {FLIGHT} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    await asyncio.sleep(0.2)
    return writer


async def test_while_one_is_sent_another_is_refused_and_a_stalled_reader_is_given_up() -> None:
    service = MemoryService()
    service.recorded = bytes(32 * 1024 * 1024)
    async with peer_listener(service, response_timeout_ms=1000) as peer:
        writer = await _stalled(peer)
        found = await problem(await peer.get(FLIGHT), 429, "overloaded")
        assert "somebody" in found["detail"]
        await asyncio.sleep(1.5)
        service.recorded = b"RLflight"
        assert await (await peer.get(FLIGHT)).read() == b"RLflight"
        writer.close()
