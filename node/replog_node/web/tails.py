"""Readers that follow the log: as events (SSE), or as messages of a WebSocket.

What is read is sent before more is read, so a slow reader holds one page and what the connection
buffers; one that takes nothing for response_timeout_ms loses the connection.

Decides: how a stream goes on, beats and ends, and where a reader that comes back begins.
Must not know: how pages are filled (reading.py), what they look like (records_out.py).
Read next: reading.py, sockets.py.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from msgspec.structs import replace

from replog.wire.problems import ApiError
from replog_node.model.positions import Offset
from replog_node.settings import Settings
from replog_node.web.accepting import negotiated
from replog_node.web.decoding import Decoding
from replog_node.web.gate import Gate
from replog_node.web.pieces import joined
from replog_node.web.problems import unexpected
from replog_node.web.query import OFFSET_MAX, ReadQuery, header_integer, read_query, single_header
from replog_node.web.query import timeout_s as call_timeout_s
from replog_node.web.reading import WAIT_SLICE_S, fill, offset_within, starting_offset
from replog_node.web.records_out import (
    BATCHES_TYPE,
    FRAMES_TYPE,
    JSON_TYPE,
    EventsPage,
    Page,
    page_of,
)
from replog_node.web.service import LOCAL, ReadView, Service
from replog_node.web.sockets import Sockets

EVENTS_TYPE: Final = "text/event-stream"
TAIL_TYPES: Final = (JSON_TYPE, BATCHES_TYPE, FRAMES_TYPE)
TAIL_PATH: Final = "/v1/records:tail"

BEAT_S: Final = 15.0
"""A stream without records says something so often, so that proxies keep it and the dead show."""

RETRY_MS: Final = 1000
"""When a reader of events should come back."""

PAGE_BYTES: Final = 256 * 1024
PAGE_RECORDS: Final = 1000
"""What is read at once for a stream, at most, whatever it asked for."""

SAID_BYTES_MAX: Final = 1024
"""The longest message that a reader may send on its socket; none is understood anyhow."""

_HEADERS: Final = {
    "Content-Type": EVENTS_TYPE,
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

_NewPage = Callable[[int], Page]
_Write = Callable[[bytes], Awaitable[None]]


class _Stream:
    """One reader: where it is, and how its pages are made. ended: whether it is to stop."""

    def __init__(
        self,
        query: ReadQuery,
        at: int,
        view: ReadView,
        new_page: _NewPage,
        ended: Callable[[], bool],
    ) -> None:
        self.query = query
        self.at = at
        self.view = view
        self.new_page = new_page
        self.ended = ended


class Tails:
    """The streams of a listener; each has a place among waiting_max."""

    def __init__(
        self, service: Service, settings: Settings, decoding: Decoding, gate: Gate
    ) -> None:
        self._service = service
        self._decoding = decoding
        self._gate = gate
        self._timeout_s = settings.request_timeout_ms / 1000
        self._response_s = settings.response_timeout_ms / 1000
        self._sockets = Sockets("tails", settings.waiting_max)
        self._closing = False

    async def close(self) -> None:
        """End all streams: the listener is going."""
        self._closing = True
        await self._sockets.close()

    async def events(self, request: web.Request, query: ReadQuery) -> web.StreamResponse:
        """The log as server-sent events."""
        lineage = self._lineage()
        stream = await self._begin(request, query, lineage)
        stream.new_page = lambda at: EventsPage(
            at, stream.query.limit, stream.query.max_bytes, lineage
        )
        response = web.StreamResponse(headers=_HEADERS)
        self._gate.begin_wait()
        try:
            await response.prepare(request)
            if request.method != "HEAD":
                await self._send_events(request, response, stream)
        finally:
            self._gate.end_wait()
        return response

    async def _send_events(
        self, request: web.Request, response: web.StreamResponse, stream: _Stream
    ) -> None:
        """Send pages and beats until the reader leaves, or why there are no more."""

        async def write(data: bytes) -> None:
            await self._within_time(request, response.write(data))

        try:
            await write(b"retry: %d\n\n" % RETRY_MS)
            problem = await self._write_pages(stream, write, beats=True)
            if problem is not None:
                await write(b"event: problem\ndata: %b\n\n" % problem.body())
        except ConnectionError:
            return  # the reader has left

    async def _write_pages(self, stream: _Stream, write: _Write, *, beats: bool) -> ApiError | None:
        """Write until the stream ends; why, if it wasn't the reader's or the listener's end.

        The head is sent, so nothing but ConnectionError may go through to the gate.
        """
        try:
            async for page in self._pages(stream):
                if page is not None:
                    await write(
                        joined(page.body(stream.view.end_offset, stream.view.log_start_offset))
                    )
                elif beats:
                    await write(b": %d\n\n" % stream.view.end_offset)
        except ApiError as problem:
            return problem
        except ConnectionError:
            raise
        except Exception as error:  # noqa: BLE001 (told in full in the log)
            return unexpected(error, EVENTS_TYPE)
        return None

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """The log as messages: text for JSON, binary for batches and frames."""
        query = read_query(request)
        kind = negotiated(request.headers.get("Accept"), TAIL_TYPES)
        stream = await self._begin(request, query, self._lineage())
        stream.new_page = lambda at: page_of(kind, at, stream.query.limit, stream.query.max_bytes)
        self._gate.begin_wait()
        try:
            async with self._sockets.open(request, SAID_BYTES_MAX, heartbeat_s=BEAT_S) as socket:
                await self._talk(request, socket, stream, text=kind == JSON_TYPE)
        finally:
            self._gate.end_wait()
        return socket

    async def _talk(
        self, request: web.Request, socket: web.WebSocketResponse, stream: _Stream, *, text: bool
    ) -> None:
        """Send pages while nothing comes: whatever the reader says ends the stream."""
        heard = asyncio.create_task(_hear(socket))
        stream.ended = heard.done

        async def write(body: bytes) -> None:
            sent = socket.send_str(body.decode()) if text else socket.send_bytes(body)
            await self._within_time(request, sent)

        try:
            problem = await self._write_pages(stream, write, beats=False)
            if problem is not None:
                await self._within_time(request, socket.send_str(problem.body().decode()))
                await socket.close(code=WSCloseCode.INTERNAL_ERROR, message=problem.code.encode())
        except ConnectionError:
            return  # the reader has left
        finally:
            heard.cancel()
            await asyncio.wait((heard,))

    async def _begin(self, request: web.Request, query: ReadQuery, lineage: str) -> _Stream:
        """Where the stream begins; raises ApiError as a read does, and other_lineage."""
        if query.wait_s:
            fault = "wait_ms: a stream waits by itself"
            raise ApiError("parameter_invalid", fault, parameter="wait_ms")
        resumed = _resumed(request, lineage)
        view = await self._service.view(
            query.consistency, timeout_s=call_timeout_s(request, self._timeout_s)
        )
        if resumed is None:
            at = await starting_offset(self._service, query, view)
        else:
            at = offset_within(resumed, view)
        query = replace(
            query, limit=min(query.limit, PAGE_RECORDS), max_bytes=min(query.max_bytes, PAGE_BYTES)
        )
        return _Stream(query, at, view, _no_page, lambda: _is_gone(request))

    async def _pages(self, stream: _Stream) -> AsyncIterator[Page | None]:
        """Page after page as the log grows; None where a beat is due."""
        while not (self._closing or stream.ended()):
            page = stream.new_page(stream.at)
            await fill(self._service, self._decoding, page, stream.query, stream.view.end_offset)
            stream.at = page.next_offset
            if page.holds:
                yield page
            waited_s = 0.0
            while stream.at >= stream.view.end_offset and not (self._closing or stream.ended()):
                if await self._grown(stream):
                    break
                waited_s += WAIT_SLICE_S
                if waited_s >= BEAT_S:
                    waited_s = 0.0
                    yield None
            await self._look(stream)

    async def _grown(self, stream: _Stream) -> bool:
        return await self._service.wait_for_records(Offset(stream.at), timeout_s=WAIT_SLICE_S)

    async def _look(self, stream: _Stream) -> None:
        """See how far the log goes by now; raises ApiError if the reader's place is gone."""
        stream.view = await self._service.view(LOCAL, timeout_s=self._timeout_s)
        if stream.at < stream.view.log_start_offset:
            offset_within(stream.at, stream.view)

    async def _within_time(self, request: web.Request, sent: Awaitable[None]) -> None:
        """Let it leave, or end a connection that takes nothing; raises ConnectionError."""
        try:
            async with asyncio.timeout(self._response_s):
                await sent
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError("the reader takes nothing") from None

    def _lineage(self) -> str:
        return self._service.status().lineage or ""


def _resumed(request: web.Request, lineage: str) -> int | None:
    """Where a reader that was here before goes on; None for a new one."""
    last = single_header(request.headers, "Last-Event-ID")
    if last is None:
        return None
    of, dash, digits = last.rpartition("-")
    offset = header_integer("Last-Event-ID", digits, 0, OFFSET_MAX - 1)
    if dash and of != lineage:
        raise ApiError("other_lineage", f"the log lives in lineage {lineage} now")
    return offset + 1


async def _hear(socket: web.WebSocketResponse) -> None:
    """Wait until the reader goes, or says something, which ends the stream as well."""
    message = await socket.receive()
    if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
        await socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"nothing is taken here")


def _no_page(at: int) -> Page:
    raise AssertionError(f"no form was chosen for the page at {at}")


def _is_gone(request: web.Request) -> bool:
    transport = request.transport
    return transport is None or transport.is_closing()
