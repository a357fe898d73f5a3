"""Streams: GET /v1/records as events, and the WebSocket /v1/records:tail."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientWebSocketResponse, WSMsgType

from replog.wire.problems import ApiError
from replog_node.model.positions import Offset
from replog_node.web.tails import PAGE_BYTES, TAIL_PATH
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import Client, batch, client_listener, problem, raw_connection

pytestmark = pytest.mark.asyncio

EVENTS = {"Accept": "text/event-stream"}
LINEAGE = "1.x"


def filled() -> MemoryService:
    """Offsets: 0 control, 1-2 a b, 3 control, 4 c."""
    service = MemoryService()
    service.put_control()
    service.put(batch=batch(b"a", b"b"))
    service.put_control()
    service.put(batch=batch(b"c"))
    return service


async def blocks(response: ClientResponse) -> AsyncIterator[dict[str, str]]:
    """What comes, up to each empty line, as its fields."""
    fields: dict[str, str] = {}
    async for line in response.content:
        name, _, content = line.decode().rstrip("\n").partition(": ")
        if not line.strip():
            yield fields
            fields = {}
        else:
            fields[name] = content


async def events(response: ClientResponse, count: int) -> list[tuple[str, str]]:
    """(id, value) of the next events."""
    found: list[tuple[str, str]] = []
    async with asyncio.timeout(5):
        async for fields in blocks(response):
            if "id" in fields:
                found.append((fields["id"], json.loads(fields["data"])["value"]))
            if len(found) == count:
                break
    return found


@asynccontextmanager
async def stream(client: Client, query: str = "", **headers: str) -> AsyncIterator[ClientResponse]:
    """An answer in events."""
    async with client.get(f"/v1/records?{query}", headers={**EVENTS, **headers}) as response:
        assert response.status == 200, await response.text()
        yield response


async def test_events_are_the_records_that_are_there_and_those_to_come() -> None:
    service = filled()
    async with client_listener(service) as client, stream(client, "from=2") as response:
        assert await events(response, 2) == [("1.x-2", "b"), ("1.x-4", "c")]
        service.put_control()
        service.put(batch=batch(b"d"))
        assert await events(response, 1) == [("1.x-6", "d")]
        assert response.headers["X-Accel-Buffering"] == "no"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["Content-Type"] == "text/event-stream"


@pytest.mark.parametrize("last", ["1.x-2", "2"])
async def test_a_reader_that_comes_back_goes_on_behind_what_it_had(last: str) -> None:
    back = {"Last-Event-ID": last}
    async with (
        client_listener(filled()) as client,
        stream(client, "from=earliest", **back) as response,
    ):
        assert await events(response, 1) == [("1.x-4", "c")]


@pytest.mark.parametrize(
    ("last", "status", "code"),
    [
        ("2.y-2", 410, "other_lineage"),
        ("-2", 410, "other_lineage"),
        ("1.x-99", 416, "offset_out_of_range"),
        ("1.x-", 400, "header_invalid"),
        ("x", 400, "header_invalid"),
        ("1.x-9223372036854775807", 400, "header_invalid"),
    ],
)
async def test_a_reader_that_was_nowhere_here_is_refused(last: str, status: int, code: str) -> None:
    async with client_listener(filled()) as client:
        headers = {**EVENTS, "Last-Event-ID": last}
        await problem(await client.get("/v1/records", headers=headers), status, code)


async def test_a_reader_whose_place_is_trimmed_is_refused() -> None:
    service = filled()
    service.log_start = 4
    async with client_listener(service) as client:
        headers = {**EVENTS, "Last-Event-ID": "1.x-2"}
        await problem(await client.get("/v1/records", headers=headers), 410, "offset_trimmed")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("wait_ms=5", "parameter_invalid"),
        ("from=x", "parameter_invalid"),
        ("y=1", "parameter_unknown"),
    ],
)
async def test_parameters_are_as_strict_as_for_a_page(query: str, code: str) -> None:
    async with client_listener(filled()) as client:
        await problem(await client.get(f"/v1/records?{query}", headers=EVENTS), 400, code)
        await problem(await client.get(f"{TAIL_PATH}?{query}", headers=_UPGRADE), 400, code)


class Patient(MemoryService):
    """Waits in vain, in no time."""

    async def wait_for_records(self, at: Offset, *, timeout_s: float) -> bool:
        await asyncio.sleep(0.001)
        return False


async def test_a_stream_beats_while_nothing_comes_with_the_end_of_the_log() -> None:
    service = Patient()
    service.put(batch=batch(b"a"))
    async with client_listener(service) as client, stream(client, "from=1") as response:
        async with asyncio.timeout(5):
            found = [await response.content.readline() for _ in range(6)]

    assert found == [b"retry: 1000\n", b"\n", b": 1\n", b"\n", b": 1\n", b"\n"]


async def test_a_head_of_a_stream_ends() -> None:
    async with client_listener(filled()) as client:
        response = await asyncio.wait_for(client.head("/v1/records", headers=EVENTS), 5)

    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")


async def test_a_reader_that_a_trim_overtakes_is_told_so() -> None:
    service = filled()
    async with client_listener(service) as client, stream(client, "from=5") as response:
        service.log_start = 6
        service.put(batch=batch(b"d"))
        last = [fields async for fields in blocks(response)][-1]

    assert last["event"] == "problem"
    assert json.loads(last["data"])["code"] == "offset_trimmed"


async def test_a_fault_within_a_stream_ends_it_and_tells_no_inner_detail() -> None:
    service = filled()
    async with client_listener(service) as client, stream(client, "from=5") as response:
        service.fault = RuntimeError("secret")
        service.put(batch=batch(b"d"))
        text = await asyncio.wait_for(response.text(), 5)

    assert '"code":"internal"' in text
    assert "secret" not in text


async def test_streams_take_the_places_of_reads_that_wait() -> None:
    async with client_listener(filled(), waiting_max=1, requests_max=1) as client:
        async with stream(client) as response:
            await events(response, 1)
            await problem(await client.get("/v1/records", headers=EVENTS), 429, "overloaded")
            await problem(await client.get(TAIL_PATH, headers=_UPGRADE), 429, "overloaded")
            assert (await client.get("/v1/records")).status == 200
        await _eventually_served(client)


async def _eventually_served(client: Client) -> None:
    """A stream is served once the one before it is noticed to be gone."""
    for _ in range(100):
        response = await client.get("/v1/records", headers=EVENTS)
        response.close()
        if response.status == 200:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("its place was not given back")


def large(count: int) -> MemoryService:
    """Entries of 64 KiB."""
    service = MemoryService()
    for _ in range(count):
        service.put(batch=batch(b"x" * 65536))
    return service


async def test_a_reader_that_takes_nothing_holds_little_and_loses_the_connection() -> None:
    service = large(400)
    async with (
        client_listener(service, waiting_max=1, response_timeout_ms=300) as client,
        raw_connection(client) as (_, writer),
    ):
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /v1/records HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        await asyncio.sleep(0.2)
        read = len(service.asked_bytes)
        await asyncio.sleep(0.05)
        assert len(service.asked_bytes) == read
        assert read * PAGE_BYTES < 400 * 65536 / 2
        await _eventually_served(client)


async def test_a_slow_reader_gets_all_of_it() -> None:
    service = large(60)
    async with client_listener(service) as client, stream(client) as response:
        found = []
        async with asyncio.timeout(20):
            async for fields in blocks(response):
                if "id" in fields:
                    found.append(fields["id"])
                    await asyncio.sleep(0.005)
                if len(found) == 60:
                    break

    assert found == [f"1.x-{offset}" for offset in range(60)]


async def said(socket: ClientWebSocketResponse) -> dict[str, Any]:
    """The next message."""
    found: dict[str, Any] = json.loads(await socket.receive_str(timeout=5))
    return found


async def test_a_socket_gets_pages_of_what_is_there_and_what_comes() -> None:
    service = filled()
    async with client_listener(service) as client, client.ws_connect(TAIL_PATH) as socket:
        first = await said(socket)
        service.put(batch=batch(b"d"))
        second = await said(socket)

    assert [record["value"] for record in first["records"]] == ["a", "b", "c"]
    assert [record["offset"] for record in second["records"]] == [5]
    assert (second["next_offset"], second["end_offset"], second["log_start_offset"]) == (6, 6, 0)


@pytest.mark.parametrize("kind", ["batches", "frames"])
async def test_a_socket_can_carry_what_is_stored(kind: str) -> None:
    service = filled()
    headers = {"Accept": f"application/vnd.replog.{kind}"}
    async with client_listener(service) as client:
        page = await (await client.get("/v1/records", headers=headers)).read()
        async with client.ws_connect(TAIL_PATH, headers=headers) as socket:
            assert await socket.receive_bytes(timeout=5) == page


async def test_a_socket_that_a_trim_overtakes_is_told_so_and_ends() -> None:
    service = filled()
    async with (
        client_listener(service) as client,
        client.ws_connect(f"{TAIL_PATH}?from=5") as socket,
    ):
        service.log_start = 6
        service.put(batch=batch(b"d"))
        assert (await said(socket))["code"] == "offset_trimmed"
        assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
        assert socket.close_code == 1011


async def test_a_socket_whose_reader_speaks_ends() -> None:
    async with client_listener(filled()) as client, client.ws_connect(TAIL_PATH) as socket:
        await said(socket)
        await socket.send_str("hello")
        assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
        assert socket.close_code == 1003


async def test_a_socket_is_refused_as_a_read_is() -> None:
    service = filled()
    async with client_listener(service) as client:
        await problem(await client.get(TAIL_PATH), 400, "request_invalid")
        upgrade = {**_UPGRADE, "Accept": "text/html"}
        await problem(await client.get(TAIL_PATH, headers=upgrade), 406, "not_acceptable")
        service.fault = ApiError("read_unconfirmed", "no quorum")
        await problem(await client.get(TAIL_PATH, headers=_UPGRADE), 503, "read_unconfirmed")


async def test_a_listener_that_goes_ends_its_streams() -> None:
    async with (
        client_listener(filled()) as client,
        stream(client) as response,
        client.ws_connect(TAIL_PATH) as socket,
    ):
        await events(response, 3)
        await said(socket)
        closing = asyncio.create_task(client.server.close())
        assert (await socket.receive(timeout=5)).type is WSMsgType.CLOSE
        assert socket.close_code == 1001
        assert "event: problem" not in await asyncio.wait_for(response.text(), 5)
        await closing


_UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip
