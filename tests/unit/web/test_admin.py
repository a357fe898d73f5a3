"""Bootstrap, target, transfer, producer sessions: JSON calls, read strictly."""

from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, web

from replog.wire.problems import ApiError
from replog.wire.schemas import BootstrapRequest, MemberAddress, TargetRequest
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import client_listener, peer_listener, problem

pytestmark = pytest.mark.asyncio

TARGET: dict[str, Any] = {
    "members": [{"id": "m1", "address": "h:1"}],
    "operation": "o",
    "planned_from": 4,
}


async def test_the_calls_reach_the_service_as_they_were_sent() -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        bootstrap = {"cluster_id": "c", "operation": "o"}
        answers = [
            await (await peer.post("/v1/cluster:bootstrap", json=bootstrap)).json(),
            await (await peer.post("/v1/cluster:target", json=TARGET)).json(),
            await (await peer.post("/v1/cluster:transfer", json={"to": "m2"})).json(),
            await (await peer.post("/v1/cluster:transfer", json={})).json(),
            await (await peer.post("/v1/cluster:transfer")).json(),
            await (await peer.post("/v1/cluster:acknowledge-clock", json={})).json(),
            await (await peer.post("/v1/cluster:acknowledge-clock")).json(),
        ]

    assert answers == [{"done": True, "detail": "done", "offset": 3}] * 7
    assert service.calls == [
        BootstrapRequest("c", "o"),
        TargetRequest([MemberAddress("m1", "h:1")], "o", 4),
        "m2",
        None,
        None,
        "acknowledge_clock",
        "acknowledge_clock",
    ]


async def test_the_time_limit_of_a_call_is_the_callers_or_the_settings() -> None:
    service = MemoryService()
    async with peer_listener(service, request_timeout_ms=3000) as peer:
        await peer.post("/v1/cluster:transfer", headers={"Replog-Timeout-Ms": "20"})
        await peer.post("/v1/cluster:transfer")

    assert service.timeouts == [0.02, 3.0]


@pytest.mark.parametrize(
    "path",
    [
        "cluster:bootstrap",
        "cluster:target",
        "cluster:transfer",
        "cluster:acknowledge-clock",
        "cluster:raise-feature-level",
        "cluster:fence",
        "cluster:unfence",
        "cluster:force-members",
        "log:trim",
        "log:snapshot",
    ],
)
@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"{", "application/json", 400, "json_invalid"),
        (b"[]", "application/json", 422, "body_invalid"),
        (b'{"surprise":1}', "application/json", 422, "body_invalid"),
        (b"{}", "text/plain", 415, "content_type_unsupported"),
    ],
)
async def test_a_body_that_is_not_the_calls_is_refused(
    path: str, body: bytes, content_type: str, status: int, code: str
) -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        response = await peer.post(f"/v1/{path}", data=body, headers={"Content-Type": content_type})
        await problem(response, status, code)

    assert service.calls == []


@pytest.mark.parametrize(
    "path", ["cluster:bootstrap", "cluster:target", "cluster:raise-feature-level", "log:trim"]
)
async def test_a_body_that_is_needed_is_missed(path: str) -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        response = await peer.post(f"/v1/{path}")

        await problem(response, 415, "content_type_unsupported")
    assert service.calls == []


async def test_a_call_with_a_parameter_is_refused() -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        response = await peer.post("/v1/cluster:target?force=1", json=TARGET)
        await problem(response, 400, "parameter_unknown")

    assert service.calls == []


LONG = "x" * 257


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("cluster:bootstrap", {"cluster_id": LONG, "operation": "o"}),
        ("cluster:bootstrap", {"cluster_id": "c", "operation": LONG}),
        ("cluster:target", {**TARGET, "operation": LONG}),
        ("cluster:target", {**TARGET, "holder": LONG}),
        ("cluster:target", {**TARGET, "members": [{"id": LONG, "address": "a:1"}]}),
        ("cluster:target", {**TARGET, "members": [{"id": "a", "address": LONG}]}),
        ("cluster:target", {**TARGET, "members": [{"id": "a", "address": "a:1"}] * 65}),
    ],
)
async def test_names_are_bounded_since_the_log_keeps_them(path: str, body: object) -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        await problem(await peer.post(f"/v1/{path}", json=body), 422, "body_invalid")
    assert service.calls == []


async def test_the_key_of_a_session_is_bounded_since_the_log_keeps_it() -> None:
    """A long key once ended each leader in turn: no control record holds it."""
    service = MemoryService()
    async with client_listener(service) as client:
        for letters in (257, 900_000):
            response = await client.post("/v1/producers", json={"request": "x" * letters})
            await problem(response, 422, "body_invalid")
        assert (await client.post("/v1/producers", json={"request": "x" * 256})).status == 200
    assert service.calls == ["x" * 256]


async def test_a_trim_and_a_snapshot_are_asked_for() -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        answers = [
            await (await peer.post("/v1/log:trim", json={"before": 12})).json(),
            await (await peer.post("/v1/log:snapshot")).json(),
        ]
    assert service.calls == [("trim", 12), "snapshot"]
    assert [answer["done"] for answer in answers] == [True, True]


@pytest.mark.parametrize("before", [-1, "1", 1.5, None, 2**63])
async def test_a_trim_to_what_is_no_offset_is_refused(before: object) -> None:
    service = MemoryService()
    async with peer_listener(service) as peer:
        response = await peer.post("/v1/log:trim", json={"before": before})
        await problem(response, 422, "body_invalid")
    assert service.calls == []


async def test_a_feature_level_is_asked_for_as_a_number_from_one_on() -> None:
    service = MemoryService()
    path = "/v1/cluster:raise-feature-level"
    async with peer_listener(service) as peer:
        answer = await (await peer.post(path, json={"feature_level": 2})).json()
        for level in (0, -1, "2", 2**15, None):
            await problem(await peer.post(path, json={"feature_level": level}), 422, "body_invalid")
    assert answer["done"]
    assert service.calls == [("raise-feature-level", 2)]


async def test_the_client_listener_trims_nothing() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        await problem(await client.post("/v1/log:trim", json={"before": 1}), 404, "not_found")
    assert service.calls == []


async def test_an_epoch_is_resolved_by_the_producers_path() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        answer = await client.post("/v1/producers/41:resolve", json={"epoch": 2})
        found = await answer.json()
    assert service.calls == [(41, 2)]
    assert found == {
        "producer_id": 41, "epoch": 3, "last_sequence": 1, "last_offset": 9, "repeated": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("x:resolve", {"epoch": 0}, 404, "not_found"),
        ("-1:resolve", {"epoch": 0}, 404, "not_found"),
        (f"{2**63}:resolve", {"epoch": 0}, 404, "not_found"),
        (":resolve", {"epoch": 0}, 404, "not_found"),
        ("1:forget", {"epoch": 0}, 404, "not_found"),
        ("1:resolve", {"epoch": -1}, 422, "body_invalid"),
        ("1:resolve", {"epoch": 2**15}, 422, "body_invalid"),
        ("1:resolve", {}, 422, "body_invalid"),
        ("1:resolve", {"epoch": 0, "more": 1}, 422, "body_invalid"),
    ],
)
async def test_a_question_about_nothing_sensible_is_refused(
    path: str, body: object, status: int, code: str
) -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        await problem(await client.post(f"/v1/producers/{path}", json=body), status, code)
    assert service.calls == []


async def test_a_bootstrap_over_data_is_refused_by_the_service() -> None:
    service = MemoryService()
    service.fault = ApiError("already_bootstrapped", "this member belongs to c already")
    async with peer_listener(service) as peer:
        body = {"cluster_id": "d", "operation": "o"}
        response = await peer.post("/v1/cluster:bootstrap", json=body)
        found = await problem(response, 409, "already_bootstrapped")

    assert found["outcome"] == "none"


async def test_a_producer_session_is_begun_with_or_without_a_request_key() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        first = await (await client.post("/v1/producers", json={"request": "r"})).json()
        second = await client.post("/v1/producers")
        bad = await client.post("/v1/producers", json={"request": 1})
        await problem(bad, 422, "body_invalid")

    assert first == {"producer_id": 7, "epoch": 0, "expires_after_ms": 86_400_000}
    assert (second.status, service.calls) == (200, ["r", ""])


@pytest.mark.parametrize(
    ("asked_ms", "status"),
    [(59_999, 422), (60_000, 200), (86_400_000, 200), (86_400_001, 422), ("60000", 422)],
)
async def test_a_session_lasts_as_long_as_was_asked_for_within_bounds(
    asked_ms: object, status: int
) -> None:
    async with client_listener(MemoryService()) as client:
        response = await client.post("/v1/producers", json={"expires_after_ms": asked_ms})
        if status == 200:
            assert (await response.json())["expires_after_ms"] == asked_ms
        else:
            await problem(response, status, "body_invalid")


async def test_a_socket_between_members_is_served_by_the_handler_that_was_given() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data[::-1])
        return socket

    async with peer_listener(MemoryService(), peer_handlers={"/v1/peer/bulk": echo}) as peer:
        socket: ClientWebSocketResponse
        async with peer.ws_connect("/v1/peer/bulk") as socket:
            await socket.send_bytes(b"abc")

            assert await socket.receive_bytes() == b"cba"
        await problem(await peer.post("/v1/peer/bulk"), 405, "method_not_allowed")


async def test_a_target_that_is_tried_out_goes_to_nobody_who_would_change_it() -> None:
    service = MemoryService()
    async with peer_listener(service) as client:
        body = {"members": [], "operation": "o", "planned_from": 4, "dry_run": True}
        response = await client.post("/v1/cluster:target", json=body)
        answer = await response.json()

    assert (response.status, answer["steps"][0]["step"], answer["planned_from"]) == (
        200,
        "target",
        4,
    )
    (asked,) = service.calls
    assert isinstance(asked, TargetRequest) and asked.dry_run


async def test_whether_a_member_may_stop_is_told_on_both_listeners_with_reasons() -> None:
    service = MemoryService()
    for listener in (client_listener, peer_listener):
        async with listener(service, requests_max=1) as client:
            path = "/v1/cluster/members/m%2F1:may-stop"
            response = await client.get(path, headers={"Replog-Timeout-Ms": "500"})
            answer = await response.json()
            assert (answer["may_stop"], answer["reasons"]) == (False, ["the others are too few"])
            await problem(await client.get(path + "?x=1"), 400, "parameter_unknown")

    assert service.calls == [("may stop", "m/1")] * 2
    assert service.timeouts == [0.5, 0.5]
