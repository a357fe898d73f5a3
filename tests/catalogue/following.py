"""Readers that follow a member of a rig as events, over the real web listener.

Decides: nothing. Must not know: which bug it is for.
Read next: test_bugs_23.py, ../../node/replog_node/web/tails.py, ../unit/driver/rig.py.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

from aiohttp import ClientResponse, ClientSession, TCPConnector

from replog_node.adapters.service import NodeService
from replog_node.adapters.warden import Warden
from replog_node.metrics import NodeMetrics
from replog_node.recovery.record import Fence, save_fence
from replog_node.web.app import client_app
from tests.unit.driver.rig import Node, Rig
from tests.unit.web.serving import Served, settings_of

PATIENCE_S = 10.0


def warden_of(node: Node) -> Warden:
    """A warden who has nobody to hold back."""

    def failed(failure: BaseException) -> None:
        raise failure

    return Warden(
        node.driver, node.store, node, fence=Fence(), save=partial(save_fence, node.disk),
        lineage_file="", new_lineage_id=lambda: "abc", notes=node, on_failure=failed,
        anew=lambda: None,
    )  # fmt: skip


@asynccontextmanager
async def served(rig: Rig, node: Node) -> AsyncIterator[Served]:
    """A member's listener, while everything happens that needs no time of the rig's."""
    failures: list[BaseException] = []
    service = NodeService(
        node.driver,
        warden_of(node),
        version="1",
        client_addresses=dict,
        troubles=dict,
        on_failure=lambda failure, *_: failures.append(failure),
    )
    moving = asyncio.create_task(_moving(rig))
    server = Served(client_app(service, settings_of(), NodeMetrics()), settings_of())
    try:
        async with server:
            yield server
    finally:
        moving.cancel()
        with suppress(asyncio.CancelledError):
            await moving
    assert failures == []


async def _moving(rig: Rig) -> None:
    while True:
        rig.deliver()
        await asyncio.sleep(0.001)


@asynccontextmanager
async def follow(server: Served, query: str) -> AsyncIterator[ClientResponse]:
    """An answer in events, to a reader whose buffers hold nearly nothing."""
    connector = TCPConnector(socket_factory=_small)
    async with (
        ClientSession(connector=connector, read_bufsize=4096) as session,
        session.get(
            server.make_url(f"/v1/records?{query}"), headers={"Accept": "text/event-stream"}
        ) as response,
    ):
        yield response


def _small(address: Any) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    return made


async def told(response: ClientResponse, count: int) -> list[int | str]:
    """What comes next: of records the offset, of a problem its code, which is the last."""
    found: list[int | str] = []
    async with asyncio.timeout(PATIENCE_S):
        async for line in response.content:
            name, _, content = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                found.append(int(content.rpartition("-")[2]))
            elif name == "data" and "code" in (said := json.loads(content)):
                found.append(said["code"])
            if len(found) == count:
                break
    return found
