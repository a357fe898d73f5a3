"""A client that was given one member, and outlives it."""

import pytest

from replog.client import Client
from replog.client.discovery import Discovery
from replog.client.transport import ENDPOINTS_MAX, Transport
from tests.unit.client.cluster import cluster


@pytest.mark.asyncio
async def test_a_client_outlives_the_only_member_that_it_was_given() -> None:
    async with cluster() as made, Client(made.endpoints[:1], timeout_s=5.0) as client:
        assert await Discovery(client).ask()
        await made.members[0].server.close()
        assert (await client.status()).member in {"member-1", "member-2"}


@pytest.mark.asyncio
async def test_it_asks_by_itself_once_it_is_open() -> None:
    async with cluster() as made:
        client = Client(made.endpoints[:1], timeout_s=5.0, discover=True)
        async with client:
            await client.status()
            await client.status()
        assert set(client.transport.endpoints) == set(made.endpoints)


@pytest.mark.asyncio
async def test_when_nobody_answers_what_is_known_stays_known() -> None:
    async with cluster(1) as made, Client(made.endpoints, timeout_s=0.2) as client:
        client.transport.learn(["127.0.0.1:9"])
        made.members[0].faults.extend(["cut"] * 20)
        assert not await Discovery(client).ask()
        assert "127.0.0.1:9" in client.transport.endpoints


def test_members_that_left_are_forgotten_and_the_given_ones_never() -> None:
    transport = Transport(["a:1", "b:1"])
    transport.turn_from("a:1")
    transport.learn(["c:1", "b:1"])
    assert transport.endpoints == ("a:1", "b:1", "c:1")
    transport.turn_from("b:1")  # so c is asked, which leaves now
    transport.learn(["d:1"])
    assert transport.endpoints == ("a:1", "b:1", "d:1")
    transport.learn([f"e:{number}" for number in range(1, 100)])
    assert len(transport.endpoints) == 2 + ENDPOINTS_MAX
