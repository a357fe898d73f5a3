"""Every refusal is a problem document: the router's, aiohttp's, the service's, and our faults."""

import logging

import pytest
from aiohttp import web

from replog.wire.codes import ERRORS
from replog.wire.problems import ApiError
from replog_node.metrics import NodeMetrics
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import (
    client_listener,
    peer_listener,
    problem,
    raw_exchange,
    raw_refusal,
)

pytestmark = pytest.mark.asyncio

OCTETS = {"Content-Type": "application/octet-stream"}
REFUSED = (400, "request_invalid", "close")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/records/", "/v1/record", "/v1/records/1", "/v1/%FF", "/v1/cluster:x"]
)
async def test_a_path_that_no_route_has_is_not_found(path: str) -> None:
    async with client_listener(MemoryService()) as client, peer_listener(MemoryService()) as peer:
        for listener in (client, peer):
            await problem(await listener.get(path), 404, "not_found")
            await problem(await listener.post(path, data=b"x"), 404, "not_found")


async def test_the_listeners_do_not_serve_each_others_routes() -> None:
    async with client_listener(MemoryService()) as client, peer_listener(MemoryService()) as peer:
        await problem(await client.post("/v1/cluster:target", json={}), 404, "not_found")
        await problem(await client.get("/v1/peer/control"), 404, "not_found")
        await problem(await peer.post("/v1/records", data=b"v"), 404, "not_found")
        await problem(await peer.get("/metrics"), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/records", ["GET", "HEAD", "POST"]),
        ("PUT", "/v1/records", ["GET", "HEAD", "POST"]),
        ("POST", "/v1/log", ["GET", "HEAD"]),
        ("GET", "/v1/producers", ["POST"]),
        ("OPTIONS", "/livez", ["GET", "HEAD"]),
    ],
)
async def test_a_method_that_a_path_does_not_have_lists_those_it_has(
    method: str, path: str, allowed: list[str]
) -> None:
    async with client_listener(MemoryService()) as client:
        response = await client.request(method, path)
        found = await problem(response, 405, "method_not_allowed")

    assert (response.headers["Allow"], found["allowed"]) == (", ".join(allowed), allowed)


@pytest.mark.parametrize(
    "sent",
    [
        b"not http at all\r\n\r\n",
        b"BREW\x00 /livez HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_in_our_form(sent: bytes) -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        status, _, found = await raw_refusal(client, sent)

    assert (status, found["code"], found["outcome"]) == (400, "request_invalid", "none")
    assert service.appends == []


@pytest.mark.parametrize("version", ["0.9", "2.0", "1.2", "3.0"])
async def test_another_version_of_http_is_refused_and_named_where_it_is_known(version: str) -> None:
    sent = f"GET /livez HTTP/{version}\r\nHost: x\r\n\r\n".encode()
    async with client_listener(MemoryService()) as client:
        status, headers, found = await raw_refusal(client, sent)

    assert (status, found["code"], headers.get("connection", "close")) == REFUSED
    known = f"HTTP/{version}: HTTP/1.1 and 1.0 are served"
    assert found["detail"] in (known, "the request line is not that of HTTP/1.1")


async def test_a_request_without_a_version_is_refused() -> None:
    async with client_listener(MemoryService()) as client:
        _, _, found = await raw_refusal(client, b"GET /livez\r\n\r\n")

    assert found["code"] == "request_invalid"


async def test_http_1_0_is_served_and_its_connection_ends() -> None:
    service = MemoryService()
    head = b"POST /v1/records HTTP/1.0\r\nContent-Type: application/octet-stream\r\n"
    async with client_listener(service) as client:
        answer = await raw_exchange(client, head + b"Content-Length: 1\r\n\r\nv")
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nv\r\n0\r\n\r\n"
        _, _, found = await raw_refusal(client, chunked)

    assert answer.startswith(b"HTTP/1.0 200 OK\r\n")
    assert (found["code"], len(service.appends)) == ("request_invalid", 1)


@pytest.mark.parametrize("encoding", ["gzip, chunked", "chunked, chunked", "gzip", "x, chunked"])
async def test_a_body_in_another_encoding_than_chunks_is_refused(encoding: str) -> None:
    service = MemoryService()
    head = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
    sent = f"{head}Transfer-Encoding: {encoding}\r\n\r\n1\r\nv\r\n0\r\n\r\n".encode()
    async with client_listener(service) as client:
        status, headers, found = await raw_refusal(client, sent)

    assert (status, found["code"], headers.get("connection", "close")) == REFUSED
    assert "Transfer-Encoding" in found["detail"] and service.appends == []


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"no colon\r\n", "Invalid header token"),
        (b"secret: a\0b\r\n", "Invalid header value char"),
        (b"Host: secret\r\n", "Duplicate 'Host' header found"),
        (b"a: secret\r\n" * 101, "more than 100 headers"),
        (b"Content-Length: -1\r\n", "Invalid character in Content-Length"),
        (b"a: secret" * 1000 + b"\r\n", "a line of the head is longer than 8192 bytes"),
        (b"Sec-WebSocket-Key1: secret\r\n", "a header that no request may have"),
    ],
)
async def test_what_is_wrong_with_a_head_is_told_without_its_bytes(head: bytes, told: str) -> None:
    async with client_listener(MemoryService()) as client:
        sent = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n"
        _, _, found = await raw_refusal(client, sent)

    assert found["detail"] == told


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"GET /livez HTTP/1.1\r\n\r\n", "Missing 'Host' header in request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2 is not spoken here"),
        (b"GET secret HTTP/1.1\r\nHost: x\r\n\r\n", "the request line names no path"),
        (
            b"\x16\x03\x01\x02\r\n\r\n",
            "no method of HTTP/1.1 at the beginning; TLS is not spoken here",
        ),
    ],
)
async def test_what_is_wrong_with_a_request_line_is_told(sent: bytes, told: str) -> None:
    async with client_listener(MemoryService()) as client:
        _, _, found = await raw_refusal(client, sent)

    assert found["detail"] == told


async def test_an_expectation_without_a_route_is_refused_in_our_form() -> None:
    async with client_listener(MemoryService()) as client:
        head = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: magic\r\nContent-Length: 1\r\n\r\n"
        status, _, found = await raw_refusal(client, head)

    assert (status, found["code"]) == (400, "request_invalid")


@pytest.mark.parametrize(
    "fault", [RuntimeError("secret"), KeyError("secret"), TimeoutError("secret")]
)
async def test_a_fault_of_ours_is_told_to_the_log_only(
    fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    service = MemoryService()
    service.fault = fault
    metrics = NodeMetrics()
    async with client_listener(service, metrics=metrics) as client:
        response = await client.post(
            "/v1/records", data=b"v", headers={**OCTETS, "Accept": "text/html"}
        )
        text = await response.text()
        found = await problem(response, 500, "internal")

    assert found["outcome"] == "unknown"
    assert metrics.registry.get_sample_value("replog_refusals_total", {"code": "internal"}) == 1
    assert "secret" not in text and "Traceback" not in text and ".py" not in text
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert found["id"] in str(record.__dict__)


async def test_a_connection_error_behind_the_service_is_no_ones_traceback() -> None:
    service = MemoryService()
    service.fault = ConnectionRefusedError("secret")
    async with client_listener(service) as client:
        response = await client.get("/v1/log")
        text = await response.text()
        await problem(response, 500, "internal")

        head = b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n"
        more = b"Content-Length: 1\r\nExpect: 100-continue\r\n\r\n"
        awaited = await raw_exchange(client, head + more, b"v", pause_s=0.05)

    assert "secret" not in text
    assert b"HTTP/1.1 500 Internal Server Error\r\n" in awaited


async def test_an_http_error_that_a_handler_raises_takes_our_form() -> None:
    async def handler(_request: web.Request) -> web.Response:
        raise web.HTTPConflict(text="<html>")

    async with peer_listener(MemoryService(), peer_handlers={"/v1/peer/bulk": handler}) as peer:
        await problem(await peer.get("/v1/peer/bulk"), 400, "request_invalid")


async def test_each_code_of_the_table_is_answered_with_its_status_and_outcome() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        for row in ERRORS:
            service.fault = ApiError(row.code, "said the service", evidence=1)
            response = await client.post("/v1/records", data=b"v", headers=OCTETS)
            found = await problem(response, row.status, row.code)

            told = (found["outcome"], found["retryable"], found["detail"], found["evidence"])
            assert told == (row.outcome, row.retryable, "said the service", 1)
            assert ("Retry-After" in response.headers) == (row.status in (429, 503, 507))


async def test_answers_and_refusals_are_counted_by_route_and_code() -> None:
    metrics = NodeMetrics()
    async with client_listener(MemoryService(), metrics=metrics) as client:
        await client.post("/v1/records", data=b"v", headers=OCTETS)
        await client.post("/v1/records", data=b"v", headers={"Content-Type": "text/plain"})
        await client.get("/nowhere")
        await client.delete("/v1/log")

    def requests(route: str, status: int) -> float | None:
        labels = {"listener": "client", "route": route, "status": str(status)}
        return metrics.registry.get_sample_value("replog_http_requests_total", labels)

    assert (requests("POST /v1/records", 200), requests("POST /v1/records", 415)) == (1, 1)
    assert (requests("none", 404), requests("none", 405)) == (1, 1)
    for code in ("content_type_unsupported", "not_found", "method_not_allowed"):
        assert metrics.registry.get_sample_value("replog_refusals_total", {"code": code}) == 1
