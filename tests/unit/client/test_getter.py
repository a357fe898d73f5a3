"""Point reads of many tasks share pages, and each gets its own answer."""

import asyncio

import pytest

from replog.client import ApiError, Appender, Client, Getter
from replog.client.failures import Unavailable
from replog.client.transport import Answer
from replog.wire.batches import NewRecord
from tests.unit.client.cluster import Cluster, cluster


class Counting(Client):
    """A client that remembers the pages it asked for, and lets them wait for a gate."""

    def __init__(self, made: Cluster, timeout_s: float = 5.0) -> None:
        super().__init__(made.endpoints, timeout_s=timeout_s)
        self.pages: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def read_page(self, start: str, *, limit: int, **options: object) -> Answer:
        self.pages.append((start, limit))
        await self.gate.wait()
        return await super().read_page(start, limit=limit, **options)  # type: ignore[arg-type]  # as it came


async def _filled(client: Client, *counts: int) -> list[int]:
    """Batches of so many records whose values are their numbers; the offsets of all."""
    appender = await Appender.begin(client)
    offsets: list[int] = []
    for count in counts:
        first = len(offsets)
        made = await appender.append([NewRecord(b"%d" % (first + n)) for n in range(count)])
        offsets += range(made.base_offset, made.base_offset + count)
    return offsets


@pytest.mark.asyncio
async def test_calls_made_together_share_a_page_and_each_gets_its_own_record() -> None:
    async with cluster() as made, Counting(made) as client, Getter(client) as getter:
        offsets = await _filled(client, 3, 1, 20)
        wanted = [*reversed(offsets), *offsets]
        found = await asyncio.gather(*map(getter.get, wanted))
        assert [record.offset for record in found if record] == wanted
        values = {record.offset: record.value for record in found if record}
        assert [values[offset] for offset in offsets] == [b"%d" % n for n in range(24)]
        assert len(client.pages) == 1


@pytest.mark.asyncio
async def test_a_call_never_joins_a_page_that_was_asked_for_before_it() -> None:
    async with cluster() as made, Counting(made) as client, Getter(client) as getter:
        offsets = await _filled(client, 2)
        client.gate.clear()
        first = asyncio.create_task(getter.get(offsets[0]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(getter.get(offsets[0]))
        await asyncio.sleep(0.01)
        client.gate.set()
        await asyncio.gather(first, second)
        assert len(client.pages) == 2


@pytest.mark.asyncio
async def test_offsets_far_apart_are_asked_for_apart() -> None:
    async with cluster() as made, Counting(made) as client, Getter(client) as getter:
        offsets = await _filled(client, 1, 200, 1)
        found = await asyncio.gather(getter.get(offsets[0]), getter.get(offsets[-1]))
        assert [record.value for record in found if record] == [b"0", b"201"]
        assert client.pages == [(str(offsets[0]), 1), (str(offsets[-1]), 1)]


@pytest.mark.asyncio
async def test_an_offset_of_the_logs_own_has_no_record_and_one_beyond_the_end_is_refused() -> None:
    async with cluster() as made, Counting(made) as client, Getter(client) as getter:
        offsets = await _filled(client, 1, 1)
        between, end = offsets[0] + 1, offsets[-1] + 1
        wanted = (offsets[0], between, offsets[1], end, end + 5)
        found = await asyncio.gather(*map(getter.get, wanted), return_exceptions=True)
        assert found[1] is None
        assert all(found[at] is not None for at in (0, 2))
        for refused in found[3:]:
            assert isinstance(refused, ApiError)
            assert refused.code == "offset_out_of_range"


@pytest.mark.asyncio
async def test_a_failure_reaches_those_who_asked_and_the_next_call_is_served() -> None:
    async with cluster(1) as made, Counting(made, 0.3) as client, Getter(client) as getter:
        offsets = await _filled(client, 1)
        made.members[0].faults.extend(["cut"] * 50)
        with pytest.raises(Unavailable):
            await getter.get(offsets[0])
        made.members[0].faults.clear()
        assert await getter.get(offsets[0]) is not None


@pytest.mark.asyncio
async def test_leaving_ends_calls_that_wait() -> None:
    async with cluster() as made, Counting(made) as client:
        async with Getter(client) as getter:
            offsets = await _filled(client, 1)
            client.gate.clear()
            calls = [asyncio.create_task(getter.get(offsets[0]))]
            await asyncio.sleep(0.01)
            for far in range(1000, 2000, 100):
                calls.append(asyncio.create_task(getter.get(far)))
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5):
            ended = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(end, asyncio.CancelledError) for end in ended)


@pytest.mark.asyncio
async def test_a_caller_that_leaves_takes_nothing_from_the_others() -> None:
    async with cluster() as made, Counting(made) as client, Getter(client) as getter:
        offsets = await _filled(client, 1)
        client.gate.clear()
        leaves, stays = (asyncio.create_task(getter.get(offsets[0])) for _ in range(2))
        await asyncio.sleep(0.01)
        leaves.cancel()
        client.gate.set()
        assert await stays is not None
