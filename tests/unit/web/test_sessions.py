"""WebSocket /v1/records:session: many appends on one connection, each answered by itself."""

import asyncio
import gzip
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from google_crc32c import value as crc32c

from replog.wire.batches import HEADER_BYTES, NewRecord, build_batch, records_of
from replog.wire.limits import BATCH_INNER_BYTES_MAX
from replog.wire.problems import ApiError
from replog.wire.sessions import (
    APPEND_HEADER_BYTES,
    SESSION_APPENDS_MAX,
    SESSION_PATH,
    SessionAnswer,
    SessionAppend,
    decode_answers,
    encode_append,
)
from replog_node.metrics import NodeMetrics
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import Client, batch, client_listener, problem

pytestmark = pytest.mark.asyncio


def message(*appends: SessionAppend) -> bytes:
    """Appends as one message."""
    return b"".join(encode_append(append) for append in appends)


def one(request: int, value: bytes = b"v", **more: Any) -> SessionAppend:
    """An append of one record."""
    return SessionAppend(request, batch(value).data, **more)


async def answers(socket: ClientWebSocketResponse, count: int) -> list[SessionAnswer]:
    """The next answers, by request."""
    found: list[SessionAnswer] = []
    while len(found) < count:
        found += decode_answers(await socket.receive_bytes(timeout=5))
    assert len(found) == count
    return sorted(found)


async def ended(socket: ClientWebSocketResponse) -> int | None:
    """The code with which the node ends the session."""
    async with asyncio.timeout(5):
        while (await socket.receive()).type is WSMsgType.BINARY:
            continue
    return socket.close_code


async def refused(client: Client, data: bytes) -> ApiError:
    """The problem that an append of these bytes is answered with."""
    async with client.ws_connect(SESSION_PATH) as socket:
        await socket.send_bytes(encode_append(SessionAppend(1, data)))
        (answer,) = await answers(socket, 1)
    assert answer.problem is not None
    return answer.problem


async def test_several_appends_of_one_message_are_appended_in_order_and_answered_each() -> None:
    service = MemoryService()
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        await socket.send_bytes(message(one(7, b"a"), one(2**64 - 1, b"b")))
        first, second = await answers(socket, 2)

    values = [record.value for kept in service.appends for record in records_of(kept.data)]
    assert values == [b"a", b"b"]
    assert first.request == 7
    assert first.appended is not None
    assert (first.appended.base_offset, first.appended.count, first.appended.term) == (0, 1, 1)
    assert second.request == 2**64 - 1
    assert second.appended is not None
    assert second.appended.base_offset == 1


async def test_an_append_that_is_refused_says_why_and_ends_nothing_else() -> None:
    service = MemoryService()
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        bad = SessionAppend(2, b"no batch")
        await socket.send_bytes(message(one(1), bad, one(3)))
        first, second, third = await answers(socket, 3)

    assert first.appended is not None
    assert third.appended is not None
    assert second.problem is not None
    assert second.problem.code == "batch_invalid"


def forged(at: int, new: bytes, data: bytes) -> bytes:
    """A batch with other bytes in its header, and the checksum that goes with them."""
    spoilt = bytearray(data)
    spoilt[at : at + len(new)] = new
    spoilt[17:21] = crc32c(bytes(spoilt[21:])).to_bytes(4)
    return bytes(spoilt)


def bomb() -> bytes:
    """A sound batch of zeros that are more than a batch may hold, compressed into little."""
    grown = gzip.compress(bytes(BATCH_INNER_BYTES_MAX + 1))
    data = build_batch([NewRecord(b"")], gzip=True).data[:HEADER_BYTES] + grown
    return forged(8, (len(data) - 12).to_bytes(4), data)


FORGED = {
    "a last delta of 2^31 - 1": forged(23, (2**31 - 1).to_bytes(4), batch(b"v").data),
    "a last delta below zero": forged(23, b"\x80\0\0\0", batch(b"v").data),
    "the control bit": forged(21, b"\0\x20", batch(b"v").data),
    "the transactional bit": forged(21, b"\0\x10", batch(b"v").data),
    "no records": forged(57, bytes(4), batch(b"v").data),
    "2^31 - 1 records": forged(57, (2**31 - 1).to_bytes(4), batch(b"v").data),
    "a length of 2^31 - 1": forged(8, (2**31 - 1).to_bytes(4), batch(b"v").data),
    "a codec of nobody": forged(21, b"\0\x07", batch(b"v").data),
    "a producer without epoch": forged(43, bytes(8), batch(b"v").data),
    "a bomb": bomb(),
    "nothing": b"",
}


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_batch_is_refused_by_either_way_and_nothing_is_appended(name: str) -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        assert (await refused(client, FORGED[name])).code == "batch_invalid"
        headers = {"Content-Type": "application/vnd.replog.batch"}
        response = await client.post("/v1/records", data=FORGED[name], headers=headers)
        await problem(response, 422, "batch_invalid")

    assert service.appends == []


async def test_what_the_node_refuses_later_is_told_too() -> None:
    service = MemoryService()
    service.fault = ApiError("sequence_gap", "a gap", expected=17)
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        await socket.send_bytes(message(one(1)))
        (answer,) = await answers(socket, 1)

    assert answer.problem is not None
    assert (answer.problem.code, answer.problem.extra) == ("sequence_gap", {"expected": 17})


async def test_condition_and_time_of_an_append_are_its_own() -> None:
    service = MemoryService()
    async with (
        client_listener(service, request_timeout_ms=4000) as client,
        client.ws_connect(SESSION_PATH) as socket,
    ):
        await socket.send_bytes(message(one(1), one(2, if_last_record=-1, timeout_ms=250)))
        await answers(socket, 2)

    assert [kept.if_last_record for kept in service.appends] == [None, -1]
    assert service.timeouts == [4.0, 0.25]


async def test_a_time_beyond_the_longest_is_refused() -> None:
    service = MemoryService()
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        await socket.send_bytes(message(one(1, timeout_ms=600_001)))
        (answer,) = await answers(socket, 1)

    assert answer.problem is not None
    assert answer.problem.code == "parameter_invalid"
    assert service.appends == []


@pytest.mark.parametrize("cut", [1, APPEND_HEADER_BYTES - 1, APPEND_HEADER_BYTES + 5])
async def test_a_message_that_is_cut_ends_the_session_and_appends_nothing(cut: int) -> None:
    service = MemoryService()
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        await socket.send_bytes(message(one(1)) + message(one(2))[:cut])
        assert await ended(socket) == 1007

    assert service.appends == []


async def test_a_text_message_ends_the_session() -> None:
    async with (
        client_listener(MemoryService()) as client,
        client.ws_connect(SESSION_PATH) as socket,
    ):
        await socket.send_str("hello")
        assert await ended(socket) == 1003


async def test_a_message_that_is_too_long_ends_the_session() -> None:
    service = MemoryService()
    async with (
        client_listener(service, body_bytes_max=1024) as client,
        client.ws_connect(SESSION_PATH) as socket,
    ):
        await socket.send_bytes(message(SessionAppend(1, bytes(1025))))
        assert await ended(socket) == 1009


async def test_past_the_appends_under_way_the_socket_is_not_read_and_then_it_is() -> None:
    service = MemoryService()
    service.held = asyncio.Event()
    more = 50
    async with client_listener(service) as client, client.ws_connect(SESSION_PATH) as socket:
        for number in range(SESSION_APPENDS_MAX + more):
            await socket.send_bytes(message(one(number)))
        await service.called(SESSION_APPENDS_MAX)
        await asyncio.sleep(0.05)
        assert len(service.appends) == SESSION_APPENDS_MAX
        service.held.set()
        await answers(socket, SESSION_APPENDS_MAX + more)

    assert len(service.appends) == SESSION_APPENDS_MAX + more


async def test_bytes_of_all_sessions_are_held_together_and_let_go_with_the_answers() -> None:
    service = MemoryService()
    service.held = asyncio.Event()
    size = len(one(1).batch)
    async with (
        client_listener(service, requests_bytes_max=size, body_bytes_max=size) as client,
        client.ws_connect(SESSION_PATH) as socket,
    ):
        await socket.send_bytes(message(one(1)))
        await service.called(1)
        assert (await refused(client, one(2).batch)).code == "overloaded"
        service.held.set()
        await answers(socket, 1)
        await socket.send_bytes(message(one(3)))
        (third,) = await answers(socket, 1)

    assert third.appended is not None


async def test_a_client_that_leaves_leaves_no_bytes_held() -> None:
    service = MemoryService()
    service.held = asyncio.Event()
    size = len(one(1).batch)
    async with client_listener(service, requests_bytes_max=size, body_bytes_max=size) as client:
        async with client.ws_connect(SESSION_PATH) as socket:
            await socket.send_bytes(message(one(1)))
            await service.called(1)
        service.held.set()
        async with client.ws_connect(SESSION_PATH) as socket:
            await socket.send_bytes(message(one(2)))
            (answer,) = await answers(socket, 1)

    assert answer.appended is not None


async def test_a_client_that_takes_no_answers_loses_its_session() -> None:
    service = MemoryService()
    service.fault = ApiError("batch_invalid", "x" * 60_000)
    async with client_listener(service, response_timeout_ms=100) as client:
        socket = await client.ws_connect(SESSION_PATH)
        socket._response.connection.protocol.pause_reading()  # type: ignore[union-attr]
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(_flood(socket), 10)


async def _flood(socket: ClientWebSocketResponse) -> None:
    """Append, and never look at the answers."""
    for number in range(5000):
        await socket.send_bytes(message(one(number)))
        await asyncio.sleep(0.001)


async def test_sessions_have_a_number_and_the_next_is_refused_before_it_begins() -> None:
    async with client_listener(MemoryService(), sessions_max=1) as client:
        async with client.ws_connect(SESSION_PATH):
            response = await client.get(SESSION_PATH, headers=_UPGRADE)
            assert "Retry-After" in response.headers
            await problem(response, 429, "overloaded")
        async with client.ws_connect(SESSION_PATH):
            pass


_UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}  # fmt: skip


async def test_a_get_that_is_no_websocket_is_refused() -> None:
    async with client_listener(MemoryService()) as client:
        await problem(await client.get(SESSION_PATH), 400, "request_invalid")


async def test_a_listener_that_goes_ends_its_sessions() -> None:
    async with client_listener(MemoryService()) as client:
        socket = await client.ws_connect(SESSION_PATH)
        closing = asyncio.create_task(client.server.close())
        assert await ended(socket) == 1001
        await closing


LABELS = {"code": "batch_invalid"}


async def test_a_flood_of_appends_in_many_sessions_holds_up_the_loop_for_moments_only() -> None:
    """Sixty sessions of a thousand refused appends each once held up everybody for seconds.

    Counted, not timed: how many are begun before the loop does something else.
    """
    bad = bytearray(batch(b"v").data)
    bad[21] ^= 1
    flood = b"".join(encode_append(SessionAppend(n, bytes(bad))) for n in range(1000))
    metrics = NodeMetrics()
    most = 0
    over = asyncio.Event()

    def begun() -> int:
        return int(metrics.registry.get_sample_value("replog_refusals_total", LABELS) or 0)

    async def watch() -> None:
        nonlocal most
        while not over.is_set():
            before = begun()
            await asyncio.sleep(0)
            most = max(most, begun() - before)

    async with client_listener(MemoryService(), metrics=metrics) as client:
        sockets = [await client.ws_connect(SESSION_PATH) for _ in range(30)]
        for socket in sockets:
            await socket.send_bytes(flood)
        watching = asyncio.create_task(watch())
        for socket in sockets:  # they take no answer before all have been given
            (first, *_) = decode_answers(await socket.receive_bytes(timeout=20))
            assert first.problem is not None
        over.set()
        await watching
        for socket in sockets:
            await socket.close()
    assert 0 < most <= 500
