"""Refusals as responses: RFC 9457 bodies from the table of codes, also for what aiohttp refuses.

Decides: the form of an error, its headers, and what an unexpected exception tells (nothing).
Must not know: which route failed why.
Read next: gate.py; replog/wire/codes.py (the table).
"""

import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from aiohttp import web

from replog.logs import Log
from replog.wire.problems import ApiError

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
"""Told with 429, 503 and 507: long enough to matter, short beside an election."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG: Final = Log("replog_node.web")
_REST_UNWANTED: Final = ("body_incomplete", "body_too_large", "request_timeout")
"""The rest of such a body isn't wanted, so the connection can't go on."""


def response_of(error: ApiError) -> web.Response:
    """The refusal as it goes to the client."""
    response = web.Response(
        body=error.body(), status=error.status, content_type=PROBLEM_TYPE, headers=_headers(error)
    )
    if ends_connection(error):
        response.force_close()
    return response


def ends_connection(error: ApiError) -> bool:
    """Whether the connection ends with this refusal.

    So it does where another member may serve the call: it may lead through a name that stands for
    all of them (a Service), and the next one then leads to another.
    """
    return error.code in _REST_UNWANTED or error.elsewhere


def raw_response(error: ApiError, *, close: bool = True) -> bytes:
    """The refusal as bytes, where no request of aiohttp is. close: the connection ends after it."""
    body = error.body()
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        *(("Connection: close",) if close else ()),
        *(f"{name}: {value}" for name, value in _headers(error).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _headers(error: ApiError) -> dict[str, str]:
    """The headers that HTTP wants beside a status."""
    match error.status:
        case 429 | 503 | 507:
            return {"Retry-After": str(RETRY_AFTER_S)}
        case 401:
            return {"WWW-Authenticate": "Bearer"}
        case 405:
            return {"Allow": ", ".join(error.extra.get("allowed", ()))}
        case _:
            return {}


def unexpected(error: BaseException, route: str) -> ApiError:
    """What a client is told of a fault of ours; the id finds the traceback in the log."""
    mark = secrets.token_hex(8)
    _LOG.error("request_failed", error=error, id=mark, route=route)
    return ApiError("internal", "the node failed; its log tells more under this id", id=mark)


def from_aiohttp(error: web.HTTPException) -> ApiError:
    """A 404 or 405 of the router, and whatever else aiohttp may refuse, as a code of ours."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = sorted(error.allowed_methods)
        detail = f"the path takes {', '.join(allowed)} only"
        return ApiError("method_not_allowed", detail, allowed=allowed)
    if isinstance(error, web.HTTPNotFound):
        return ApiError("not_found", "no such path on this listener")
    if error.status < 500:
        return ApiError("request_invalid", error.reason)
    return unexpected(error, "unrouted")
