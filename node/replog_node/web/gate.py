"""What holds for every request: permission, overload bound, refusals in our form, counting.

Decides: in which order these come. A request is counted, let in, and served, or refused before it
had any effect.
Must not know: what the routes do.
Read next: problems.py, permissions.py.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import msgspec
from aiohttp import HttpVersion11, web
from aiohttp.typedefs import Middleware

from replog.wire.problems import ApiError
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.bodies import check_declared
from replog_node.web.permissions import Access, Permission
from replog_node.web.problems import Handler, from_aiohttp, response_of, unexpected

_Expectation = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

SMALL_SHARE: Final = 8
"""One in so many of requests_max is kept for calls that move no data: however many appends and
reads come, whoever asks for a log's bounds, a session or a change of leader is served."""

UNROUTED: Final = "none"
"""The route label of requests that no route took: callers can't make new labels."""


class Route(msgspec.Struct, frozen=True):
    """One row of the route table. permission None: open to all.

    bounded: counts against requests_max. What tells why a node is overloaded isn't bounded, and
    neither are WebSockets, whose number the membership bounds, or a setting.

    bulk: moves data, so a flood of it leaves a share of requests_max (SMALL_SHARE) to other calls.

    lasting: a WebSocket, which lasts as long as its caller likes.
    """

    method: str
    path: str
    handler: Handler
    permission: Permission | None
    bounded: bool = True
    bulk: bool = False
    lasting: bool = False

    @property
    def is_socket(self) -> bool:
        """Whether HEAD means nothing here."""
        return self.lasting or self.permission is Permission.PEER

    @property
    def label(self) -> str:
        """How metrics and the log call it."""
        return f"{self.method} {self.path}"


class Gate:
    """The gate of one listener, and the number of requests behind it."""

    def __init__(
        self, listener: str, settings: Settings, metrics: NodeMetrics, access: Access
    ) -> None:
        self._listener = listener
        self._metrics = metrics
        self._access = access
        self._body_bytes_max = settings.body_bytes_max
        self._requests_max = settings.requests_max
        self._bulk_max = settings.requests_max - settings.requests_max // SMALL_SHARE
        self._waiting_max = settings.waiting_max
        self._in_flight = 0
        self._waiting = 0
        metrics.http_in_flight.labels(listener).set_function(lambda: self._in_flight)

    def add(self, app: web.Application, routes: Iterable[Route]) -> None:
        """Serve the routes in `app`, each behind this gate, and refuse other paths in our form."""
        for route in routes:
            guarded, expect = self._guard(route), self._expectation(route)
            if route.method == "GET" and not route.is_socket:
                app.router.add_get(route.path, guarded, expect_handler=expect)
            else:
                app.router.add_route(route.method, route.path, guarded, expect_handler=expect)
        app.middlewares.append(self._unrouted())

    def _unrouted(self) -> Middleware:
        """A middleware that says in our form what the router refuses."""

        @web.middleware
        async def unrouted(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                return await handler(request)
            except web.HTTPException as error:
                response = self._refuse(from_aiohttp(error))
                self._metrics.count_request(self._listener, UNROUTED, response.status)
                return response

        return unrouted

    def begin_wait(self) -> None:
        """A request begins to wait for records: it gives its place to others.

        Raises ApiError overloaded when too many wait. Ended by `end_wait`.
        """
        if self._waiting >= self._waiting_max:
            raise ApiError("overloaded", f"{self._waiting} requests wait for records already")
        self._waiting += 1
        self._in_flight -= 1

    def end_wait(self) -> None:
        """It waits no more; it is let in again whatever the bound, because it has begun."""
        self._waiting -= 1
        self._in_flight += 1

    def _expectation(self, route: Route) -> _Expectation:
        """What answers `Expect: 100-continue`: what can be refused already, is, before the body."""

        async def expectation(request: web.Request) -> web.StreamResponse | None:
            try:
                if request.headers.get("Expect", "").lower() != "100-continue":
                    raise ApiError("request_invalid", "Expect: not 100-continue")
                self._access.check(request.headers.get("Authorization"), route.permission)
                check_declared(request.content_length, self._body_bytes_max)
            except ApiError as error:
                response = self._refuse(error)
                response.force_close()
                self._metrics.count_request(self._listener, route.label, response.status)
                return response
            if request.version == HttpVersion11:
                await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                request.writer.output_size = 0  # the answer has not begun
            return None

        return expectation

    def _guard(self, route: Route) -> Handler:
        """The route's handler behind the gate."""
        label = route.label
        seconds = self._metrics.http_seconds.labels(label)

        async def guarded(request: web.Request) -> web.StreamResponse:
            began = time.perf_counter()
            try:
                response = await self._serve(route, request)
            except ApiError as error:
                response = self._refuse(error)
            except web.HTTPException as error:
                response = self._refuse(from_aiohttp(error))
            except ConnectionError:
                raise  # the caller is gone: nobody to answer
            except Exception as error:  # noqa: BLE001 (the last guard: the log is told in full)
                response = self._refuse(unexpected(error, label))
            self._metrics.count_request(self._listener, label, response.status)
            if isinstance(response, web.Response) and "wait_ms" not in request.query_string:
                seconds.observe(time.perf_counter() - began)
            return response

        return guarded

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        """Let the request in and serve it; raises ApiError and whatever the handler raises."""
        authorization = request.headers.get("Authorization")
        if not route.bounded:
            self._access.check(authorization, route.permission)
            return await route.handler(request)
        self.enter(authorization, route.permission, bulk=route.bulk)
        try:
            return await route.handler(request)
        finally:
            self.leave(1)

    def enter(
        self, authorization: str | None, permission: Permission | None, *, bulk: bool
    ) -> None:
        """Let a request in, until `leave`; raises ApiError unauthorized, forbidden, overloaded."""
        self._access.check(authorization, permission)
        if self._in_flight >= (self._bulk_max if bulk else self._requests_max):
            raise ApiError("overloaded", f"{self._in_flight} requests are being served already")
        self._in_flight += 1

    def leave(self, requests: int) -> None:
        """So many requests that were let in are served."""
        self._in_flight -= requests

    def count(self, label: str, status: int, began_s: Sequence[float], refused: str = "") -> None:
        """Count answers alike of requests that began then (perf_counter). refused: the code."""
        for _ in began_s:
            self._metrics.count_request(self._listener, label, status)
        if refused:
            self._metrics.refusals.labels(refused).inc(len(began_s))
        seconds = self._metrics.http_seconds.labels(label)
        now = time.perf_counter()
        for began in began_s:
            seconds.observe(now - began)

    def _refuse(self, error: ApiError) -> web.Response:
        self._metrics.refusals.labels(error.code).inc()
        return response_of(error)
