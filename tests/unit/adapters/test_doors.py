"""What a member does with callers that don't keep the rules."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web

from replog_node.adapters.doors import GREETINGS_MAX
from replog_node.adapters.hello import (
    Hello,
    HelloAnswer,
    decode_answer,
    decode_hello,
    encode_answer,
    encode_hello,
)
from replog_node.adapters.links import BULK_PATH, CONTROL_PATH
from replog_node.adapters.packets import Outbox, Unpacker
from replog_node.adapters.peers import PEERS_MAX
from replog_node.driver.wire import decode, encode
from replog_node.model.positions import MemberId, Term
from replog_node.raft.messages import Envelope, Incarnation, TimeoutNow
from tests.unit.adapters.meeting import CLUSTER, Node, meeting, running, until, uuid

pytestmark = pytest.mark.asyncio

CALLER = uuid(7)
RUN = Incarnation(1, 7)
Socket = aiohttp.ClientWebSocketResponse


def hello(to: MemberId, sender: MemberId = CALLER) -> Hello:
    return Hello(
        protocol_min=1,
        protocol_max=1,
        cluster_id=CLUSTER.cluster_id,
        lineage=CLUSTER.lineage,
        sender=sender,
        to=to,
        incarnation=RUN,
        feature_level=1,
        peer_address="127.0.0.1:9",
        client_address="127.0.0.1:9",
    )


def packet(message: bytes) -> bytes:
    outbox = Outbox(1, 1 << 20, drop_oldest=False)
    outbox.put(message)
    return outbox.take()


@asynccontextmanager
async def calling(node: Node) -> AsyncIterator[aiohttp.ClientSession]:
    """A caller without any manners of its own."""
    async with running(node), aiohttp.ClientSession(f"http://{node.address}") as session:
        yield session


async def greeted(session: aiohttp.ClientSession, said: Hello) -> tuple[Socket, HelloAnswer]:
    socket = await session.ws_connect(CONTROL_PATH)
    await socket.send_bytes(encode_hello(said))
    return socket, decode_answer(await socket.receive_bytes())


async def is_closed(socket: Socket) -> bool:
    return (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE


async def test_whoever_says_no_hello_is_hung_up_on() -> None:
    node = Node(1, CLUSTER)
    async with calling(node) as session:
        socket = await session.ws_connect(CONTROL_PATH)
        await socket.send_bytes(b"who cares")
        assert await is_closed(socket)


@pytest.mark.parametrize(
    "said",
    [
        b"no packet",
        packet(b"no message"),
        packet(encode(Envelope(uuid(8), uuid(1), RUN, None, TimeoutNow(Term(1))))),
        packet(encode(Envelope(CALLER, uuid(1), Incarnation(2, 7), None, TimeoutNow(Term(1))))),
        packet(encode(Envelope(CALLER, uuid(2), RUN, None, TimeoutNow(Term(1))))),
    ],
    ids=["no packet", "no message", "for another", "for another run", "to another"],
)
async def test_whoever_breaks_a_rule_is_hung_up_on_unheard(said: bytes) -> None:
    node = Node(1, CLUSTER)
    async with calling(node) as session:
        socket, answer = await greeted(session, hello(node.id))
        assert (answer.refusal, answer.protocol) == ("", 1)
        await socket.send_bytes(said)
        assert await is_closed(socket)
        assert node.driver.received == []
        assert "peer_connection_ended" in node.notebook.lines[-1]


async def test_a_newer_connection_takes_the_place_of_the_older() -> None:
    node = Node(1, CLUSTER)
    async with calling(node) as session:
        first, _ = await greeted(session, hello(node.id))
        second, _ = await greeted(session, hello(node.id))
        assert await is_closed(first)
        message = Envelope(CALLER, node.id, RUN, None, TimeoutNow(Term(4)))
        await second.send_bytes(packet(encode(message)))
        await until(lambda: node.heard() == [4])


async def test_one_member_too_many_is_refused_by_name() -> None:
    node = Node(1, CLUSTER)
    async with calling(node) as session:
        sockets = []
        for number in range(PEERS_MAX):
            socket, answer = await greeted(session, hello(node.id, uuid(100 + number)))
            assert answer.refusal == ""
            sockets.append(socket)
        _, answer = await greeted(session, hello(node.id))
        assert answer.refusal == "overloaded"


async def test_a_caller_too_many_that_says_nothing_is_hung_up_on() -> None:
    node = Node(1, CLUSTER)
    async with calling(node) as session:
        silent = [await session.ws_connect(CONTROL_PATH) for _ in range(GREETINGS_MAX)]
        assert await is_closed(await session.ws_connect(CONTROL_PATH))
        assert not any(socket.closed for socket in silent)


async def test_when_one_connection_of_four_changes_the_member_goes_down_and_up_again() -> None:
    a, b = Node(1, CLUSTER), Node(2, CLUSTER)
    async with meeting(a, b), aiohttp.ClientSession(f"http://{a.address}") as session:
        assert a.driver.told[-1] == "up 2"
        intruder, _ = await greeted(session, hello(a.id, b.id))
        assert a.driver.told[-1] == "down 2"
        await until(lambda: a.driver.up == {b.id})
        assert intruder.closed or await is_closed(intruder)


async def test_control_messages_travel_beside_the_bulk() -> None:
    """A member that only remembers what came on which connection."""
    came: dict[str, list[int]] = {CONTROL_PATH: [], BULK_PATH: []}
    node = Node(1, CLUSTER)

    async def serve(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        said = decode_hello(await socket.receive_bytes())
        me = msgspec.structs.replace(hello(said.sender), sender=CALLER)
        await socket.send_bytes(encode_answer(HelloAnswer(me=me, protocol=1)))
        unpacker = Unpacker()
        async for frame in socket:
            for data in unpacker.feed(frame.data):
                message = decode(data)
                assert isinstance(message, Envelope)
                came[request.path].append(message.message.term)
        return socket

    app = web.Application()
    app.router.add_get("/v1/peer/{kind}", serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with running(node):
        node.peers.connect({CALLER: f"127.0.0.1:{runner.addresses[0][1]}"})
        other = Node(7, CLUSTER)
        await until(lambda: node.say(other, 1))
        assert node.say(other, 2, bulk=True)
        await until(lambda: came == {CONTROL_PATH: [1], BULK_PATH: [2]})
    await runner.cleanup()
