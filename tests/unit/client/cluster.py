"""Members that share one log in memory, served over real HTTP; a test says what goes wrong.

They keep sequences as a node does (docs/api.md): repeats are answered as before, gaps refused.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from replog.wire.batches import check_batch, stamp_of
from replog.wire.problems import ApiError
from replog.wire.schemas import (
    Appended,
    ClusterStatus,
    LogInfo,
    MemberStatus,
    ProducerRequest,
    ProducerSession,
    ReadRecord,
    RecordsPage,
    Why,
)
from replog.wire.sessions import (
    SESSION_PATH,
    SessionAppend,
    decode_appends,
    encode_appended,
    encode_refused,
)
from replog_node.web.problems import response_of
from tests.unit.client.log import Log

Fault = str | ApiError
"""cut: end the connection before anything is done; lose: after it was done; damage: answer with a
wrong byte; hold: answer when `held` is set; html: answer as some other server would; "": nothing;
else a refusal."""


class Member:
    """One listener. faults: what goes wrong with its next calls, one by one."""

    def __init__(self, name: str, log: Log, *, sessions: bool = False) -> None:
        self.name = name
        self.log = log
        self.faults: deque[Fault] = deque()
        self.calls: list[str] = []
        self.known: list[Member] = [self]
        self.tokens: list[str | None] = []
        self.held = asyncio.Event()
        self.server = TestServer(_app(self, sessions=sessions))

    @property
    def endpoint(self) -> str:
        """host:port."""
        return f"{self.server.host}:{self.server.port}"


class Cluster:
    """Some members and what they share."""

    def __init__(self, count: int, *, sessions: bool) -> None:
        self.log = Log()
        self.members = [
            Member(f"member-{index}", self.log, sessions=sessions) for index in range(count)
        ]
        for member in self.members:
            member.known = self.members

    @property
    def endpoints(self) -> list[str]:
        """Of all members."""
        return [member.endpoint for member in self.members]

    @property
    def endpoint(self) -> str:
        """Of all members, as the command line takes it."""
        return ",".join(self.endpoints)


@asynccontextmanager
async def cluster(count: int = 3, *, sessions: bool = False) -> AsyncIterator[Cluster]:
    """A cluster for the length of a test. sessions: whether it gives append sessions."""
    made = Cluster(count, sessions=sessions)
    for member in made.members:
        await member.server.start_server()
    try:
        yield made
    finally:
        for member in made.members:
            member.held.set()
            await member.server.close()


Handler = Callable[[Member, web.Request], Awaitable[web.StreamResponse]]


def _app(member: Member, *, sessions: bool) -> web.Application:
    app = web.Application(client_max_size=8 * 1024 * 1024)
    app.router.add_post("/v1/records", _faulty(member, _append))
    app.router.add_get("/v1/records", _faulty(member, _read))
    app.router.add_post("/v1/producers", _faulty(member, _producer))
    app.router.add_get("/v1/cluster", _faulty(member, _status))
    app.router.add_get("/v1/why", _faulty(member, _why))
    app.router.add_get("/v1/log", _faulty(member, _log_info))
    app.router.add_get(SESSION_PATH, _faulty(member, _session) if sessions else _none)
    return app


def _faulty(
    member: Member, handler: Handler
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        member.calls.append(f"{request.method} {request.path}")
        member.tokens.append(request.headers.get("Authorization"))
        fault = member.faults.popleft() if member.faults else None
        if fault == "hold":
            await member.held.wait()
        if fault == "html":
            return web.Response(status=404, text="<h1>no such page</h1>")
        if fault == "cut":
            return _hang_up(request)
        try:
            if isinstance(fault, ApiError):
                raise fault
            response = await handler(member, request)
        except ApiError as refusal:
            return response_of(refusal)
        if fault == "lose":
            return _hang_up(request)
        if not isinstance(response, web.Response):
            return response
        if fault == "damage" and isinstance(response.body, bytes):
            response.body = response.body[:-1] + bytes([response.body[-1] ^ 1])
        return response

    return answer


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _append(member: Member, request: web.Request) -> web.Response:
    body = await request.read()
    await asyncio.sleep(member.log.append_takes_s)
    return _json(member.log.append(check_batch(body)))


async def _none(request: web.Request) -> web.StreamResponse:
    return web.Response(status=404)


async def _session(member: Member, request: web.Request) -> web.StreamResponse:
    """An append session; each append meets the next fault."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    answering: set[asyncio.Task[None]] = set()
    async for message in socket:
        for append in decode_appends(message.data):
            member.calls.append("append")
            fault = member.faults.popleft() if member.faults else None
            if fault == "cut":
                _hang_up(request)
                return socket
            answering.add(asyncio.create_task(_answer(member, socket, request, append, fault)))
    return socket


async def _answer(
    member: Member, socket: web.WebSocketResponse, request: web.Request, append: SessionAppend,
    fault: Fault | None,
) -> None:  # fmt: skip
    if fault == "hold":
        await member.held.wait()
    try:
        if isinstance(fault, ApiError):
            raise fault
        answer = encode_appended(append.request, member.log.append(check_batch(append.batch)))
    except ApiError as refusal:
        answer = encode_refused(append.request, refusal)
    if fault == "lose":
        _hang_up(request)
        return
    with suppress(ConnectionError):  # the client has left
        await socket.send_bytes(answer[:-1] if fault == "damage" else answer)


async def _producer(member: Member, request: web.Request) -> web.Response:
    asked = msgspec.json.decode(await request.read(), type=ProducerRequest)
    member.log.asked_ms.append(asked.expires_after_ms)
    producer = zlib.crc32(asked.request.encode())
    member.log.expected.setdefault(producer, 0)
    granted_ms = member.log.expires_after_ms or asked.expires_after_ms
    return _json(ProducerSession(producer, 0, granted_ms))


async def _read(member: Member, request: web.Request) -> web.Response:
    log, query = member.log, request.query
    start, limit = log.start_of(query["from"]), int(query["limit"])
    if not 1 <= limit <= 10_000:
        raise ApiError("parameter_invalid", f"limit {limit}", parameter="limit")
    deadline = asyncio.get_running_loop().time() + int(query.get("wait_ms", "0")) / 1000
    while start >= log.end and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.01)
    batches, next_offset = log.page(start, limit)
    headers = {"Replog-Next-Offset": str(next_offset), "Replog-End-Offset": str(log.end)}
    if "json" not in request.headers["Accept"]:
        return web.Response(body=b"".join(batches), headers=headers)
    first = max(start, stamp_of(batches[0]).base_offset) if batches else start
    found = [ReadRecord(first, 0)] if batches else []
    return _json(RecordsPage(found, next_offset, log.end, 0))


async def _status(member: Member, request: web.Request) -> web.Response:
    log, leads = member.log, member.name == "member-0"
    known = ClusterStatus(
        member=member.name, incarnation=1, state="member", cluster_id="c", lineage="1.x",
        role="leader" if leads else "follower", term=3, leader="member-0",
        leader_client_address=member.endpoint if leads else None,
        commit_offset=log.end - 1, applied_offset=log.end - 1, durable_offset=log.end - 1,
        last_offset=log.end - 1, log_start_offset=0, configuration_offset=0, joint=False,
        members=[
            MemberStatus(m.name, "127.0.0.1:1", "voter", log.end - 1, True, m.endpoint)
            for m in member.known
        ],
        target=log.target, admitting=True, version="0", feature_level=1,
    )  # fmt: skip
    return _json(known)


async def _why(member: Member, request: web.Request) -> web.Response:
    return _json(Why(member.name, member.log.waits))


async def _log_info(member: Member, request: web.Request) -> web.Response:
    return _json(LogInfo("c", "1.x", 0, member.log.end, None, 0))


def _json(value: msgspec.Struct) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


__all__ = ["Appended", "Cluster", "Member", "cluster"]
