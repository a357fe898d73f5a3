"""Accepted connections: from the hello to the last message.

Decides: what a connection must say, in which order, and when it is closed for it.
Must not know: who is let in (peers.py). Read next: hello.py, packets.py, ../driver/wire.py.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol

from aiohttp import WSMsgType, web

from replog_node.adapters.hello import (
    Accept,
    Hello,
    HelloAnswer,
    HelloError,
    Refuse,
    Verdict,
    decode_hello,
    encode_answer,
    judge,
)
from replog_node.adapters.links import BULK_PATH, CLOSE_S, CONTROL_PATH, DIAL_S, HEARTBEAT_S
from replog_node.adapters.packets import PACKET_BYTES_MAX, PacketError, Unpacker
from replog_node.driver.messages import Message
from replog_node.driver.wire import WireError, decode
from replog_node.model.positions import MemberId

GREETINGS_MAX: Final = 64
"""Accepted connections whose hello is awaited; one more is closed at once."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Accepted(NamedTuple):
    """A connection that said hello, and the path it came by."""

    path: str
    hello: Hello
    socket: web.WebSocketResponse

    async def close(self) -> None:
        """Hang up."""
        await self.socket.close()


class Notes(Protocol):
    """Where to tell of refusals and changes (driver.ports.ObserverPort)."""

    def note(self, level: str, event: str, **fields: object) -> None:
        """Something worth a line in the log."""


class Doorkeeper(Protocol):
    """Who decides who is let in, and takes what they say (peers.Peers)."""

    def greeting(self, to: MemberId | None) -> Hello:
        """This member's hello, as of now."""

    async def let_in(self, accepted: Accepted, accept: Accept) -> Verdict:
        """Do what the acceptance asks for, before it is answered: the answer is a promise."""

    def refused(self, refusal: Refuse, member: MemberId | None, event: str) -> None:
        """Somebody was not let in."""

    def received(self, message: Message) -> None:
        """Somebody who was let in says this."""

    def gone(self, accepted: Accepted) -> None:
        """The connection is over, whether or not it was let in."""


class Doors:
    """The WebSocket handlers of the peer listener."""

    def __init__(self, member: MemberId, keeper: Doorkeeper, notes: Notes) -> None:
        self._member = member
        self._keeper = keeper
        self._notes = notes
        self._greetings = 0
        self._open: dict[asyncio.Future[None], web.WebSocketResponse] = {}
        self._closed = False

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """The handlers by path."""
        return {
            CONTROL_PATH: lambda request: self._serve(request, CONTROL_PATH),
            BULK_PATH: lambda request: self._serve(request, BULK_PATH),
        }

    async def close(self) -> None:
        """Hang up everywhere and let nobody in again; returns once all handlers have ended."""
        self._closed = True
        await asyncio.gather(*(socket.close() for socket in self._open.values()))
        while self._open:
            await asyncio.wait(self._open)

    async def _serve(self, request: web.Request, path: str) -> web.StreamResponse:
        """One accepted connection, from its hello to its end."""
        socket = web.WebSocketResponse(
            timeout=CLOSE_S,
            heartbeat=HEARTBEAT_S,
            compress=False,
            max_msg_size=PACKET_BYTES_MAX + 1,
        )
        await socket.prepare(request)
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._open[ended] = socket
        try:
            await self._converse(socket, path)
        except (OSError, HelloError, PacketError, WireError) as problem:
            self._notes.note("warning", "peer_connection_ended", path=path, problem=problem)
        finally:
            await socket.close()
            del self._open[ended]
            ended.set_result(None)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, path: str) -> None:
        hello = await self._heard(socket)
        if hello is None:
            return
        accepted = Accepted(path, hello, socket)
        try:
            async with asyncio.timeout(DIAL_S):
                goes_on = await self._answer(accepted)
            if goes_on:
                await self._listen(accepted)
        finally:
            self._keeper.gone(accepted)

    async def _heard(self, socket: web.WebSocketResponse) -> Hello | None:
        """The hello; None if none comes. Raises HelloError, TimeoutError."""
        if self._closed or self._greetings >= GREETINGS_MAX:
            return None
        self._greetings += 1
        try:
            async with asyncio.timeout(DIAL_S):
                message = await socket.receive()
        finally:
            self._greetings -= 1
        return decode_hello(message.data) if message.type is WSMsgType.BINARY else None

    async def _answer(self, accepted: Accepted) -> bool:
        """Answer the hello; whether the connection goes on."""
        hello = accepted.hello
        verdict = judge(self._keeper.greeting(hello.sender), hello)
        if isinstance(verdict, Accept):
            verdict = await self._keeper.let_in(accepted, verdict)
        me = self._keeper.greeting(hello.sender)
        if isinstance(verdict, Accept):
            answer = HelloAnswer(me=me, protocol=verdict.protocol)
        else:
            self._keeper.refused(verdict, hello.sender, "peer_refused")
            answer = HelloAnswer(me=me, protocol=0, refusal=verdict.code, detail=verdict.detail)
        await accepted.socket.send_bytes(encode_answer(answer))
        return isinstance(verdict, Accept) and not verdict.introduction

    async def _listen(self, accepted: Accepted) -> None:
        """Hand on what comes until the connection ends; raises PacketError, WireError."""
        unpacker = Unpacker()
        async for packet in accepted.socket:
            if packet.type is not WSMsgType.BINARY:
                return
            for data in unpacker.feed(packet.data):
                message = decode(data)
                self._check(accepted.hello, message)
                self._keeper.received(message)

    def _check(self, hello: Hello, message: Message) -> None:
        if (message.sender, message.incarnation) != (hello.sender, hello.incarnation):
            raise WireError(f"{hello.sender} speaks for {message.sender}")
        if message.to != self._member:
            raise WireError(f"a message to {message.to}")
