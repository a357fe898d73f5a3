"""Members that meet over real sockets on loopback, each with a listener that only remembers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

from aiohttp import web

from replog_node.adapters.peers import Belonging, Myself, Peers
from replog_node.driver.messages import ForwardAdmin, Message
from replog_node.driver.wire import encode
from replog_node.model.features import FEATURE_LEVEL
from replog_node.model.positions import ClusterId, Lineage, MemberId, Term
from replog_node.raft.messages import Envelope, Incarnation, TimeoutNow

CLUSTER = Belonging(ClusterId("c1"), Lineage(1, "life"))
NOBODY = Belonging(None, None)
WAIT_S = 10.0


def uuid(number: int) -> MemberId:
    return MemberId(str(UUID(int=number)))


class Remembering:
    """A driver.Driver that carries out nothing but adoption."""

    def __init__(self, belonging: Belonging) -> None:
        self.belonging = belonging
        self.received: list[Message] = []
        self.told: list[str] = []
        self.fenced_by: list[Lineage] = []
        self.may_adopt = True
        self.durable = asyncio.Event()
        self.durable.set()
        self.up: set[MemberId] = set()
        self.spoken: dict[MemberId, int] = {}
        self.on_receive: Callable[[Message], None] = self.received.append
        self._tasks: set[asyncio.Task[None]] = set()

    def receive(self, message: Message) -> None:
        self.on_receive(message)

    def peer_up(self, member: MemberId) -> None:
        assert member not in self.up
        self.up.add(member)
        self.told.append(f"up {member[-1]}")

    def peer_down(self, member: MemberId) -> None:
        self.up.discard(member)
        self.told.append(f"down {member[-1]}")

    def peer_speaks(self, member: MemberId, feature_level: int) -> None:
        self.spoken[member] = feature_level

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._adopt(cluster_id, lineage, reply))
        self._tasks.add(task)

    async def _adopt(
        self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]
    ) -> None:
        await self.durable.wait()
        if self.may_adopt:
            self.belonging = Belonging(cluster_id, lineage)
        reply(self.may_adopt)

    def fence(self, lineage: Lineage) -> None:
        self.fenced_by.append(lineage)


class Notebook:
    """What was told to the log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, level: str, event: str, **fields: object) -> None:
        self.lines.append(" ".join([level, event, *(f"{k}={v}" for k, v in fields.items())]))


class Node:
    """A member's peer listener and its Peers."""

    def __init__(
        self,
        number: int,
        belonging: Belonging,
        *,
        seeds: Sequence[str] = (),
        token: str | None = None,
        feature_level: int = FEATURE_LEVEL,
    ) -> None:
        self.feature_level = feature_level
        self.id = uuid(number)
        self.incarnation = Incarnation(1, number)
        self.driver = Remembering(belonging)
        self.notebook = Notebook()
        self.failures: list[BaseException] = []
        self.peers: Peers
        self.port = 0
        self._seeds = seeds
        self._token = token
        self.headers: list[str | None] = []
        self._runner: web.AppRunner

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/peer/{kind}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self.peers = Peers(
            Myself(
                member=self.id,
                incarnation=self.incarnation,
                peer_address=self.address,
                client_address=f"127.0.0.1:{self.port - 1}",
                feature_level=self.feature_level,
            ),
            seeds=self._seeds,
            token=self._token,
            notes=self.notebook,
            on_failure=self.failures.append,
            random=Random(self.port),
        )
        self.peers.start(self.driver, lambda: self.driver.belonging)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(request.headers.get("Authorization"))
        return await self.peers.handlers[request.path](request)

    async def stop(self) -> None:
        await self.peers.close()
        await self._runner.cleanup()

    def say(self, to: "Node", term: int, *, bulk: bool = False, news: bool | None = None) -> bool:
        """Send a small message; its term tells it from others."""
        envelope = Envelope(self.id, to.id, self.incarnation, None, TimeoutNow(Term(term)))
        return self.peers.send(to.id, encode(envelope), bulk=bulk, news=news)

    def say_much(self, to: "Node", number: int, size: int) -> bool:
        """Send a message with so many bytes on the bulk connection."""
        call = ForwardAdmin(self.id, to.id, self.incarnation, number, 1, "target", bytes(size))
        return self.peers.send(to.id, encode(call), bulk=True)

    def heard(self) -> list[int]:
        """The terms of the small messages and the numbers of the large ones, as they came."""
        return [
            m.message.term if isinstance(m, Envelope) else getattr(m, "id", -1)
            for m in self.driver.received
        ]


@asynccontextmanager
async def running(*nodes: Node) -> AsyncIterator[None]:
    """All of them listening; stopped at the end, whatever happens."""
    started: list[Node] = []
    try:
        for node in nodes:
            await node.start()
            started.append(node)
        yield
    finally:
        for node in started:
            await node.stop()


@asynccontextmanager
async def meeting(*nodes: Node) -> AsyncIterator[None]:
    """All of them in each other's configuration and connected."""
    async with running(*nodes):
        introduce(*nodes)
        for node in nodes:
            others = {other.id for other in nodes} - {node.id}
            await until(lambda node=node, others=others: node.driver.up == others)  # type: ignore[misc]
        yield


def introduce(*nodes: Node) -> None:
    for node in nodes:
        node.peers.connect({other.id: other.address for other in nodes if other is not node})


async def until(condition: Callable[[], bool]) -> None:
    """Return once it holds; fails after WAIT_S."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)
