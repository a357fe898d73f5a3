"""A consumer: record by record, resumable by one number, whatever happens to members."""

import pytest

from replog.client import ApiError, Appender, Client, Consumer
from replog.client.failures import Unavailable
from tests.unit.client.cluster import Cluster, cluster


async def _filled(made: Cluster, client: Client, count: int) -> None:
    appender = await Appender.begin(client)
    for number in range(count):
        await appender.append_value(b"%d" % number)


@pytest.mark.asyncio
async def test_it_gives_every_record_once_and_in_order() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        await _filled(made, client, 5)
        found = [record.value async for record in Consumer(client, follow=False)]
        assert found == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.asyncio
async def test_its_position_is_all_that_a_restart_needs() -> None:
    async with cluster() as made, Client(made.endpoints) as client:
        await _filled(made, client, 5)
        first = Consumer(client, follow=False)
        async for record in first:
            if record.value == b"1":
                break
        assert first.position is not None
        second = Consumer(client, first.position, follow=False)
        assert [record.value async for record in second] == [b"2", b"3", b"4"]
        assert [record.value async for record in first] == [b"2", b"3", b"4"], "it goes on itself"


@pytest.mark.asyncio
async def test_after_a_failure_the_same_consumer_goes_on_where_it_was() -> None:
    async with cluster(1) as made, Client(made.endpoints, timeout_s=0.3) as client:
        await _filled(made, client, 3)
        consumer = Consumer(client, follow=False)
        made.members[0].faults.extend(["cut"] * 50)
        iterator = aiter(consumer)
        with pytest.raises(Unavailable):
            await anext(iterator)
        made.members[0].faults.clear()
        assert (await anext(iterator)).value == b"0"
        assert [record.value async for record in consumer] == [b"1", b"2"]


@pytest.mark.asyncio
async def test_a_trimmed_position_is_told_or_skipped_as_asked() -> None:
    async with cluster(1) as made, Client(made.endpoints) as client:
        await _filled(made, client, 4)
        trimmed = ApiError("offset_trimmed", "gone", log_start_offset=4)
        made.members[0].faults.append(trimmed)
        with pytest.raises(ApiError, match="offset_trimmed"):
            await anext(aiter(Consumer(client, 0, follow=False)))
        made.members[0].faults.append(trimmed)
        skipping = Consumer(client, 0, follow=False, when_trimmed="skip")
        assert [record.value async for record in skipping] == [b"2", b"3"]
