"""Appends through a session: nothing is lost, nothing doubled, and nothing claimed unproven."""

import asyncio

import pytest

from replog.client import ApiError, Appender, Client, Gatherer, OutcomeUnknown, SessionEnded
from replog.client.failures import Unavailable
from replog.wire.batches import NewRecord, build_values
from tests.unit.client.cluster import Cluster, cluster


def _client(made: Cluster, timeout_s: float = 10.0) -> Client:
    return Client(made.endpoints, timeout_s=timeout_s)


def _values(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.asyncio
async def test_an_append_returns_its_offsets() -> None:
    async with cluster() as made, _client(made) as client:
        appender = await Appender.begin(client)
        appended = await appender.append([NewRecord(b"a"), NewRecord(b"b", b"key")])
        assert (appended.base_offset, appended.last_offset, appended.duplicate) == (1, 2, False)
        later = await appender.append([NewRecord(b"c")])
        assert (later.base_offset, later.duplicate) == (4, False)
        assert made.log.values == [b"a", b"b", b"c"]


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["lose", "cut"])
async def test_a_lost_call_or_answer_neither_loses_nor_doubles_a_batch(fault: str) -> None:
    async with cluster() as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append(fault)
        appended = await appender.append([NewRecord(b"a")])
        assert appended.duplicate == (fault == "lose")
        assert made.log.values == [b"a"]
        assert made.members[1].calls == ["POST /v1/records"], "it was repeated elsewhere"


@pytest.mark.asyncio
async def test_batches_side_by_side_keep_their_order_whatever_is_lost() -> None:
    async with cluster() as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["lose", "cut", "lose", "cut"])
        made.members[1].faults.extend(["cut", "lose"])
        for number in range(0, 60, 2):
            await appender.send_values(_values(number, number + 1))
        await appender.settle()
        assert made.log.values == _values(*range(60))


@pytest.mark.asyncio
async def test_at_most_five_batches_are_under_way() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["hold"])
        sent = [await appender.send_values(_values(number)) for number in range(5)]
        sixth = asyncio.create_task(appender.send_values(_values(5)))
        await asyncio.sleep(0.2)
        assert not sixth.done() and not any(done.done() for done in sent)
        sixth.cancel()


@pytest.mark.asyncio
async def test_a_batch_without_session_is_not_repeated_once_its_fate_is_unknown() -> None:
    async with cluster() as made, _client(made) as client:
        made.members[0].faults.append("lose")
        with pytest.raises(Unavailable) as raised:
            await client.append(build_values([b"a"], timestamp_ms=1))
        assert raised.value.outcome == "unknown"
        assert made.members[1].calls == [] and made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_a_batch_without_session_is_repeated_while_it_surely_was_not_appended() -> None:
    async with cluster() as made, _client(made) as client:
        made.members[0].faults.append(ApiError("no_leader", "not now"))
        await client.append(build_values([b"a"], timestamp_ms=1))
        assert made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_what_can_not_be_mended_is_raised_at_once_and_ends_the_session() -> None:
    async with cluster() as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append(ApiError("producer_fenced", "a newer epoch"))
        with pytest.raises(ApiError, match="producer_fenced"):
            await appender.append([NewRecord(b"a")])
        calls = list(made.members[0].calls)
        with pytest.raises(SessionEnded):
            await appender.append([NewRecord(b"b")])
        assert made.members[0].calls == calls and made.log.values == []


@pytest.mark.asyncio
async def test_a_failure_ends_what_came_later_and_lets_land_what_came_before() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append("hold")
        first = await appender.send_values(_values(1))
        await asyncio.sleep(0.1)
        second = await appender.send_values(_values(2), timeout_s=0.2)
        third = await appender.send_values(_values(3))
        with pytest.raises(ApiError, match="sequence_gap") as raised:
            await second
        assert raised.value.outcome == "none"
        with pytest.raises(SessionEnded, match="sequence_gap"):
            await third
        with pytest.raises(SessionEnded):
            await appender.send_values(_values(4))
        assert not first.done()
        made.members[0].held.set()
        assert (await first).base_offset == 1
        with pytest.raises(ApiError, match="sequence_gap"):
            await appender.settle()
        assert made.log.values == [b"1"]


@pytest.mark.asyncio
async def test_what_came_after_a_batch_whose_fate_is_unknown_is_unknown_too() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append("hold")
        first = await appender.send_values(_values(1), timeout_s=0.1)
        await asyncio.sleep(0.1)
        second = await appender.send_values(_values(2))
        for done in (first, second):
            with pytest.raises(OutcomeUnknown):
                await done


@pytest.mark.asyncio
async def test_what_came_after_a_sequence_that_others_used_is_unknown() -> None:
    """Whoever used it may also have filled the gap before the next one."""
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["hold", ApiError("sequence_conflict", "another batch")])
        held = await appender.send_values(_values(1))
        await asyncio.sleep(0.1)
        second = await appender.send_values(_values(2))
        third = await appender.send_values(_values(3))
        with pytest.raises(ApiError, match="sequence_conflict"):
            await second
        with pytest.raises(OutcomeUnknown):
            await third
        made.members[0].held.set()
        await held


@pytest.mark.asyncio
async def test_a_session_ends_with_its_earliest_failure() -> None:
    """A later batch that surely was not appended says nothing of the one before it."""
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append("hold")
        first = await appender.send_values(_values(1), timeout_s=0.5)
        await asyncio.sleep(0.1)
        second = await appender.send_values(_values(2), timeout_s=0.1)
        with pytest.raises(ApiError, match="sequence_gap"):
            await second
        with pytest.raises(OutcomeUnknown):
            await first
        with pytest.raises(OutcomeUnknown):
            await appender.settle()


@pytest.mark.asyncio
async def test_a_batch_whose_caller_has_left_still_ends_the_session_when_it_fails() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.append(ApiError("producer_fenced", "a newer epoch"))
        leaving = asyncio.create_task(appender.append([NewRecord(b"a")]))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(ApiError, match="producer_fenced"):
            await appender.settle()
        with pytest.raises(SessionEnded):
            await appender.append([NewRecord(b"b")])


@pytest.mark.asyncio
async def test_a_refusal_after_a_lost_answer_is_told_as_unknown() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(["lose", ApiError("producer_fenced", "a newer epoch")])
        with pytest.raises(OutcomeUnknown):
            await appender.append([NewRecord(b"a")])
        assert made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_time_that_is_over_without_any_effect_is_told_as_that() -> None:
    async with cluster(1) as made, _client(made) as client:
        appender = await Appender.begin(client)
        made.members[0].faults.extend(ApiError("no_leader", "not now") for _ in range(99))
        with pytest.raises(ApiError, match="no_leader"):
            await appender.append([NewRecord(b"a")], timeout_s=0.4)


@pytest.mark.asyncio
async def test_a_batch_that_can_not_be_is_refused_and_the_session_goes_on() -> None:
    async with cluster() as made, _client(made) as client:
        appender = await Appender.begin(client)
        with pytest.raises(ApiError, match="batch_invalid"):
            await appender.append([])
        await appender.append([NewRecord(b"a")])
        assert made.log.values == [b"a"]


@pytest.mark.asyncio
async def test_callers_share_batches_and_each_learns_its_own_offset() -> None:
    async with cluster() as made, _client(made) as client:
        made.log.append_takes_s = 0.05
        async with Gatherer(await Appender.begin(client)) as gatherer:
            first = asyncio.create_task(gatherer.append(b"first"))
            await asyncio.sleep(0.01)
            values = _values(*range(200))
            offsets = await asyncio.gather(*(gatherer.append(value) for value in values))
            assert await first == 1
        assert dict(zip(offsets, values, strict=True)).items() <= made.log.by_offset.items()
        assert made.log.values == [b"first", *values]
        assert len(made.log.batches) < 20


@pytest.mark.asyncio
async def test_a_gatherer_tells_every_caller_of_a_failure() -> None:
    async with cluster() as made, _client(made) as client:
        async with Gatherer(await Appender.begin(client)) as gatherer:
            made.members[0].faults.append(ApiError("producer_fenced", "a newer epoch"))
            calls = (gatherer.append(value) for value in _values(*range(3)))
            told = await asyncio.gather(*calls, return_exceptions=True)
            with pytest.raises(SessionEnded):
                await asyncio.wait_for(gatherer.append(b"later"), 5)
        assert all(isinstance(found, ApiError) for found in told), told


@pytest.mark.asyncio
async def test_a_session_that_was_idle_for_long_says_so() -> None:
    async with cluster() as made, _client(made) as client:
        made.log.expires_after_ms = 100
        appender = await Appender.begin(client)
        await appender.append([NewRecord(b"a")])
        assert not appender.may_have_expired
        await asyncio.sleep(0.06)
        assert appender.may_have_expired


@pytest.mark.asyncio
async def test_a_session_is_asked_to_last_a_day_or_as_long_as_its_caller_says() -> None:
    async with cluster() as made, _client(made) as client:
        await Appender.begin(client)
        await Appender.begin(client, expires_after_ms=120_000)
        assert made.log.asked_ms == [86_400_000, 120_000]


@pytest.mark.asyncio
async def test_a_session_that_was_never_used_may_be_gone_after_minutes_not_after_its_day() -> None:
    async with cluster() as made, _client(made) as client:
        clock = Clock()
        appender = Appender(client, await client.allocate_producer(), monotonic_s=clock)
        clock.now_s += 301
        assert appender.may_have_expired
        await appender.append([NewRecord(b"a")])
        clock.now_s += 301
        assert not appender.may_have_expired


@pytest.mark.asyncio
async def test_a_session_that_may_be_gone_before_its_first_batch_is_replaced() -> None:
    async with cluster() as made, _client(made) as client:
        clock = Clock()
        session = await client.allocate_producer(expires_after_ms=70_000)
        appender = Appender(client, session, monotonic_s=clock)
        made.log.expected.clear()
        clock.now_s += 36
        await appender.append([NewRecord(b"a")])
        await appender.append([NewRecord(b"b")])
        assert made.log.values == [b"a", b"b"]
        assert made.log.asked_ms == [70_000, 70_000]
