"""The short way of small appends answers as the usual one does, and keeps its bounds."""

import asyncio
import json
from hashlib import sha256
from typing import Any

import pytest

from replog.wire.batches import build_values
from replog.wire.problems import ApiError
from replog_node.metrics import NodeMetrics
from replog_node.web.framing import length_of
from replog_node.web.permissions import Holder, Permission, Tokens
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import client_listener, raw_connection

HEAD = "POST /v1/records HTTP/1.1\r\nHost: x\r\n"
OCTETS = "Content-Type: application/octet-stream\r\n"
BATCH = "Content-Type: application/vnd.replog.batch\r\n"
USUAL = "X-Unknown: sends it the usual way\r\n"


def request(body: bytes, *headers: str, kind: str = OCTETS) -> bytes:
    """An append with these header lines, whole."""
    lines = "".join(f"{header}\r\n" for header in headers)
    return f"{HEAD}{kind}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Status, headers (names in lower case) and JSON of the next answer."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return int(first.split()[1]), headers, json.loads(body)


def holding() -> MemoryService:
    """A service whose appends wait until the test lets them go."""
    service = MemoryService()
    service.held = asyncio.Event()
    return service


@pytest.mark.asyncio
async def test_values_that_arrive_together_are_one_batch_and_each_is_answered_alone() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        connections = [await asyncio.open_connection(client.host, client.port) for _ in range(50)]
        for number, (_, writer) in enumerate(connections):
            writer.write(request(b"%d" % number))
        answers = [await answer(reader) for reader, _ in connections]
        for _, writer in connections:
            writer.close()

    assert service.appended == 50
    assert len(service.appends) < 50
    assert sorted(body["base_offset"] for _, _, body in answers) == list(range(50))
    assert all(status == 200 and body["count"] == 1 for status, _, body in answers)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("headers", "kind", "body"),
    [
        ((), OCTETS, b"value"),
        ((), OCTETS, b""),
        (("Replog-Timeout-Ms: 7",), OCTETS, b"v"),
        ((), BATCH, build_values([b"a", b"b"], timestamp_ms=5).data),
        ((), BATCH, b"no batch"),
        ((), OCTETS, b"v" * 2001),
    ],
)  # fmt: skip
async def test_an_answer_is_that_of_the_usual_way(
    headers: tuple[str, ...], kind: str, body: bytes
) -> None:
    found = []
    for more in ((), (USUAL.strip(),)):
        service = MemoryService()
        async with (
            client_listener(service, body_bytes_max=2000) as client,
            raw_connection(client) as (reader, writer),
        ):
            writer.write(request(body, *headers, *more, kind=kind))
            status, fields, told = await answer(reader)
        fields.pop("date", None)
        fields.pop("server", None)
        fields.pop("content-length")
        values = [batch.count for batch in service.appends]
        found.append((status, fields, told, service.timeouts, values))
    assert found[0] == found[1]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("token", "status", "code"),
    [(None, 401, "unauthorized"), ("r" * 16, 403, "forbidden"), ("w" * 16, 200, "")],
)
async def test_the_permission_is_asked_for(token: str | None, status: int, code: str) -> None:
    holders = tuple(
        Holder(_digest(letter * 16), frozenset({permission}))
        for letter, permission in (("r", Permission.READ), ("w", Permission.WRITE))
    )
    service = MemoryService()
    async with (
        client_listener(service, tokens=Tokens(holders, "p" * 16)) as client,
        raw_connection(client) as (reader, writer),
    ):
        writer.write(request(b"v", *([f"Authorization: Bearer {token}"] if token else [])))
        found, _, told = await answer(reader)
    assert (found, told.get("code", "")) == (status, code)
    assert service.appended == (status == 200)


@pytest.mark.asyncio
async def test_requests_sent_at_once_on_one_connection_are_answered_in_their_order() -> None:
    service = MemoryService()
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        for number in range(20):
            more = (USUAL.strip(),) if number % 3 == 1 else ()
            writer.write(request(b"%d" % number, *more))
            if number % 4:
                await asyncio.sleep(0.001)
        offsets = [(await answer(reader))[2]["base_offset"] for _ in range(20)]
    assert offsets == list(range(20))


@pytest.mark.asyncio
async def test_a_request_in_pieces_is_served_and_the_connection_goes_on() -> None:
    service = MemoryService()
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        for _ in range(2):
            whole = request(b"in pieces")
            for piece in (whole[:10], whole[10:60], whole[60:-3], whole[-3:], request(b"whole")):
                writer.write(piece)
                await asyncio.sleep(0.01)
            assert [(await answer(reader))[0] for _ in range(2)] == [200, 200]
    assert service.appended == 4


@pytest.mark.asyncio
async def test_what_looks_like_a_request_within_a_body_is_a_part_of_the_body() -> None:
    service = MemoryService()
    within = request(b"smuggled")
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        whole = request(b"begin" + within + b"end", USUAL.strip())
        at = whole.index(within)
        for piece in (whole[:at], whole[at : at + len(within)], whole[at + len(within) :]):
            writer.write(piece)
            await asyncio.sleep(0.02)
        assert (await answer(reader))[0] == 200
    assert [len(batch.data) > len(within) + 60 for batch in service.appends] == [True]


@pytest.mark.asyncio
async def test_what_looks_like_a_request_within_a_head_is_a_part_of_the_head() -> None:
    service = MemoryService()
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        writer.write(b"GET /v1/log HTTP/1.1\r\n")
        await asyncio.sleep(0.02)
        writer.write(request(b"v"))
        assert (await answer(reader))[0] == 400
    assert service.appended == 0


@pytest.mark.asyncio
async def test_a_direct_request_waits_for_the_usual_one_before_it() -> None:
    service = holding()
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        writer.write(request(b"first", USUAL.strip()))
        await asyncio.wait_for(service.called(1), 5)
        writer.write(request(b"second"))
        await asyncio.sleep(0.05)
        assert service.appended == 1
        assert service.held is not None
        service.held.set()
        assert [(await answer(reader))[2]["base_offset"] for _ in range(2)] == [0, 1]


@pytest.mark.asyncio
async def test_nothing_is_read_of_a_connection_while_its_request_is_served() -> None:
    service = holding()
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        writer.write(request(b"first"))
        await asyncio.wait_for(service.called(1), 5)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_flood(writer), 0.5)
        assert service.held is not None
        service.held.set()
        assert (await answer(reader))[0] == 200


@pytest.mark.asyncio
async def test_a_caller_that_leaves_hurts_nobody_whose_value_came_with_its_own() -> None:
    service = holding()
    async with client_listener(service) as client:
        stays = await asyncio.open_connection(client.host, client.port)
        leaves = await asyncio.open_connection(client.host, client.port)
        for _, writer in (leaves, stays):
            writer.write(request(b"v"))
        await asyncio.wait_for(service.called(2), 5)
        leaves[1].transport.abort()
        await asyncio.sleep(0.01)
        assert service.held is not None
        service.held.set()
        assert (await answer(stays[0]))[0] == 200
        stays[1].close()


@pytest.mark.asyncio
async def test_too_many_at_once_are_refused_and_all_are_counted() -> None:
    service, metrics = holding(), NodeMetrics()
    async with client_listener(service, metrics=metrics, requests_max=3) as client:
        connections = [await asyncio.open_connection(client.host, client.port) for _ in range(5)]
        for _, writer in connections:
            writer.write(request(b"v"))
        await asyncio.wait_for(service.called(3), 5)
        await asyncio.sleep(0.05)
        assert service.held is not None
        service.held.set()
        answers = [await answer(reader) for reader, _ in connections]
        for _, writer in connections:
            writer.close()

    assert sorted(status for status, _, _ in answers) == [200, 200, 200, 429, 429]
    assert all(fields["retry-after"] == "1" for status, fields, _ in answers if status == 429)
    counted = {
        status: metrics.registry.get_sample_value(
            "replog_http_requests_total",
            {"listener": "client", "route": "POST /v1/records", "status": str(status)},
        )
        for status in (200, 429)
    }
    assert counted == {200: 3, 429: 2}


@pytest.mark.asyncio
async def test_a_failure_of_the_batch_is_told_to_each_with_its_code() -> None:
    service = MemoryService()
    service.fault = ApiError("no_leader", "nobody leads")
    async with client_listener(service) as client, raw_connection(client) as (reader, writer):
        writer.write(request(b"v"))
        status, _, told = await answer(reader)
    assert (status, told["code"]) == (503, "no_leader")


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12345", 43),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", 43),
        (b"POST / HTTP/1.1\r\ncontent-length:5 \r\n\r\n", 43),
        (b"GET / HTTP/1.1\r\nHost: x\r\n", None),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", None),
        (b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", None),
        (b"POST / HTTP/1.1\nContent-Length: 5\r\n\r\n", None),
        (b"POST / HTTP/1.1\r\nX: a\rContent-Length: 5\r\n\r\n", None),
    ],
)
def test_a_length_is_known_only_where_no_two_parsers_could_differ(
    data: bytes, length: int | None
) -> None:
    assert length_of(data) == length


async def _flood(writer: asyncio.StreamWriter) -> None:
    for _ in range(10_000):
        writer.write(request(b"v" * 10_000))
        await writer.drain()


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
