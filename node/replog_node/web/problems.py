"""Refusals as responses: RFC 9457 bodies from the table of codes, also for what aiohttp refuses.

Decides: the form of an error, its headers, and what an unexpected exception tells (nothing).
Must not know: which route failed why.
Read next: gate.py; replog/wire/codes.py (the table).
"""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from replog.wire.problems import ApiError
from replog_node.logs import Log

PROBLEM_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
"""Told with 429 and 503: long enough to matter, short beside an election."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOG: Final = Log("web")


def response_of(error: ApiError) -> web.Response:
    """The refusal as it goes to the client."""
    status = error.status
    response = web.Response(body=error.body(), status=status, content_type=PROBLEM_TYPE)
    if status in (429, 503):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    elif status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    elif status in (408, 413):
        response.force_close()  # the rest of the body isn't wanted
    return response


def unexpected(error: Exception, route: str) -> ApiError:
    """What a client is told of a fault of ours; the id finds the traceback in the log."""
    mark = secrets.token_hex(8)
    _LOG.error("request_failed", error=error, id=mark, route=route)
    return ApiError("internal", "the node failed; its log tells more under this id", id=mark)


def refused_by_aiohttp(error: web.HTTPException) -> web.Response:
    """A 404 or 405 of the router (and whatever else it may refuse) in our form."""
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = sorted(error.allowed_methods)
        detail = f"{error.method} is not allowed here; allowed: {', '.join(allowed)}"
        response = response_of(ApiError("method_not_allowed", detail, allowed=allowed))
        response.headers["Allow"] = ", ".join(allowed)
        return response
    if isinstance(error, web.HTTPNotFound):
        return response_of(ApiError("not_found", "no such path on this listener"))
    return response_of(unexpected(error, "unrouted"))
