"""One call: which member, how often, how long, and what is told in the end."""

import asyncio

import pytest

from replog.client import ApiError, Client, transport
from replog.client.failures import Unavailable
from replog.wire.batches import build_values
from tests.support.one_name import one_name
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
@pytest.mark.parametrize("code", ["removed", "fenced", "unassigned", "shutting_down"])
async def test_a_member_that_can_not_serve_is_left_for_another(code: str) -> None:
    async with cluster(2) as made, Client(made.endpoints, timeout_s=3.0) as client:
        made.members[0].faults.extend(ApiError(code, "not here") for _ in range(9))
        await client.append(build_values([b"a"], timestamp_ms=1))
        await client.status()
        assert made.log.values == [b"a"]
        assert made.members[0].calls == ["POST /v1/records"], "it was not asked again"


@pytest.mark.asyncio
async def test_what_every_member_says_for_a_while_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "HOPELESS_S", 0.5)
    async with cluster() as made, Client(made.endpoints, timeout_s=10.0) as client:
        for member in made.members:
            member.faults.extend(ApiError("removed", "for good") for _ in range(9))
        began = asyncio.get_running_loop().time()
        with pytest.raises(ApiError, match="removed"):
            await client.status()
        assert 0.5 <= asyncio.get_running_loop().time() - began < 3.0


@pytest.mark.asyncio
@pytest.mark.parametrize("sessions", [False, True])
async def test_a_name_that_stands_for_several_members_leads_past_one_that_was_removed(
    *, sessions: bool
) -> None:
    """As a Service does: which member a connection gets is drawn anew for each (issue 6)."""
    removed = [ApiError("removed", "for good") for _ in range(99)]
    async with (
        cluster(2, sessions=sessions) as made,
        one_name(made.endpoints) as name,
        Client([name]) as client,
    ):
        await client.append(build_values([b"a"], timestamp_ms=1))
        first = next(member for member in made.members if member.calls)
        first.faults.extend(removed)
        await client.append(build_values([b"b"], timestamp_ms=1))
        await client.status()
        assert made.log.values == [b"a", b"b"]


@pytest.mark.asyncio
async def test_a_member_that_may_serve_soon_is_waited_for_though_the_others_never_will() -> None:
    async with cluster(2) as made, Client(made.endpoints, timeout_s=10.0) as client:
        made.members[0].faults.extend(ApiError("fenced", "newer") for _ in range(9))
        made.members[1].faults.extend(ApiError("no_leader", "not now") for _ in range(2))
        await client.append(build_values([b"a"], timestamp_ms=1))
        assert len(made.members[1].calls) == 3


@pytest.mark.asyncio
async def test_a_failed_disk_is_left_for_another_member_only_when_repeating_is_harmless() -> None:
    async with cluster(2) as made, Client(made.endpoints, timeout_s=3.0) as client:
        made.members[0].faults.append(ApiError("storage_failed", "no space"))
        await client.status()
        assert len(made.members[1].calls) == 1
        made.members[1].faults.append(ApiError("storage_failed", "no space"))
        with pytest.raises(ApiError, match="storage_failed"):
            await client.append(build_values([b"a"], timestamp_ms=1))
        assert made.log.values == []


@pytest.mark.asyncio
async def test_the_token_goes_with_every_call() -> None:
    async with cluster(1) as made, Client(made.endpoints, token="secret") as client:
        await client.status()
        await client.allocate_producer()
        assert made.members[0].tokens == ["Bearer secret"] * 2


def test_a_client_needs_an_endpoint() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Client([])
