"""One listener as it runs: aiohttp's server with bounds on connections, heads and slow readers.

Decides: what is answered to what is no HTTP, to a head that does not come, to one connection too
many, and how long an answer may take to leave. Nothing of aiohttp's own pages ever gets out.
Must not know: routes, addresses, signals.
Read next: gate.py (what holds for a request that was understood), problems.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_exceptions import (
    BadHttpMethod,
    BadStatusLine,
    HttpProcessingError,
    InvalidHeader,
    InvalidURLError,
    LineTooLong,
    PayloadEncodingError,
)

from replog.wire.problems import ApiError
from replog_node.settings import Settings
from replog_node.web.direct import Direct
from replog_node.web.framing import length_of
from replog_node.web.problems import from_aiohttp, raw_response, response_of, unexpected

LINGERING_S: Final = 2.0
"""How long the rest of a refused body is read, so that its sender gets the answer and no reset."""

END_S: Final = 2.0
"""How long a listener that is closed lets handlers run, and again how long it waits for those that
it then cancels. Short: whoever called was answered before, in shutdown_grace_ms."""

KEEPALIVE_S: Final = 75.0
"""An idle connection is kept a little longer than usual proxies keep theirs (60 s)."""

LINE_BYTES_MAX: Final = 8192
"""The request line, or one header; longer: 400 `request_invalid`, and the connection ends."""

HEADERS_MAX: Final = 100
"""Headers of one request; more: 400 `request_invalid`. With LINE_BYTES_MAX this bounds a head."""


DIRECT: Final = web.AppKey("direct", Direct)
"""What serves small appends of an application the short way, if it has that."""

SAID_CHARS_MAX: Final = 100
"""So much is told of what the HTTP library finds wrong with a head."""


class Listener(web.AppRunner):
    """Runs one application within the limits that its routes count upon.

    Encoded bodies are refused, so they aren't decoded either. Our own log and metrics tell of
    requests, so aiohttp's access log is off.
    """

    def __init__(self, app: web.Application, settings: Settings) -> None:
        super().__init__(app, shutdown_timeout=END_S)
        self._settings = settings

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made, self._settings, self.app.get(DIRECT))


class _Server(web.Server):
    """Makes a `_Protocol` for each connection, with the application's own handler."""

    def __init__(self, made: web.Server, settings: Settings, direct: Direct | None) -> None:
        super().__init__(
            _framed(made.request_handler),
            request_factory=made.request_factory,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGERING_S,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=LINE_BYTES_MAX,
            max_headers=HEADERS_MAX,
        )
        self.silent: dict[_Protocol, None] = {}
        self.direct = direct
        self.connections_max = settings.connections_max
        self.head_s = settings.body_timeout_ms / 1000
        self.response_s = settings.response_timeout_ms / 1000

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)

    def make_room(self) -> bool:
        """End the connection that has been silent for the longest; False: all have asked something.

        So who opens connections and says nothing takes places from others of the kind only.
        """
        while self.silent:
            oldest = next(iter(self.silent))
            del self.silent[oldest]
            if oldest.is_silent:
                oldest.end(ApiError("overloaded", "others need its place: it asked nothing"))
                return True
        return False


_Serve = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def _framed(serve: _Serve) -> _Serve:
    """Serve what is framed as we count upon; refuse the rest, and end its connection."""

    async def framed(request: web.BaseRequest) -> web.StreamResponse:
        fault = _framing_fault(request)
        if fault is None:
            return await serve(request)
        response = response_of(ApiError("request_invalid", fault))
        response.force_close()
        return response

    return framed


def _framing_fault(request: web.BaseRequest) -> str | None:
    """What aiohttp lets through: any version, and encodings before `chunked`, which would be
    stored as they are."""
    version = request.version
    if version not in (HttpVersion10, HttpVersion11):
        return f"HTTP/{version.major}.{version.minor}: HTTP/1.1 and 1.0 are served"
    encoding = request.headers.get("Transfer-Encoding")
    if encoding is None:
        return None
    if version == HttpVersion10:
        return "Transfer-Encoding is not of HTTP/1.0"
    return None if encoding.strip().lower() == "chunked" else "Transfer-Encoding: not just chunked"


class _Protocol(web.RequestHandler):
    """One connection.

    _left: how many bytes of the request that aiohttp reads are still to come; 0 between requests,
    None when nobody counts them any more. _asked: whether a direct request is being served, and
    _next what has come since: nothing is read meanwhile.
    """

    __slots__ = ("_asked", "_head_timer", "_left", "_limits", "_next", "_served")

    def __init__(self, manager: _Server, **options: Any) -> None:
        super().__init__(manager, **options)
        self._limits = manager
        self._head_timer: asyncio.TimerHandle | None = None
        self._left: int | None = 0
        self._asked = False
        self._next: list[bytes] = []
        self._served: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Serve the connection, unless there are too many; expect its first head in time."""
        full = len(self._limits.connections) >= self._limits.connections_max
        super().connection_made(transport)
        if full and not self._limits.make_room():
            most = self._limits.connections_max
            self.end(ApiError("overloaded", f"{most} connections are open already"))
        else:
            self._limits.silent[self] = None
            self._head_timer = self._loop.call_later(self._limits.head_s, self._head_is_due)

    @property
    def is_silent(self) -> bool:
        """Whether it is open and has not sent a whole head yet."""
        return self._request_count == 0 and self.transport is not None

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer, and read no more of a body whose sender has left."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        self._limits.silent.pop(self, None)
        lingering = None if self._request_in_progress else self._task_handler
        super().connection_lost(exc)
        if lingering is not None:
            lingering.cancel()

    def data_received(self, data: bytes) -> None:
        """Take the short way with a plain append that came whole, else aiohttp's."""
        if self._asked:
            self._next.append(data)
            self._pause_transport_reading()
        elif not (data and self._left == 0 and self._limits.direct and self._ask(data)):
            self._count(data)
            super().data_received(data)

    def _ask(self, data: bytes) -> bool:
        """Serve it the short way; False: it isn't for that, and nothing has happened."""
        direct = self._limits.direct
        found = direct.head_of(data) if direct is not None else None
        if direct is None or found is None or len(data) - found[1] != found[0].length:
            return False
        head, start = found
        body = data[start:]
        busy = self._messages or self._request_in_progress or self._paused
        if busy or self._close or self._force_close or not direct.serves(head, body):
            return False
        self._asked = True
        self._request_count += 1
        self._idle_after(head.timeout_s or 0.0)
        direct.take(self, head, body)
        return True

    def answer(self, response: bytes, *, close: bool) -> None:
        """See direct.Connection; what has come since is read now."""
        self._asked = False
        if self._served is not None and not self._served.done():
            self._served.set_result(None)
        if self.transport is None:
            return
        self.transport.write(response)
        if close:
            self.force_close()
            return
        self._idle_after(0.0)
        if self._next:
            data, self._next = b"".join(self._next), []
            self._resume_transport_reading()
            self.data_received(data)

    def _idle_after(self, busy_s: float) -> None:
        """It is idle when it has been silent for so long and KEEPALIVE_S."""
        self._next_keepalive_close_time = self._loop.time() + busy_s + KEEPALIVE_S

    def _count(self, data: bytes) -> None:
        """Know when aiohttp has all of a request, so that the next may go the short way."""
        if self._left is None or not data or self._limits.direct is None:
            return
        total = self._left or length_of(data)
        self._left = None if total is None or total < len(data) else total - len(data)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 (aiohttp's)
        """Let a direct request end in its time, too."""
        if self._asked:
            self._served = self._loop.create_future()
            await asyncio.wait((self._served,), timeout=timeout)
        await super().shutdown(timeout)

    def _head_is_due(self) -> None:
        """End a connection that has not sent a whole head yet; later ones are keep-alive's."""
        if self._request_count == 0:
            seconds = self._limits.head_s
            self.end(ApiError("request_timeout", f"no request arrived within {seconds:g} s"))

    def end(self, error: ApiError) -> None:
        """Say why, and close: there is no request to answer."""
        if self.transport is not None:
            self.transport.write(raw_response(error))
        self.force_close()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, in our form, and give up on a reader that does not take it."""
        if isinstance(resp, web.HTTPException):
            resp = response_of(from_aiohttp(resp))
            resp.force_close()
        try:
            async with asyncio.timeout(self._limits.response_s):
                return await super().finish_response(request, resp, start_time)
        except TimeoutError:
            if self.transport is not None:
                self.transport.abort()
            return resp, True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What is no HTTP, or failed past our gate, as a problem; never a traceback."""
        left = request.transport is None or request.transport.is_closing()
        if left and isinstance(exc, ConnectionError):
            raise ConnectionError("the caller has left") from exc
        if isinstance(exc, HttpProcessingError):
            error = ApiError("request_invalid", _fault_of(exc))
        else:
            error = unexpected(exc or RuntimeError(message or f"status {status}"), "unrouted")
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer has been sent already")
        response = response_of(error)
        response.force_close()
        return response


_FAULTS: Final = {
    BadHttpMethod: "no method of HTTP/1.1 at the beginning; TLS is not spoken here",
    BadStatusLine: "the request line is not that of HTTP/1.1",
    InvalidHeader: "a header that no request may have",
    InvalidURLError: "the request line names no path",
    PayloadEncodingError: "the body breaks its framing",
}
"""Exceptions of aiohttp whose messages hold the caller's bytes.

Of others the first line says what is wrong, and holds none."""


_CLEARER: Final = {
    "Pause on PRI/Upgrade": "HTTP/2 is not spoken here",
    "Too many headers received": f"more than {HEADERS_MAX} headers",
    "": "no request of HTTP/1.1",
}


def _fault_of(fault: HttpProcessingError) -> str:
    """What is wrong with a head or a body's framing, without the caller's bytes."""
    if isinstance(fault, LineTooLong):
        return f"a line of the head is longer than {LINE_BYTES_MAX} bytes"
    for kind, meaning in _FAULTS.items():
        if isinstance(fault, kind):
            return meaning
    said = fault.message.partition("\n")[0].rstrip(":.")[:SAID_CHARS_MAX]
    return _CLEARER.get(said, said)
