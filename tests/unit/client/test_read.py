"""Reads: every record once, in order, verified, from whichever member answers."""

import asyncio

import pytest

from replog.client import ApiError, Client, PageDamaged, read
from replog.wire.batches import build_values
from tests.unit.client.cluster import Cluster, cluster


def _fill(made: Cluster, batches: int = 10, each: int = 10) -> list[bytes]:
    values = [b"%d" % number for number in range(batches * each)]
    for at in range(0, len(values), each):
        made.log.append(build_values(values[at : at + each], timestamp_ms=1))
    return values


async def _read(client: Client, **options: object) -> list[bytes | None]:
    found: list[bytes | None] = []
    async for page in read(client, **options):  # type: ignore[arg-type]
        found.extend(record.value for record in page.records)
    return found


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["cut", "lose", "damage", "damage damage"])
async def test_a_read_goes_on_at_another_member_whatever_happens(fault: str) -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        values = _fill(made)
        made.members[0].faults.extend(fault.split())
        assert await _read(client) == values


@pytest.mark.asyncio
async def test_a_page_that_is_damaged_everywhere_is_never_given_out() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        _fill(made)
        for member in made.members:
            member.faults.append("damage")
        with pytest.raises(PageDamaged, match="from earliest on"):
            await _read(client)


@pytest.mark.asyncio
async def test_more_records_than_a_page_may_ask_for_are_all_read() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        values = _fill(made, batches=5, each=6000)
        assert await _read(client) == values


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("start", "limit", "first", "last"),
    [("5", None, 4, 100), ("5", 3, 4, 7), ("tail:15", None, 85, 100), ("tail:15", 2, 85, 87),
     ("earliest", 12, 0, 12), ("latest", None, 100, 100), ("earliest", 0, 0, 0)],
)  # fmt: skip
async def test_a_read_begins_and_ends_to_the_record(
    start: str, limit: int | None, first: int, last: int
) -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        values = _fill(made)
        assert await _read(client, start=start, limit=limit) == values[first:last]


@pytest.mark.asyncio
async def test_a_read_ends_where_the_log_ended_when_it_began() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        values = _fill(made, batches=1, each=10_000) + _fill(made, batches=1, each=9_000)
        found = 0
        async for page in read(client):
            found += len(page.records)
            _fill(made, batches=2, each=5_000)
        assert found == len(values)
        assert len(made.members[0].calls) == 2, "it does not run after a log that grows"


@pytest.mark.asyncio
async def test_a_follower_sees_what_comes_later() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        values = _fill(made)
        following = asyncio.create_task(_read(client, follow=True, limit=len(values) + 10))
        await asyncio.sleep(0.3)
        assert not following.done()
        assert len(made.members[0].calls) == 2, "it waits there, and doesn't ask again and again"
        made.members[0].faults.append("cut")
        later = _fill(made, batches=1)
        assert await asyncio.wait_for(following, 5) == [*values, *later]


@pytest.mark.asyncio
async def test_an_offset_beyond_the_end_is_refused() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        with pytest.raises(ApiError, match="offset_out_of_range"):
            await _read(client, start="7")
