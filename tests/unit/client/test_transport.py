"""One call: which member, how often, how long, and what is told in the end."""

import asyncio

import pytest

from replog.client import ApiError, Client
from replog.client.transport import Unavailable
from tests.unit.client.cluster import cluster

NOBODY = "127.0.0.1:9"


@pytest.mark.asyncio
async def test_nobody_there_means_that_nothing_happened() -> None:
    async with Client([NOBODY], timeout_s=0.3) as client:
        with pytest.raises(Unavailable) as raised:
            await client.allocate_producer()
    assert raised.value.outcome == "none" and NOBODY in raised.value.detail


@pytest.mark.asyncio
async def test_a_member_that_is_down_is_passed_over_and_not_asked_again() -> None:
    async with cluster(1) as made, Client([NOBODY, *made.endpoints]) as client:
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            await client.status()
        assert asyncio.get_running_loop().time() - began < 1.0


@pytest.mark.asyncio
async def test_a_call_ends_when_its_time_is_over() -> None:
    async with cluster() as made, Client(made.endpoints, timeout_s=0.3) as client:
        for member in made.members:
            member.faults.append("hold")
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable) as raised:
            await client.status()
        assert asyncio.get_running_loop().time() - began < 2.0
        assert raised.value.outcome == "unknown"


@pytest.mark.asyncio
async def test_an_answer_of_some_other_server_is_not_asked_for_again() -> None:
    async with cluster(1) as made, Client(made.endpoints) as client:
        made.members[0].faults.append("html")
        with pytest.raises(Unavailable, match="HTTP 404: <h1>no such page"):
            await client.status()
        assert len(made.members[0].calls) == 1


@pytest.mark.asyncio
async def test_a_refusal_that_can_not_change_is_raised_at_once() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        made.members[0].faults.append(ApiError("forbidden", "no", permission="read"))
        with pytest.raises(ApiError) as raised:
            await client.status()
        assert raised.value.extra == {"permission": "read"}
        assert made.members[1].calls == []


@pytest.mark.asyncio
async def test_the_token_goes_with_every_call() -> None:
    async with cluster(1) as made, Client(made.endpoints, token="secret") as client:
        await client.status()
        await client.allocate_producer()
        assert made.members[0].tokens == ["Bearer secret"] * 2


def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Client([])
