"""A client that floods, stalls, leaves in the middle or opens many connections harms nobody else.

Three real members; the rude client talks to the leader, the polite one to it and to a follower.
REPLOGTEST_CONNECTIONS says how many connections are opened; 10000 need as many descriptors.
"""

import asyncio
import contextlib
import os
import resource
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientTimeout

from replog.wire.batches import NewRecord, build_batch
from replog.wire.sessions import SESSION_PATH, SessionAppend, encode_append
from replog_node.settings import split_address
from tests.support.processes import Cluster, cluster

CONNECTIONS = int(os.environ.get("REPLOGTEST_CONNECTIONS", "600"))
CONNECTIONS_MAX = 256
"""Of the members: fewer than are opened."""

OCTETS = {"Content-Type": "application/octet-stream"}
SLOWEST_S = 3.0
"""The longest that a polite call may take, on two cores that others use as well."""

Rudeness = Callable[[str, asyncio.Event], Coroutine[Any, Any, None]]


async def opens_many(address: str, over: asyncio.Event) -> None:
    """Open connections and say nothing."""
    writers = []
    try:
        for _ in range(CONNECTIONS):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*_endpoint(address))
                writers.append(writer)
        await over.wait()
    finally:
        for writer in writers:
            writer.close()


async def floods(address: str, over: asyncio.Event) -> None:
    """Append as fast as possible on many connections, without looking at refusals."""

    async def flood(session: ClientSession) -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, TimeoutError):
                url = f"http://{address}/v1/records"
                async with session.post(url, data=b"x" * 4096, headers=OCTETS) as answer:
                    await answer.read()

    async with ClientSession(timeout=ClientTimeout(10)) as session:
        await asyncio.gather(*(flood(session) for _ in range(64)))


async def stalls(address: str, over: asyncio.Event) -> None:
    """Ask for streams and sessions and take nothing of the answers."""
    append = encode_append(SessionAppend(1, build_batch([NewRecord(b"x" * 1000)]).data))
    events = {"Accept": "text/event-stream"}
    async with ClientSession() as session, contextlib.AsyncExitStack() as held:
        for _ in range(16):
            await held.enter_async_context(
                session.get(f"http://{address}/v1/records", headers=events)
            )
            socket = await session.ws_connect(f"http://{address}{SESSION_PATH}")
            held.push_async_callback(socket.close)
            await socket.send_bytes(append * 100)
        await over.wait()


async def leaves(address: str, over: asyncio.Event) -> None:
    """Begin bodies and streams and go in the middle."""
    head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    read = b"GET /v1/records HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"
    while not over.is_set():
        for said in (head + b"Content-Length: 100000\r\n\r\nhalf of it", read, b"GET /v1/re"):
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(*_endpoint(address))
                writer.write(said)
                await asyncio.sleep(0.002)
                writer.transport.abort()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rudeness", [opens_many, floods, stalls, leaves])
def test_others_are_served_and_the_leader_leads_on(tmp_path: Path, rudeness: Rudeness) -> None:
    _need_descriptors()
    env = {"REPLOG_CONNECTIONS_MAX": str(CONNECTIONS_MAX), "REPLOG_RESPONSE_TIMEOUT_MS": "1000"}
    with cluster(tmp_path, env=env) as three:
        three.found()
        leader = three.leader()
        term = leader.status()["term"]
        slowest_s = asyncio.run(_beside(three, rudeness, seconds=3.0))
        assert slowest_s < SLOWEST_S
        assert "request_failed" not in leader.said()
        after = three.leader().status()
        assert (after["member"], after["term"]) == (leader.member(), term)


async def _beside(three: Cluster, rudeness: Rudeness, seconds: float) -> float:
    """The slowest of polite calls while somebody is rude to the leader; all must succeed."""
    leader = three.leader()
    follower = next(node for node in three.nodes if node is not leader)
    over = asyncio.Event()
    rude = asyncio.create_task(rudeness(leader.client, over))
    slowest_s, end = 0.0, time.monotonic() + seconds
    try:
        async with ClientSession(timeout=ClientTimeout(10)) as polite:
            while time.monotonic() < end:
                assert not rude.done() or rude.exception() is None, rude.exception()
                for address in (leader.client, follower.client):
                    began = time.monotonic()
                    await _politely(polite, address)
                    slowest_s = max(slowest_s, time.monotonic() - began)
                await asyncio.sleep(0.05)
    finally:
        over.set()
        await asyncio.wait((rude,), timeout=30)
        rude.cancel()
    return slowest_s


async def _politely(session: ClientSession, address: str) -> None:
    """An append, a read and a look at the health, each over a connection of its own at first."""
    async with session.post(f"http://{address}/v1/records", data=b"v", headers=OCTETS) as answer:
        assert answer.status == 200, await answer.text()
    async with session.get(f"http://{address}/v1/records?from=tail:1") as answer:
        assert answer.status == 200, await answer.text()
    async with session.get(f"http://{address}/livez") as answer:
        assert answer.status == 200, await answer.text()


def _endpoint(address: str) -> tuple[str, int]:
    found = split_address(address)
    assert found is not None
    return found


def _need_descriptors() -> None:
    """As many as the connections need, as far as the system lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 500
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            pytest.skip(f"{hard} descriptors are too few for {CONNECTIONS} connections")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
