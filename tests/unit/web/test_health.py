"""Health, status, waits, metrics: what a member tells about itself."""

from typing import Any

import pytest

from tests.unit.web.memory_service import MEMBER, MemoryService
from tests.unit.web.serving import client_listener, peer_listener, problem

pytestmark = pytest.mark.asyncio


async def test_a_living_member_is_told_so_on_both_listeners() -> None:
    async with client_listener(MemoryService()) as client, peer_listener(MemoryService()) as peer:
        for listener in (client, peer):
            response = await listener.get("/livez")

            assert (response.status, await response.json()) == (200, {"ok": True})


async def test_livez_fails_when_a_restart_would_help_and_says_why() -> None:
    service = MemoryService()
    service.dead = "the disk has not answered for 60 s"
    async with client_listener(service) as client:
        found = await problem(await client.get("/livez"), 503, "not_alive")

    assert found["detail"] == service.dead


async def test_readyz_asks_for_reading_or_writing() -> None:
    service = MemoryService()
    service.not_ready = {"write": "NoLeader"}
    async with client_listener(service) as client:
        for query in ("", "?for=read"):
            assert (await client.get(f"/readyz{query}")).status == 200
        found = await problem(await client.get("/readyz?for=write"), 503, "not_ready")
        await problem(await client.get("/readyz?for=fun"), 400, "parameter_invalid")
        await problem(await client.get("/readyz?four=read"), 400, "parameter_unknown")

    assert found["wait"] == "NoLeader"


async def test_the_status_and_the_waits_are_told_on_both_listeners() -> None:
    async with client_listener(MemoryService()) as client, peer_listener(MemoryService()) as peer:
        for listener in (client, peer):
            status: dict[str, Any] = await (await listener.get("/v1/cluster")).json()
            why: dict[str, Any] = await (await listener.get("/v1/why")).json()

            assert (status["member"], status["role"], status["term"]) == (MEMBER, "leader", 1)
            assert (why["member"], [wait["code"] for wait in why["waits"]]) == (
                MEMBER,
                ["NoLeader"],
            )


async def test_metrics_are_as_of_now() -> None:
    service = MemoryService()
    async with client_listener(service) as client:
        for _ in range(3):
            service.put_control()
        response = await client.get("/metrics")
        text = await response.text()

    assert response.content_type == "text/plain"
    assert "\nreplog_end_offset 3.0\n" in text
    assert '\nreplog_waits{code="NoLeader"} 1.5\n' in text


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/v1/cluster", "/v1/why"])
async def test_routes_without_parameters_refuse_any(path: str) -> None:
    async with client_listener(MemoryService()) as client:
        found = await problem(await client.get(f"{path}?pretty=1"), 400, "parameter_unknown")

    assert found["parameters"] == ["pretty"]


async def test_head_is_answered_as_get_without_a_body() -> None:
    async with client_listener(MemoryService()) as client:
        response = await client.head("/v1/cluster")

        assert (response.status, await response.read()) == (200, b"")
