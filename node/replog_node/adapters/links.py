"""One member's outgoing connections to another: a control and a bulk WebSocket, dialed as a pair.

Messages leave only on these; what comes back on them is the answer to the hello, nothing else.
If one of the pair breaks, both are closed and dialed again, so "connected" has one meaning.

Decides: when to dial again, and what is queued meanwhile.
Must not know: what messages say, who wants the connection. Read next: peers.py, packets.py.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from enum import Enum
from random import Random
from typing import Final, Protocol

import aiohttp

from replog_node.adapters.hello import (
    HELLO_BYTES_MAX,
    Accept,
    Hello,
    HelloAnswer,
    HelloError,
    Verdict,
    decode_answer,
    encode_hello,
    judge_answer,
)
from replog_node.adapters.packets import Outbox, bulk_outbox, control_outbox
from replog_node.model.positions import MemberId

CONTROL_PATH: Final = "/v1/peer/control"
BULK_PATH: Final = "/v1/peer/bulk"

DIAL_S: Final = 5.0
"""For connecting and the hello's answer, which may include making an adoption durable."""

CLOSE_S: Final = 0.5
"""For the other side's goodbye."""

HEARTBEAT_S: Final = 10.0
"""A connection that answers no ping for this long and half again is broken. Raft notices a silent
member sooner; this is for connections that nobody will ever close."""

BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MOST_S: Final = 2.0
"""Between two attempts: doubled each time, drawn between half of it and the whole."""

LIVED_S: Final = 1.0
"""A connection that lived so long was a success: the next attempt begins at BACKOFF_FIRST_S."""

NEWS_S: Final = 0.002
"""How long the news of a commit waits for entries to travel with: a caller that goes on at once
saves a message and its answer, and who waits for records elsewhere hardly notices."""

NUDGED_S: Final = 0.02
"""The least time between two attempts, whatever was heard of the member meanwhile."""

Socket = aiohttp.ClientWebSocketResponse
_BROKEN: Final = (aiohttp.ClientError, OSError, HelloError)


class LinkBroken(ConnectionError):
    """The other side closed the connection, or said on it what it mustn't."""


class LinkState(Enum):
    """DOWN: nothing is queued. GREETING: dialed, what is said now leaves after the answer."""

    DOWN = "down"
    GREETING = "greeting"
    READY = "ready"


class Dialer:
    """Opens connections and says hello on them."""

    def __init__(self, greeting: Callable[[MemberId | None], Hello], token: str | None) -> None:
        """greeting: this member's hello to somebody. token: presented to the other side."""
        self.greeting = greeting
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._session = aiohttp.ClientSession(
            # A member that comes back elsewhere under its name is looked for there at once.
            connector=aiohttp.TCPConnector(limit=0, use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=DIAL_S),
            trust_env=False,
        )

    async def close(self) -> None:
        """Give the sockets back; links are closed before."""
        await self._session.close()

    async def open(self, stack: AsyncExitStack, address: str, path: str) -> Socket:
        """Open a connection, which `stack` closes; raises aiohttp.ClientError, OSError."""
        socket = await self._session.ws_connect(
            f"http://{address}{path}",
            headers=self._headers,
            compress=0,
            heartbeat=HEARTBEAT_S,
            max_msg_size=HELLO_BYTES_MAX,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),
        )
        stack.push_async_callback(socket.close)
        return socket

    async def greet(self, socket: Socket, hello: Hello) -> HelloAnswer:
        """Say hello and return the answer; raises aiohttp.ClientError, OSError, HelloError."""
        await socket.send_bytes(encode_hello(hello))
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise LinkBroken(f"{message.type.name.lower()} instead of an answer to the hello")
        return decode_answer(message.data)


class LinkOwner(Protocol):
    """What a link tells its owner; each is called on the event loop, outside of any driver turn."""

    def answered(self, hello: Hello, answer: HelloAnswer, verdict: Verdict) -> None:
        """The other side answered a hello."""

    def changed(self, link: "Link") -> None:
        """The link's state is another one."""

    def failed(self, problem: BaseException) -> None:
        """The link ended by an error that isn't the connection's: the node can't go on."""


class Link:
    """The way to one member, tried again and again until close()."""

    def __init__(
        self,
        member: MemberId,
        addresses: Callable[[], Sequence[str]],
        dialer: Dialer,
        owner: LinkOwner,
        random: Random,
    ) -> None:
        """addresses: where the member may be, best first; one is tried after the other."""
        self.member = member
        self.state = LinkState.DOWN
        self.trouble: str | None = "not dialed yet"
        self._addresses = addresses
        self._dialer = dialer
        self._owner = owner
        self._random = random
        self._control = control_outbox()
        self._bulk = bulk_outbox()
        self._news: bytes | None = None
        self._news_timer: asyncio.TimerHandle | None = None
        self._attempt = 0
        self._backoff_s = BACKOFF_FIRST_S
        self._nudged = asyncio.Event()
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"link-{member}")
        self._task.add_done_callback(self._ended)

    def send(self, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        """Queue a message; False, and surely not sent, if there is no connection or no room.

        news: see driver.ports.NetworkPort.
        """
        if self.state is LinkState.DOWN:
            return False
        if news:
            self._news = message
            if self._news_timer is None:
                loop = asyncio.get_running_loop()
                self._news_timer = loop.call_later(NEWS_S, self._news_is_due)
            return True
        if news is None:
            self._send_news()  # who is told anything, a read's index say, may need it now
        self._news = None
        return (self._bulk if bulk else self._control).put(message)

    def _news_is_due(self) -> None:
        self._news_timer = None
        self._send_news()

    def _send_news(self) -> None:
        """Send what has waited, unless more than that was said meanwhile."""
        if self._news is not None and self.state is not LinkState.DOWN:
            self._bulk.put(self._news)
        self._news = None

    def nudge(self) -> None:
        """The member was just heard of: don't wait any longer before the next attempt."""
        self._nudged.set()

    async def close(self) -> None:
        """Hang up and don't dial again."""
        self._closed = True
        self._task.cancel()
        await asyncio.wait((self._task,))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        problem: BaseException | None
        if task.cancelled():
            problem = None if self._closed else RuntimeError("a link was cancelled, not closed")
        else:
            problem = task.exception()
        if problem is not None:
            self._owner.failed(problem)

    async def _run(self) -> None:
        while True:
            try:
                await self._connect_once()
            except* _BROKEN as problems:
                self.trouble = _told(problems)
            finally:
                self._become(LinkState.DOWN)
            if self._closed:
                return  # a connection that broke at that moment swallowed the cancellation
            await self._back_off()

    async def _back_off(self) -> None:
        wait_s = self._backoff_s * self._random.uniform(0.5, 1.0)
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_MOST_S)
        await asyncio.sleep(NUDGED_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._nudged.wait()
        self._nudged.clear()

    async def _connect_once(self) -> None:
        """Dial, and stay connected until something breaks; returns if the member refuses."""
        addresses = self._addresses()
        if not addresses:
            self.trouble = "no address is known"
            return
        address = addresses[self._attempt % len(addresses)]
        self._attempt += 1
        self._control.clear()
        self._bulk.clear()
        self._news = None
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(DIAL_S):
                control = await self._open(stack, address, CONTROL_PATH)
                if control is None:
                    return
                bulk = await self._open(stack, address, BULK_PATH)
                if bulk is None:
                    return
            self._attempt -= 1  # an address that worked is tried first the next time
            self.trouble = None
            self._become(LinkState.READY)
            await self._stay(control, bulk)

    async def _open(self, stack: AsyncExitStack, address: str, path: str) -> Socket | None:
        """Open one of the pair; None if the member refuses it."""
        socket = await self._dialer.open(stack, address, path)
        hello = self._dialer.greeting(self.member)
        self._become(LinkState.GREETING)
        answer = await self._dialer.greet(socket, hello)
        verdict = judge_answer(hello, answer)
        self._owner.answered(hello, answer, verdict)
        if isinstance(verdict, Accept):
            return socket
        self.trouble = f"{verdict.code}: {verdict.detail}"
        return None

    async def _stay(self, control: Socket, bulk: Socket) -> None:
        """Send what is queued until a connection breaks; raises how."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            # In a task of its own: before Python 3.13 a group leaves the task that it fails in
            # counted as cancelled, which early 3.11's timeout() takes for a wish to end.
            await loop.create_task(self._use(control, bulk))
        finally:
            if loop.time() - began_s >= LIVED_S:
                self._backoff_s = BACKOFF_FIRST_S

    async def _use(self, control: Socket, bulk: Socket) -> None:
        async with asyncio.TaskGroup() as group:
            for socket, outbox in ((control, self._control), (bulk, self._bulk)):
                group.create_task(_send_all(socket, outbox))
                group.create_task(_until_closed(socket))

    def _become(self, state: LinkState) -> None:
        if state is not self.state:
            self.state = state
            self._owner.changed(self)


async def _send_all(socket: Socket, outbox: Outbox) -> None:
    while True:
        await outbox.wait()
        await socket.send_bytes(outbox.take())


async def _until_closed(socket: Socket) -> None:
    """Nothing comes on an outgoing connection but pongs (aiohttp's) and its end."""
    message = await socket.receive()
    raise LinkBroken(f"{message.type.name.lower()}: {message.extra or message.data}")


def _told(problems: "ExceptionGroup[Exception]") -> str:
    first = problems.exceptions[0]
    while isinstance(first, ExceptionGroup):
        first = first.exceptions[0]
    return f"{type(first).__name__}: {first}".rstrip(": ")
