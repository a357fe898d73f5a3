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
            assert ("Retry-After" in response.headers) == (row.status in (429, 503))


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
