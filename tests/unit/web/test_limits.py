"""Bounds of a listener: what is too large, too slow, or too much is refused before any effect."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientError, ClientResponse

from replog.wire.batches import NewRecord, build_batch
from replog_node.metrics import NodeMetrics
from replog_node.web.listener import END_S, LINGERING_S
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import (
    Client,
    client_listener,
    problem,
    raw_connection,
    raw_exchange,
    raw_refusal,
)

pytestmark = pytest.mark.asyncio

OCTETS = {"Content-Type": "application/octet-stream"}
HEAD = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"


async def begun(client: Client, service: MemoryService, count: int) -> list[asyncio.Task[Any]]:
    """Appends that the service holds."""
    tasks = [
        asyncio.create_task(client.post("/v1/records", data=b"v" * 400, headers=OCTETS))
        for _ in range(count)
    ]
    await asyncio.wait_for(service.called(count), 2)
    return tasks


def holding() -> MemoryService:
    """A service whose appends wait until the test lets them go."""
    service = MemoryService()
    service.held = asyncio.Event()
    return service


async def let_go(service: MemoryService, tasks: list[asyncio.Task[ClientResponse]]) -> list[int]:
    """The statuses of held appends, once they are let go."""
    assert service.held is not None
    service.held.set()
    return [(await task).status for task in tasks]


async def test_a_body_as_large_as_allowed_is_taken_and_one_byte_more_is_refused() -> None:
    service = MemoryService()
    async with client_listener(service, body_bytes_max=2000) as client:
        taken = await client.post("/v1/records", data=b"v" * 2000, headers=OCTETS)
        response = await client.post("/v1/records", data=b"v" * 2001, headers=OCTETS)
        found = await problem(response, 413, "body_too_large")

    assert (taken.status, found["limit_bytes"], len(service.appends)) == (200, 2000, 1)


async def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_comes() -> None:
    service = MemoryService()
    async with client_listener(service, body_bytes_max=2000) as client:
        head = HEAD + b"Content-Length: 99999999999\r\n\r\n"
        status, headers, found = await raw_refusal(client, head, b"v")

    assert (status, found["code"], headers["connection"]) == (413, "body_too_large", "close")
    assert service.appends == []


async def test_nobody_waits_for_the_rest_of_a_refused_body_whose_sender_has_left() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with client_listener(MemoryService(), body_bytes_max=2000) as client:
        await raw_refusal(client, HEAD + b"Content-Length: 9999\r\n\r\n")

    assert loop.time() - began < LINGERING_S / 2


async def test_a_body_of_unknown_length_is_counted_as_it_comes() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"v" * 900
            await asyncio.sleep(0.02)

    service = MemoryService()
    async with client_listener(service, body_bytes_max=2000) as client:
        response = await client.post("/v1/records", data=pieces(), headers=OCTETS)

        await problem(response, 413, "body_too_large")
    assert service.appends == []


async def test_a_body_of_unknown_length_is_held_as_it_comes() -> None:
    limits: dict[str, Any] = {"requests_bytes_max": 1000, "body_bytes_max": 1000}
    async with client_listener(MemoryService(), **limits) as client:
        async with raw_connection(client) as (_, writer):
            for piece in (b"Transfer-Encoding: chunked\r\n\r\n", b"384\r\n" + b"v" * 900):
                writer.write(HEAD + piece if piece.startswith(b"T") else piece)
                await asyncio.sleep(0.03)
            response = await client.post("/v1/records", data=b"v" * 200, headers=OCTETS)
            await problem(response, 429, "overloaded")
        await asyncio.sleep(0.05)
        after = await client.post("/v1/records", data=b"v" * 1000, headers=OCTETS)

    assert after.status == 200


async def test_a_body_of_unknown_length_within_the_limit_is_taken() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"v" * 100

    service = MemoryService()
    async with client_listener(service, body_bytes_max=2000) as client:
        assert (await client.post("/v1/records", data=pieces(), headers=OCTETS)).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        HEAD + b"Content-Length: 10\r\n\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\na\r\nhalf",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        HEAD + b"Content-Length: 10\r\n",
    ],
)
async def test_a_half_sent_body_appends_nothing_and_is_no_fault_of_ours(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    service, metrics = MemoryService(), NodeMetrics()
    async with client_listener(service, metrics=metrics) as client:
        async with raw_connection(client) as (_, writer):
            writer.write(sent)
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)

        assert (service.appends, caplog.records) == ([], [])
        if b"half" in sent:  # a head was served: its caller has left, so the count is all there is
            counted = {"code": "body_incomplete"}
            assert metrics.registry.get_sample_value("replog_refusals_total", counted) == 1
        assert (await client.post("/v1/records", data=b"v", headers=OCTETS)).status == 200


async def test_a_body_that_breaks_its_framing_appends_nothing() -> None:
    service = MemoryService()
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    async with client_listener(service, body_timeout_ms=100) as client:
        together = await raw_refusal(client, head + b"4\r\nhalfzz\r\n")
        apart = await raw_refusal(client, head, b"4\r\nhalfzz\r\n", pause_s=0.02)

    for status, headers, found in (together, apart):
        assert (status, found["code"]) in ((400, "request_invalid"), (408, "request_timeout"))
        assert (found["outcome"], headers.get("connection", "close")) == ("none", "close")
    assert service.appends == []


async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    service = MemoryService()
    async with client_listener(service, body_timeout_ms=100) as client:
        head = HEAD + b"Content-Length: 10\r\n\r\n"
        status, headers, found = await raw_refusal(client, head, b"slow")

    assert (status, found["code"], headers["connection"]) == (408, "request_timeout", "close")
    assert (found["outcome"], service.appends) == ("none", [])


async def test_a_body_that_drips_is_refused_however_steadily_it_does() -> None:
    service = MemoryService()
    async with client_listener(service, body_timeout_ms=100) as client:
        head = HEAD + b"Content-Length: 1000\r\n\r\n"
        _, _, found = await raw_refusal(client, head, *[b"v"] * 20, pause_s=0.01)

    assert found["code"] == "request_timeout"
    assert service.appends == []


@pytest.mark.parametrize("sent", [b"", b"GET /v1/log HTTP/1.1\r\nHo"])
async def test_a_connection_that_sends_no_whole_head_in_time_is_ended(sent: bytes) -> None:
    async with client_listener(MemoryService(), body_timeout_ms=100) as client:
        status, headers, found = await raw_refusal(client, sent)

    assert (status, found["code"], headers["connection"]) == (408, "request_timeout", "close")


async def test_a_connection_in_use_outlives_the_time_for_its_first_head() -> None:
    async with client_listener(MemoryService(), body_timeout_ms=50) as client:
        request = b"GET /livez HTTP/1.1\r\nHost: x\r\n"
        answer = await raw_exchange(
            client, request + b"\r\n", request + b"Connection: close\r\n\r\n", pause_s=0.1
        )

    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_a_reader_that_takes_no_answer_loses_the_connection() -> None:
    service = MemoryService()
    value = bytes(1024 * 1024)
    for _ in range(4):
        service.put(batch=build_batch([NewRecord(value)]))
    async with client_listener(service, response_timeout_ms=150) as client:
        request = (
            b"GET /v1/records?max_bytes=4194304&limit=4 HTTP/1.1\r\nHost: x\r\n"
            b"Accept: application/vnd.replog.batches\r\n\r\n"
        )
        async with raw_connection(client) as (reader, writer):
            writer.write(request * 5)
            await asyncio.sleep(0.6)
            received = await received_until_the_end(reader)

    assert received < 5 * 4 * len(value)


async def received_until_the_end(reader: asyncio.StreamReader) -> int:
    """How many bytes still come before the connection ends, well or not."""
    received = 0
    try:
        while chunk := await asyncio.wait_for(reader.read(65536), 2):
            received += len(chunk)
    except ConnectionError:
        return received
    return received


async def test_too_many_requests_at_once_are_refused_and_told_when_to_come_again() -> None:
    service = holding()
    async with client_listener(service, requests_max=2) as client:
        tasks = await begun(client, service, 2)
        response = await client.post("/v1/records", data=b"v", headers=OCTETS)
        found = await problem(response, 429, "overloaded")
        statuses = await let_go(service, tasks)
        after = await client.post("/v1/records", data=b"v", headers=OCTETS)

    assert (response.headers["Retry-After"], found["outcome"]) == ("1", "none")
    assert (statuses, after.status, service.appended) == ([200, 200], 200, 3)


async def test_an_overloaded_listener_still_tells_why() -> None:
    service = holding()
    async with client_listener(service, requests_max=1) as client:
        tasks = await begun(client, service, 1)
        for path in ("/livez", "/readyz", "/metrics", "/v1/why", "/v1/cluster"):
            assert (await client.get(path)).status == 200
        await problem(await client.get("/v1/log"), 429, "overloaded")
        await let_go(service, tasks)


async def test_bodies_that_are_held_count_until_their_append_is_over() -> None:
    service = holding()
    limits: dict[str, Any] = {"requests_bytes_max": 1000, "body_bytes_max": 1000}
    async with client_listener(service, **limits) as client:
        tasks = await begun(client, service, 2)
        response = await client.post("/v1/records", data=b"v" * 400, headers=OCTETS)
        await problem(response, 429, "overloaded")
        small = asyncio.create_task(client.post("/v1/records", data=b"v" * 200, headers=OCTETS))
        statuses = await let_go(service, [*tasks, small])
        after = await client.post("/v1/records", data=b"v" * 1000, headers=OCTETS)

    assert (response.headers["Retry-After"], statuses) == ("1", [200, 200, 200])
    assert after.status == 200


async def test_a_declared_length_is_held_before_its_bytes_come() -> None:
    limits: dict[str, Any] = {"requests_bytes_max": 1000, "body_bytes_max": 1000}
    service = MemoryService()
    async with client_listener(service, **limits) as client:
        async with raw_connection(client) as (_, writer):
            writer.write(HEAD + b"Content-Length: 900\r\n\r\n")
            await asyncio.sleep(0.05)
            response = await client.post("/v1/records", data=b"v" * 200, headers=OCTETS)
            await problem(response, 429, "overloaded")
        await asyncio.sleep(0.05)
        after = await client.post("/v1/records", data=b"v" * 200, headers=OCTETS)

    assert (after.status, len(service.appends)) == (200, 1)


async def test_refused_bodies_are_held_no_more() -> None:
    limits: dict[str, Any] = {"requests_bytes_max": 1000, "body_bytes_max": 1000}
    lines = {"Content-Type": "application/x-ndjson"}
    async with client_listener(MemoryService(), **limits) as client:
        for _ in range(3):
            response = await client.post("/v1/records", data=b"x" * 900, headers=lines)
            await problem(response, 400, "json_invalid")
        after = await client.post("/v1/records", data=b"x" * 900, headers=OCTETS)
    assert after.status == 200


async def test_too_many_reads_that_wait_are_refused_but_do_not_keep_others_out() -> None:
    service = MemoryService()
    async with client_listener(service, waiting_max=1, requests_max=1) as client:
        waiting = asyncio.create_task(client.get("/v1/records?wait_ms=5000"))
        await asyncio.sleep(0.05)
        refused = await client.get("/v1/records?wait_ms=5000")
        await problem(refused, 429, "overloaded")
        appended = await client.post("/v1/records", data=b"v", headers=OCTETS)
        answer = await (await waiting).json()

    assert (appended.status, len(answer["records"])) == (200, 1)


async def test_a_connection_too_many_is_told_so_and_ended() -> None:
    async with client_listener(MemoryService(), connections_max=2) as client:
        async with raw_connection(client) as one, raw_connection(client) as other:
            for reader, writer in (one, other):
                writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                await reader.readuntil(b"}")
            status, headers, found = await raw_refusal(client)
        await asyncio.sleep(0.02)

        assert (status, found["code"], headers["retry-after"]) == (429, "overloaded", "1")
        assert (await client.get("/livez")).status == 200


async def test_connections_that_say_nothing_take_no_place_from_those_that_do() -> None:
    async with client_listener(MemoryService(), connections_max=3) as client:
        assert (await client.get("/livez")).status == 200
        async with (
            raw_connection(client) as (oldest, _),
            raw_connection(client) as (newer, _),
            raw_connection(client) as (reader, writer),
        ):
            writer.write(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in await asyncio.wait_for(reader.readuntil(b"}"), 5)
            assert b"overloaded" in await asyncio.wait_for(oldest.read(), 5)
            assert not newer.at_eof()
            assert (await client.get("/livez")).status == 200


async def test_appends_and_reads_leave_a_share_of_the_requests_to_small_calls() -> None:
    service = MemoryService()
    service.held = asyncio.Event()
    async with client_listener(service, requests_max=8) as client:
        floods = [
            asyncio.create_task(client.post("/v1/records", data=b"v", headers=OCTETS))
            for _ in range(4)
        ] + [asyncio.create_task(client.get("/v1/records")) for _ in range(3)]
        await service.called(7)
        for refused in (
            await client.get("/v1/records"),
            await client.post("/v1/records", data=b"v", headers=OCTETS),
            await client.post(
                "/v1/records", data=b"[{}]", headers={"Content-Type": "application/json"}
            ),
        ):
            assert refused.headers["Retry-After"] == "1"
            await problem(refused, 429, "overloaded")
        small = asyncio.create_task(client.get("/v1/log"))
        await service.called(8)
        service.held.set()
        assert (await small).status == 200
        assert [(await flood).status for flood in floods] == [200] * 7


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"v" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nReplog-Key: " + b"v" * 9000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 101 + b"\r\n",
    ],
)
async def test_a_head_too_large_is_refused(head: bytes) -> None:
    async with client_listener(MemoryService()) as client:
        status, _, found = await raw_refusal(client, head)

    assert (status, found["code"], found["outcome"]) == (400, "request_invalid", "none")


async def test_a_caller_that_asks_before_it_sends_is_told_to_go_on() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        head = HEAD + b"Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue\r\n\r\n"
        answer = await raw_exchange(client, head, b"ok", pause_s=0.05)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert len(service.appends) == 1


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        (b"Content-Length: 99999999\r\nExpect: 100-continue\r\n", 413, "body_too_large"),
        (b"Content-Length: 2\r\nExpect: a-miracle\r\n", 400, "request_invalid"),
    ],
)
async def test_a_caller_that_asks_is_refused_before_it_sends(
    more: bytes, status: int, code: str
) -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        got, headers, found = await raw_refusal(client, HEAD + more + b"\r\n")

    assert (got, found["code"], headers["connection"]) == (status, code, "close")
    assert service.appends == []


async def test_a_body_of_very_many_records_does_not_hold_up_what_needs_little_time() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        lines = {"Content-Type": "application/x-ndjson"}
        big = asyncio.create_task(client.post("/v1/records", data=b"{}\n" * 150_000, headers=lines))
        probes = 0
        while not big.done():
            assert (await client.get("/livez")).status == 200
            probes += 1
        answer = await (await big).json()

    assert answer["count"] == 150_000
    assert probes >= 5


@pytest.mark.parametrize("gzip", [False, True])
async def test_reading_among_very_many_records_does_not_hold_up_what_needs_little_time(
    gzip: bool,
) -> None:
    service = MemoryService()
    service.put(batch=build_batch([NewRecord(b"")] * 200_000, gzip=gzip))
    async with client_listener(service) as client:
        read = asyncio.create_task(client.get("/v1/records?from=199999"))
        probes = 0
        while not read.done():
            assert (await client.get("/livez")).status == 200
            probes += 1
        answer = await (await read).json()

    assert [record["offset"] for record in answer["records"]] == [199_999]
    assert probes >= 3


async def test_a_small_body_does_not_overtake_a_large_one() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        lines = {"Content-Type": "application/x-ndjson"}
        big = asyncio.create_task(client.post("/v1/records", data=b"{}\n" * 50_000, headers=lines))
        await asyncio.sleep(0.02)
        small = await client.post("/v1/records", data=b"v", headers=OCTETS)
        await big

    assert small.status == 200
    assert [batch.count for batch in service.appends] == [50_000, 1]


async def test_a_closed_listener_soon_ends_what_it_serves_however_long_the_grace_is() -> None:
    service = holding()
    async with client_listener(service, shutdown_grace_ms=600_000) as client:
        tasks = await begun(client, service, 1)
        async with asyncio.timeout(2 * END_S + 5):
            await client.server.close()
        with pytest.raises(ClientError):
            await tasks[0]
