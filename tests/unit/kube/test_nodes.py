"""Members are asked once each, by real HTTP, and whatever they answer is an answer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from replog.client import ApiError, Unavailable
from replog.wire.problems import ApiError as Refusal
from replog.wire.recovery import ForceMembersRequest, Survey
from replog.wire.schemas import ClusterStatus, Done, MayStop, TransferRequest
from replog_operator.members.nodes import Nodes, Silent, address
from replog_operator.members.orders import Orders
from replog_operator.members.outcomes import DONE, Became
from replog_operator.model.steps import ForceMembers
from tests.unit.kube.members import leader_of, may_stop, member

Handler = Callable[[web.Request], web.Response]


@asynccontextmanager
async def member_that(answers: Handler) -> AsyncIterator[Nodes]:
    """A member on a free port of 127.0.0.1, and who asks it."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return answers(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with Nodes(runner.addresses[0][1]) as asked:
            yield asked
    finally:
        await runner.cleanup()


def says(found: msgspec.Struct) -> Handler:
    return lambda _: web.Response(body=msgspec.json.encode(found))


@pytest.mark.asyncio
async def test_a_member_says_how_it_is() -> None:
    status = leader_of([member("a")])

    async with member_that(says(status)) as asked:
        assert await asked.status("127.0.0.1") == status


@pytest.mark.asyncio
async def test_a_member_is_asked_about_another_by_its_id() -> None:
    def answer(request: web.Request) -> web.Response:
        assert request.path == "/v1/cluster/members/b:may-stop"
        return web.Response(body=msgspec.json.encode(may_stop("b")))

    async with member_that(answer) as asked:
        found = await asked.may_stop("127.0.0.1", "b")

    assert isinstance(found, MayStop) and found.may_stop


@pytest.mark.asyncio
async def test_a_refusal_is_no_answer_and_says_why() -> None:
    refusal = Refusal("no_leader", "nobody leads")

    async with member_that(lambda _: web.Response(status=503, body=refusal.body())) as asked:
        assert await asked.may_stop("127.0.0.1", "b") == Silent("nobody leads")


@pytest.mark.asyncio
async def test_what_can_not_be_read_is_no_answer() -> None:
    async with member_that(lambda _: web.Response(text="[]")) as asked:
        found = await asked.status("127.0.0.1")

    assert isinstance(found, Silent) and "can't read" in found.why


@pytest.mark.asyncio
async def test_nobody_there_is_no_answer() -> None:
    async with Nodes(1) as asked:
        assert isinstance(await asked.status("127.0.0.1"), Silent)


@pytest.mark.asyncio
async def test_a_member_is_told_once_and_its_refusal_is_raised() -> None:
    told: list[str] = []

    def answer(request: web.Request) -> web.Response:
        told.append(request.path)
        return web.Response(status=503, body=Refusal("transferring", "wait").body())

    async with member_that(answer) as asked:
        with pytest.raises(ApiError, match="transferring"):
            await asked.tell("127.0.0.1", "/v1/cluster:transfer", TransferRequest(), 1.0)

    assert told == ["/v1/cluster:transfer"]


@pytest.mark.asyncio
async def test_a_member_that_did_it_says_so() -> None:
    done = Done(done=True, detail="b leads")

    async with member_that(says(done)) as asked:
        found = await asked.tell("127.0.0.1", "/v1/cluster:transfer", TransferRequest("b"), 1.0)

    assert found == done


@pytest.mark.asyncio
async def test_of_a_member_that_can_not_be_reached_nothing_came() -> None:
    async with Nodes(1) as asked:
        with pytest.raises(Unavailable) as problem:
            await asked.tell("127.0.0.1", "/v1/cluster:transfer", TransferRequest(), 1.0)

    assert problem.value.outcome == "none"


@pytest.mark.asyncio
async def test_so_many_are_asked_at_once_and_no_more() -> None:
    status = leader_of([member("a")])

    async with member_that(says(status)) as asked:
        found = await asyncio.gather(*(asked.status("127.0.0.1") for _ in range(40)))

    assert all(isinstance(answer, ClusterStatus) for answer in found)


def test_an_address_of_ipv6_is_in_brackets() -> None:
    assert address("10.0.0.7", 7411) == "10.0.0.7:7411"
    assert address("fd00::7", 7411) == "[fd00::7]:7411"


@pytest.mark.asyncio
async def test_a_fence_is_answered_by_a_survey_and_is_done() -> None:
    survey = Survey(
        member="a", fenced_by="survey-1", cluster_id="c", lineage="1.x", number=1, term=3,
        last_term=3, last_offset=9, chain="0a", commit_offset=8, log_start_offset=0,
        configuration_offset=2, whole=True, voters=["a", "b", "c"], outgoing=[],
    )  # fmt: skip

    async with member_that(says(survey)) as asked:
        assert await asked.survey("127.0.0.1") == survey
        done = await Orders(asked).fence("127.0.0.1", "survey-1")

    assert done.became is Became.DONE and done.message == "a is fenced by survey-1"


@pytest.mark.asyncio
async def test_a_member_is_forced_as_it_was_surveyed() -> None:
    told: list[tuple[str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        told.append((request.path, await request.read()))
        return web.Response(body=msgspec.json.encode(Done(done=True, detail="it is")))

    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with Nodes(runner.addresses[0][1]) as asked:
            step = ForceMembers(2, "survey-1", 2, 9, "0a", ("b", "c"))
            forced = await Orders(asked).force_members("127.0.0.1", step)
            freed = await Orders(asked).unfence("127.0.0.1", "survey-1")
    finally:
        await runner.cleanup()

    assert forced == freed == DONE._replace(message="it is")
    (path, body), unfenced = told
    assert path == "/v1/cluster:force-members"
    assert msgspec.json.decode(body, type=ForceMembersRequest) == ForceMembersRequest(
        operation="survey-1", number=2, last_offset=9, chain="0a", stopped=["b", "c"]
    )
    assert unfenced == ("/v1/cluster:unfence", b'{"operation":"survey-1"}')
