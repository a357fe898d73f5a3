"""A producer: each record once, bounded bytes under way, and a failure that blocks nothing."""

import asyncio
from itertools import pairwise

import pytest

from replog.client import ApiError, Client, OutcomeUnknown, Producer, SessionEnded
from replog.client.producer import RECORD_BYTES
from tests.unit.client.cluster import Cluster, cluster


def _client(made: Cluster) -> Client:
    return Client(made.endpoints, timeout_s=10.0)


@pytest.mark.asyncio
async def test_a_thousand_tasks_share_batches_and_each_gets_its_own_offset() -> None:
    async with cluster() as made, _client(made) as client:
        async with Producer(client) as producer:
            values = [b"%d" % number for number in range(1000)]
            offsets = await asyncio.gather(*(producer.append(value) for value in values))
        assert [made.log.by_offset[offset] for offset in offsets] == values
        assert sum("POST /v1/records" in member.calls for member in made.members) >= 1
        assert len(made.log.batches) < 100


@pytest.mark.asyncio
async def test_what_is_not_acknowledged_is_bounded_in_bytes() -> None:
    async with cluster(1) as made, _client(made) as client:
        made.members[0].faults.extend(["", "hold"])
        size = 100 + RECORD_BYTES
        async with Producer(client, unacknowledged_bytes=3 * size) as producer:
            tasks = [asyncio.create_task(producer.append(b"x" * 100)) for _ in range(10)]
            await asyncio.sleep(0.2)
            assert producer.unacknowledged_bytes == 3 * size
            tasks[3].cancel()  # it waits for room; whoever stands behind it must not wait longer
            made.members[0].held.set()
            done = await asyncio.gather(*tasks, return_exceptions=True)
        offsets = [found for found in done if isinstance(found, int)]
        assert len(offsets) == 9 == len(made.log.values)
        assert producer.unacknowledged_bytes == 0
        assert all(before < after for before, after in pairwise(offsets))


@pytest.mark.asyncio
async def test_one_record_larger_than_the_bound_goes_alone() -> None:
    async with cluster(1) as made, _client(made) as client:
        async with Producer(client, unacknowledged_bytes=1) as producer:
            await asyncio.gather(producer.append(b"x" * 100), producer.append(b"y" * 100))
        assert made.log.values == [b"x" * 100, b"y" * 100]


@pytest.mark.asyncio
async def test_leaving_waits_until_all_that_was_taken_is_acknowledged() -> None:
    async with cluster(1) as made, _client(made) as client:
        made.log.append_takes_s = 0.2
        async with Producer(client) as producer:
            tasks = [asyncio.create_task(producer.append(b"%d" % number)) for number in range(3)]
            await asyncio.sleep(0)
        assert all(task.done() for task in tasks)
        assert len(made.log.values) == 3


@pytest.mark.asyncio
async def test_after_a_refusal_the_next_append_begins_a_new_session() -> None:
    async with cluster(1) as made, _client(made) as client, Producer(client) as producer:
        await producer.append(b"a")
        made.members[0].faults.append(ApiError("producer_fenced", "another one has taken over"))
        with pytest.raises((ApiError, SessionEnded)):
            await producer.append(b"lost")
        await producer.append(b"b")
        assert made.log.values == [b"a", b"b"]
        assert made.members[0].calls.count("POST /v1/producers") == 2


@pytest.mark.asyncio
async def test_an_unknown_outcome_is_told_and_is_not_taken_for_a_refusal() -> None:
    async with cluster(1) as made, Client(made.endpoints, timeout_s=0.4) as client:
        async with Producer(client) as producer:
            await producer.append(b"a")
            made.members[0].faults.extend(["lose"] * 40)
            with pytest.raises(OutcomeUnknown):
                await producer.append(b"b")
            made.members[0].faults.clear()
            await producer.append(b"c")
        assert made.log.values == [b"a", b"b", b"c"]
