"""Append sessions: many appends under way on one WebSocket, answered in the order of their ends.

Decides: how much of a session is under way at once (past it the socket isn't read: the sender feels
it through TCP), what ends a session, and that answers which come together leave together.
Must not know: what an append goes through (the service), the layout of messages (wire/sessions.py).
Read next: ../../replog/wire/sessions.py, client_routes.py.
"""

import asyncio
from collections import deque
from time import monotonic
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from msgspec.structs import replace
from multidict import CIMultiDict, CIMultiDictProxy

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog.wire.sessions import (
    ANY,
    APPEND_HEADER_BYTES,
    SESSION_APPENDS_MAX,
    SESSION_BYTES_MAX,
    SESSION_IDLE_S,
    SessionAppend,
    decode_appends,
    encode_appended,
    encode_refused,
)
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.bodies import Bodies
from replog_node.web.decoding import Decoding
from replog_node.web.query import TIMEOUT_MAX_MS
from replog_node.web.records_in import BATCH, Headers
from replog_node.web.service import Service
from replog_node.web.sockets import Sockets

SLICE_S: Final = 0.002
"""How long appends of sessions are begun before the loop does something else."""

_NO_HEADERS: Final[Headers] = CIMultiDictProxy(CIMultiDict[str]())


class Sessions:
    """The append sessions of a listener, at most sessions_max."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        metrics: NodeMetrics,
        bodies: Bodies,
        decoding: Decoding,
    ) -> None:
        self.service = service
        self.bodies = bodies
        self.metrics = metrics
        self.decoding = decoding
        self.timeout_s = settings.request_timeout_ms / 1000
        self.response_s = settings.response_timeout_ms / 1000
        self._message_bytes_max = settings.body_bytes_max + APPEND_HEADER_BYTES
        self.turn = asyncio.Lock()
        self._sockets = Sockets("append sessions", settings.sessions_max)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One session, until either side ends it."""
        async with self._sockets.open(request, self._message_bytes_max) as socket:
            await _Session(self, request, socket).run()
        return socket

    async def close(self) -> None:
        """End all sessions: the listener is going."""
        await self._sockets.close()


class _Session:
    """One connection: what is under way on it, and the answers that have not left yet."""

    def __init__(
        self, owner: Sessions, request: web.Request, socket: web.WebSocketResponse
    ) -> None:
        self._owner = owner
        self._transport = request.transport
        self._socket = socket
        self._appends = self._bytes = 0
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._answers = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Read, append and answer until the socket ends."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read()
        finally:
            self._ended = True
            writer.cancel()
            await asyncio.wait((writer,))

    async def _read(self) -> None:
        """Take appends as they come and as there is room."""
        while not self._ended:
            try:
                message = await self._socket.receive(timeout=SESSION_IDLE_S)
                if message.type is WSMsgType.BINARY:
                    await self._take_message(message.data)
                elif message.type is WSMsgType.TEXT:
                    await self._end(WSCloseCode.UNSUPPORTED_DATA, "messages are binary")
                else:
                    return
            except TimeoutError:
                await self._end(WSCloseCode.GOING_AWAY, f"nothing came for {SESSION_IDLE_S:g} s")

    async def _end(self, code: WSCloseCode, why: str) -> None:
        self._ended = True
        await self._socket.close(code=code, message=why.encode())

    async def _take_message(self, message: bytes) -> None:
        try:
            appends = decode_appends(message)
        except ValueError as fault:
            await self._end(WSCloseCode.INVALID_TEXT, str(fault))
            return
        await self._take_all(deque(appends))

    async def _take_all(self, appends: deque[SessionAppend]) -> None:
        """Begin the appends of a message, each once there is room for it.

        One session at a time, and each for a moment only: what else the loop has to do, a leader's
        heartbeats before all, never waits for more than that.
        """
        while appends and not self._ended:
            while not self._has_room(len(appends[0].batch)):
                self._room.clear()
                await self._room.wait()
            async with self._owner.turn:
                until_s = monotonic() + SLICE_S
                while appends and self._has_room(len(appends[0].batch)) and not self._ended:
                    await self._take(appends.popleft())
                    if monotonic() > until_s:
                        break
                await asyncio.sleep(0)

    async def _take(self, append: SessionAppend) -> None:
        """Begin one append; refusals are answers like others."""
        size = len(append.batch)
        self._appends += 1
        self._bytes += size
        try:
            self._owner.bodies.hold(size)
        except ApiError as refusal:
            self._answer(append.request, size, refusal)
            return
        await self._begin(append)

    def _has_room(self, size: int) -> bool:
        within = self._appends < SESSION_APPENDS_MAX
        return (
            self._ended or not self._appends or (within and self._bytes + size <= SESSION_BYTES_MAX)
        )

    async def _begin(self, append: SessionAppend) -> None:
        """Check the batch and hand it on. Its bytes are held until it is answered."""
        request, size, owner = append.request, len(append.batch), self._owner

        def reply(result: Appended | ApiError) -> None:
            owner.bodies.release(size)
            self._answer(request, size, result)

        try:
            timeout_s = self._timeout_s(append)
            batch = await owner.decoding.batch(BATCH, _NO_HEADERS, append.batch)
        except ApiError as refusal:
            reply(refusal)
        except BaseException:
            owner.bodies.release(size)
            raise
        else:
            owner.service.append_soon(_on_condition(batch, append), reply, timeout_s=timeout_s)

    def _timeout_s(self, append: SessionAppend) -> float:
        if append.timeout_ms > TIMEOUT_MAX_MS:
            fault = f"timeout_ms: not within 0…{TIMEOUT_MAX_MS}"
            raise ApiError("parameter_invalid", fault, parameter="timeout_ms")
        return append.timeout_ms / 1000 if append.timeout_ms else self._owner.timeout_s

    def _answer(self, request: int, size: int, result: Appended | ApiError) -> None:
        """Let an answer leave with the next message. Until then it counts as under way."""
        if isinstance(result, ApiError):
            self._owner.metrics.refusals.labels(result.code).inc()
            self._out.append(encode_refused(request, result))
        else:
            self._out.append(encode_appended(request, result))
        self._out_bytes += size
        self._answers.set()

    async def _write(self) -> None:
        """Send answers, together as they come; end the session of a reader that takes none."""
        try:
            while True:
                await self._answers.wait()
                self._answers.clear()
                out, size = self._out, self._out_bytes
                self._out, self._out_bytes = [], 0
                async with asyncio.timeout(self._owner.response_s):
                    await self._socket.send_bytes(b"".join(out))
                self._appends -= len(out)
                self._bytes -= size
                self._room.set()
        except (TimeoutError, ConnectionError):
            if self._transport is not None:
                self._transport.abort()
        finally:
            self._ended = True
            self._room.set()


def _on_condition(batch: CheckedBatch, append: SessionAppend) -> CheckedBatch:
    if append.if_last_record == ANY:
        return batch
    return replace(batch, if_last_record=append.if_last_record)
