"""Appends by a session: as sure as by HTTP, answered in any order, and HTTP where there is none."""

import asyncio
import gc

import pytest

from replog.client import ApiError, Appender, Client, NewRecord, OutcomeUnknown
from replog.client.failures import Unavailable
from replog.wire.batches import build_batch
from tests.unit.client.cluster import Cluster, cluster


def _client(made: Cluster, timeout_s: float = 10.0) -> Client:
    return Client(made.endpoints, timeout_s=timeout_s)


@pytest.mark.asyncio
async def test_many_appends_share_one_connection() -> None:
    async with cluster(sessions=True) as made, _client(made) as client:
        appender = await Appender.begin(client)
        for number in range(50):
            await appender.append_value(b"%d" % number)
        calls = made.members[0].calls
        assert calls.count("GET /v1/records:session") == 1 and calls.count("append") == 50
        assert made.log.values == [b"%d" % number for number in range(50)]


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["lose", "cut", "damage"])
async def test_a_session_that_ends_neither_loses_nor_doubles_a_batch(fault: str) -> None:
    async with cluster(sessions=True) as made, _client(made) as client:
        appender = await Appender.begin(client)
        await appender.append_value(b"a")
        made.members[0].faults.append(fault)
        done = await appender.append_value(b"b")
        assert done.duplicate == (fault != "cut")
        assert made.log.values == [b"a", b"b"]


@pytest.mark.asyncio
async def test_batches_side_by_side_keep_their_order_whatever_is_lost() -> None:
    async with cluster(sessions=True) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["lose", "cut", "lose", "cut"])
        made.members[1].faults.extend(["cut", "lose"])
        for number in range(60):
            await appender.send_values([b"%d" % number])
        await appender.settle()
        assert made.log.values == [b"%d" % number for number in range(60)]


@pytest.mark.asyncio
async def test_answers_come_in_any_order() -> None:
    async with cluster(1, sessions=True) as made, _client(made) as client:
        made.members[0].faults.extend(["", "hold"])  # of these, the first is the socket's
        first = asyncio.create_task(client.append(build_batch([NewRecord(b"slow")])))
        await asyncio.sleep(0.1)
        second = await client.append(build_batch([NewRecord(b"quick")]))
        assert not first.done()
        made.members[0].held.set()
        assert (await first).base_offset > second.base_offset


@pytest.mark.asyncio
async def test_a_refusal_is_told_with_all_that_it_says() -> None:
    async with cluster(1, sessions=True) as made, _client(made) as client:
        mismatch = ApiError("last_record_mismatch", "it is 7", last_record=7)
        made.members[0].faults.extend(["", mismatch])
        with pytest.raises(ApiError) as refusal:
            await client.append(build_batch([NewRecord(b"a")]))
        assert refusal.value.extra["last_record"] == 7
        await client.append(build_batch([NewRecord(b"b")]))
        assert made.members[0].calls.count("GET /v1/records:session") == 1


@pytest.mark.asyncio
async def test_a_batch_without_session_of_its_producer_is_not_repeated_when_unknown() -> None:
    async with cluster(1, sessions=True) as made, _client(made) as client:
        made.members[0].faults.extend(["", "lose"])
        with pytest.raises(Unavailable) as lost:
            await client.append(build_batch([NewRecord(b"a")]))
        assert lost.value.outcome == "unknown"
        assert made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_no_answer_in_time_is_unknown_and_the_session_goes_on() -> None:
    async with cluster(1, sessions=True) as made, _client(made, timeout_s=0.2) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["", *["hold"] * 9])
        with pytest.raises(OutcomeUnknown):
            await appender.append_value(b"a")


@pytest.mark.asyncio
async def test_where_no_session_is_given_http_does_it() -> None:
    async with cluster(1) as made, _client(made) as client:
        await client.append(build_batch([NewRecord(b"a")]))
        await client.append(build_batch([NewRecord(b"b")]))
        assert made.members[0].calls == ["POST /v1/records"] * 2
        assert made.log.values == [b"a", b"b"]


@pytest.mark.asyncio
async def test_a_member_that_takes_the_connection_and_says_nothing_is_given_up_in_time() -> None:
    taken: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    async with cluster(1, sessions=True) as made:
        endpoints = [f"127.0.0.1:{port}", *made.endpoints]
        async with asyncio.timeout(8), Client(endpoints, timeout_s=7) as client:
            await client.append(build_batch([NewRecord(b"a")]))
    silent.close()
    for writer in taken:
        writer.close()
    assert made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_closing_with_appends_under_way_leaves_nothing_behind() -> None:
    async with cluster(1, sessions=True) as made:
        async with _client(made) as client:
            made.members[0].faults.extend(["", *["hold"] * 3])
            tasks = [
                asyncio.create_task(client.append(build_batch([NewRecord(b"a")]))) for _ in range(3)
            ]
            await asyncio.sleep(0.1)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(problem, Unavailable | RuntimeError) for problem in done)
        gc.collect()
