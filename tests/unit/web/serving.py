"""Listeners over a service in memory, for the length of a test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from replog.wire.batches import CheckedBatch
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.app import client_app, peer_app, runner
from replog_node.web.permissions import Tokens
from replog_node.web.problems import Handler
from replog_node.web.records_in import batch_of
from tests.unit.web.memory_service import MemoryService

Client = TestClient[web.Request, web.Application]


class Served(TestServer):
    """A test server that runs an app as a node does."""

    def __init__(self, app: web.Application, settings: Settings) -> None:
        super().__init__(app)
        self._settings = settings

    async def _make_runner(self, **_kwargs: Any) -> web.AppRunner:
        return runner(self.app, self._settings)


def settings_of(**changes: Any) -> Settings:
    """Settings with these changes."""
    return Settings(data_dir="/nowhere", **changes)


@asynccontextmanager
async def client_listener(
    service: MemoryService,
    *,
    tokens: Tokens | None = None,
    metrics: NodeMetrics | None = None,
    **changes: Any,
) -> AsyncIterator[Client]:
    """A client of a client listener."""
    settings = settings_of(**changes)
    app = client_app(service, settings, metrics or NodeMetrics(), tokens)
    async with TestClient(Served(app, settings)) as client:
        yield client


@asynccontextmanager
async def peer_listener(
    service: MemoryService,
    *,
    tokens: Tokens | None = None,
    peer_handlers: dict[str, Handler] | None = None,
    **changes: Any,
) -> AsyncIterator[Client]:
    """A client of a peer listener."""
    settings = settings_of(**changes)
    app = peer_app(service, settings, NodeMetrics(), tokens, peer_handlers=peer_handlers or {})
    async with TestClient(Served(app, settings)) as client:
        yield client


async def problem(response: ClientResponse, status: int, code: str) -> dict[str, Any]:
    """The problem that was answered, after checking its form, status and code."""
    body: dict[str, Any] = await response.json(content_type="application/problem+json")
    assert (response.status, body["status"], body["code"]) == (status, status, code), body
    assert {"type", "title", "detail", "retryable", "outcome"} <= set(body)
    return body


def batch(*values: bytes) -> CheckedBatch:
    """A batch of these values."""
    lines = b"\n".join(b'{"value":"' + value + b'"}' for value in values)
    return batch_of("application/x-ndjson", _no_headers(), lines)


def _no_headers() -> Any:
    return CIMultiDict[str]()


async def raw_exchange(client: Client, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send these bytes over a connection of their own, then read what comes until it ends."""
    async with raw_connection(client) as (reader, writer):
        await _send(writer, pieces, pause_s)
        return await asyncio.wait_for(reader.read(65536), 5)


async def raw_refusal(
    client: Client, *pieces: bytes, pause_s: float = 0.0
) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Send these bytes; status, headers (names in lower case) and problem of the one answer."""
    async with raw_connection(client) as (reader, writer):
        await _send(writer, pieces, pause_s)
        async with asyncio.timeout(5):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): text for name, _, text in (x.partition(": ") for x in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
    assert headers["content-type"].startswith("application/problem+json"), body
    found: dict[str, Any] = json.loads(body)
    assert int(first.split()[1]) == found["status"]
    return found["status"], headers, found


@asynccontextmanager
async def raw_connection(
    client: Client,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the listener that speaks whatever the test sends."""
    reader, writer = await asyncio.open_connection(client.server.host, client.server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def _send(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...], pause_s: float) -> None:
    """Send the pieces with pauses; a server that ends the connection meanwhile has answered."""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
    except ConnectionError:
        return
