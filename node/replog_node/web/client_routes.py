"""The client's calls: append, read, the log's bounds, producer sessions.

Decides: the order of their steps and the headers of their answers.
Must not know: how records are encoded (records_in.py, records_out.py), how reads go (reading.py).
Read next: records_in.py, reading.py.
"""

from aiohttp import web

from replog.wire.schemas import ProducerRequest, ResolveRequest
from replog.wire.sessions import SESSION_PATH
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.accepting import negotiated
from replog_node.web.bodies import Bodies
from replog_node.web.decoding import Decoding
from replog_node.web.gate import Gate, Route
from replog_node.web.json_bodies import Body, JsonBody, check_content_type, json_response
from replog_node.web.permissions import Permission
from replog_node.web.query import (
    ReadQuery,
    consistency_query,
    no_query,
    path_integer,
    read_query,
    timeout_s,
)
from replog_node.web.reading import fill, fill_or_wait, starting_offset
from replog_node.web.records_in import APPEND_TYPES
from replog_node.web.records_out import READ_TYPES, Page, page_of
from replog_node.web.service import ReadView, Service
from replog_node.web.sessions import Sessions
from replog_node.web.tails import EVENTS_TYPE, TAIL_PATH, Tails

_RESOLVE = JsonBody(ResolveRequest)
_PRODUCER = JsonBody(ProducerRequest, ProducerRequest())


class ClientRoutes:
    """The calls of the client listener that move data."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        metrics: NodeMetrics,
        bodies: Bodies,
        gate: Gate,
    ) -> None:
        self._service = service
        self._bodies = bodies
        self._gate = gate
        self.decoding = Decoding()
        self._sessions = Sessions(service, settings, metrics, bodies, self.decoding)
        self._tails = Tails(service, settings, self.decoding, gate)
        self._timeout_s = settings.request_timeout_ms / 1000

    def routes(self) -> tuple[Route, ...]:
        """The rows of the route table."""
        return (
            Route("POST", "/v1/records", self.append, Permission.WRITE, bulk=True),
            Route("GET", "/v1/records", self.read, Permission.READ, bulk=True),
            Route(
                "GET", SESSION_PATH, self._sessions.serve, Permission.WRITE,
                bounded=False, lasting=True,
            ),
            Route(
                "GET", TAIL_PATH, self._tails.socket, Permission.READ, bulk=True, lasting=True
            ),
            Route("GET", "/v1/log", self.log, Permission.READ),
            Route("POST", "/v1/producers", self.producer, Permission.WRITE),
            Route("POST", "/v1/producers/{id}:resolve", self.resolve, Permission.WRITE),
        )  # fmt: skip

    async def end(self, _app: web.Application) -> None:
        """Hang up on who holds a connection for long: the listener is going."""
        await self._tails.close()
        await self._sessions.close()

    async def close(self, _app: web.Application) -> None:
        """Let the decoding thread go."""
        self.decoding.close()

    async def append(self, request: web.Request) -> web.Response:
        """Append one batch; the body's bytes count as held until it is committed."""
        no_query(request)
        limit_s = timeout_s(request, self._timeout_s)
        content_type = check_content_type(request, APPEND_TYPES)
        raw = await self._bodies.read(request)
        try:
            batch = await self.decoding.batch(content_type, request.headers, raw)
            return json_response(await self._service.append(batch, timeout_s=limit_s))
        finally:
            self._bodies.release(len(raw))

    async def read(self, request: web.Request) -> web.StreamResponse:
        """Read a page; at the end of the log wait for records, if so asked."""
        query = read_query(request)
        content_type = negotiated(request.headers.get("Accept"), (*READ_TYPES, EVENTS_TYPE))
        if content_type == EVENTS_TYPE:
            return await self._tails.events(request, query)
        view = await self._service.view(
            query.consistency, timeout_s=timeout_s(request, self._timeout_s)
        )
        start = await starting_offset(self._service, query, view)
        page = page_of(content_type, start, query.limit, query.max_bytes)
        await fill(self._service, self.decoding, page, query, view.end_offset)
        if query.wait_s and not page.records and page.next_offset >= view.end_offset:
            view = await self._wait(request, page, query, view)
        return _page_response(content_type, page, query, view)

    async def _wait(
        self, request: web.Request, page: Page, query: ReadQuery, view: ReadView
    ) -> ReadView:
        """Wait in the waiting room, not among the requests being served."""
        self._gate.begin_wait()
        try:
            return await fill_or_wait(
                self._service, self.decoding, page, query, view, gone=lambda: _is_gone(request)
            )
        finally:
            self._gate.end_wait()

    async def log(self, request: web.Request) -> web.Response:
        """The bounds of the log."""
        consistency = consistency_query(request)
        limit_s = timeout_s(request, self._timeout_s)
        return json_response(await self._service.log_info(consistency, timeout_s=limit_s))

    async def producer(self, request: web.Request) -> web.Response:
        """Begin a producer session."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _PRODUCER)
        return json_response(await self._service.allocate_producer(body, timeout_s=limit_s))

    async def resolve(self, request: web.Request) -> web.Response:
        """Fence an epoch of a producer session, and tell what was appended in it."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _RESOLVE)
        producer_id = path_integer(request, "id")
        return json_response(
            await self._service.resolve_producer(producer_id, body.epoch, timeout_s=limit_s)
        )

    async def _read(self, request: web.Request, kind: JsonBody[Body]) -> Body:
        """The call's body; its bytes are let go once they are decoded."""
        no_query(request)
        raw = await self._bodies.read(request)
        try:
            return kind.decode(request, raw)
        finally:
            self._bodies.release(len(raw))


def _page_response(content_type: str, page: Page, query: ReadQuery, view: ReadView) -> web.Response:
    """The page with where to read on."""
    headers = {
        "Content-Type": content_type,
        "Replog-Next-Offset": str(page.next_offset),
        "Replog-End-Offset": str(view.end_offset),
        "Replog-Log-Start-Offset": str(view.log_start_offset),
    }
    if not query.consistency.linearizable:
        headers["Replog-Staleness-Ms"] = str(view.staleness_ms)
    return web.Response(body=page.body(view.end_offset, view.log_start_offset), headers=headers)


def _is_gone(request: web.Request) -> bool:
    """Whether the caller has closed the connection."""
    transport = request.transport
    return transport is None or transport.is_closing()
