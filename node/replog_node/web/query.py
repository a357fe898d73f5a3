"""Query parameters and our request headers, read strictly.

Decides: which parameters a route has, their ranges and defaults; unknown, repeated and malformed
ones are refused, because a misspelt `limt` that is ignored reads the wrong records.
Must not know: what the values are used for.
Read next: client_routes.py.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec
from aiohttp import web
from multidict import MultiMapping

from replog.wire.problems import ApiError
from replog_node.web.service import LINEARIZABLE, LOCAL, Consistency

OFFSET_MAX: Final = 2**63 - 1
LIMIT_DEFAULT: Final = 1000
LIMIT_MAX: Final = 10_000
PAGE_BYTES_DEFAULT: Final = 1024 * 1024
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
"""Bounds a page's work on the loop as well as its size: some 20 ms of decoding."""
TAIL_MAX: Final = 1_000_000
"""`tail:N` counts backwards through the log: the bound of that work. Further back: an offset."""
WAIT_MAX_MS: Final = 60_000
"""A longer wait is a new request, so that dead connections and rolled nodes are noticed."""
TIMEOUT_MAX_MS: Final = 600_000
BOUND_MAX_MS: Final = 600_000


class End(Enum):
    """The two ends of the log, as `from` names them."""

    EARLIEST = "earliest"
    LATEST = "latest"


class LastRecords(msgspec.Struct, frozen=True):
    """`from=tail:N`: the last N data records."""

    count: int


class SinceTime(msgspec.Struct, frozen=True):
    """`from=time:MS`: the first record of that log time or later; ms since 1970."""

    time_ms: int


Start = int | End | LastRecords | SinceTime
"""Where a read begins; a number is an offset."""


class ReadQuery(msgspec.Struct, frozen=True):
    """The parameters of GET /v1/records."""

    start: Start
    limit: int
    max_bytes: int
    wait_s: float
    consistency: Consistency


_START_MOST: Final = {"": OFFSET_MAX, "tail:": TAIL_MAX, "time:": OFFSET_MAX}
_CONSISTENCIES: Final = {"linearizable": LINEARIZABLE, "local": LOCAL}
_READ: Final = frozenset(("from", "limit", "max_bytes", "wait_ms", "consistency"))
_CONSISTENCY: Final = frozenset(("consistency",))
_READY: Final = frozenset(("for",))
_NONE: Final = frozenset[str]()


def read_query(request: web.BaseRequest) -> ReadQuery:
    """The parameters of a read; raises ApiError parameter_unknown, parameter_invalid."""
    query = request.query
    _only(query, _READ)
    return ReadQuery(
        start=_start(query.get("from", "earliest")),
        limit=_integer(query, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX),
        max_bytes=_integer(query, "max_bytes", PAGE_BYTES_DEFAULT, 1, PAGE_BYTES_MAX),
        wait_s=_integer(query, "wait_ms", 0, 0, WAIT_MAX_MS) / 1000,
        consistency=_consistency(query),
    )


def consistency_query(request: web.BaseRequest) -> Consistency:
    """How new the answer must be, by the only parameter of the route."""
    _only(request.query, _CONSISTENCY)
    return _consistency(request.query)


def ready_query(request: web.BaseRequest) -> str:
    """What the member is asked to be ready for: "read" or "write"."""
    _only(request.query, _READY)
    return _one_of(request.query, "for", ("read", "write"))


def no_query(request: web.BaseRequest) -> None:
    """Refuse any parameter."""
    if request.query_string:
        _only(request.query, _NONE)


def timeout_s(request: web.BaseRequest, default_s: float) -> float:
    """How long the call may take: Replog-Timeout-Ms, or the default; raises header_invalid."""
    text = single_header(request.headers, "Replog-Timeout-Ms")
    if text is None:
        return default_s
    return header_integer("Replog-Timeout-Ms", text, 1, TIMEOUT_MAX_MS) / 1000


def single_header(headers: MultiMapping[str], name: str) -> str | None:
    """A header that may be given once, None without it; raises ApiError header_invalid.

    Of two values nobody knows which one was meant, and a proxy may take the other one.
    """
    found = headers.getall(name, ())
    if len(found) > 1:
        raise ApiError("header_invalid", f"{name}: given more than once", header=name)
    return found[0] if found else None


def header_integer(name: str, text: str, least: int, most: int) -> int:
    """A whole number within its range, from a header; raises ApiError header_invalid."""
    value = _number(text)
    if value is None or not least <= value <= most:
        raise ApiError("header_invalid", f"{name}: not a number of {least}…{most}", header=name)
    return value


def path_integer(request: web.BaseRequest, name: str) -> int:
    """A number that is a part of the path; raises ApiError not_found if it is none."""
    text = request.match_info[name] if isinstance(request, web.Request) else ""
    value = _number(text)
    if value is None or not 0 <= value <= OFFSET_MAX:
        raise ApiError("not_found", f"{name} in the path is not a number up to {OFFSET_MAX}")
    return value


def _only(query: MultiMapping[str], known: frozenset[str]) -> None:
    """Refuse unknown names, all at once, and repeated ones."""
    unknown = sorted(set(query) - known)
    if unknown:
        raise ApiError(
            "parameter_unknown",
            f"unknown: {_shown(unknown)}; known here: {_shown(sorted(known)) or 'none'}",
            parameters=[_short(name) for name in unknown[:_SHOWN_MAX]],
        )
    if len(query) != len(set(query)):
        name = next(name for name in query if len(query.getall(name)) > 1)
        raise _invalid(name, "given more than once")


_SHOWN_MAX: Final = 10
_SHORT_CHARS: Final = 100


def _shown(names: Iterable[str]) -> str:
    return ", ".join([_short(name) for name in names][:_SHOWN_MAX])


def _short(text: str) -> str:
    """A caller's text, bounded and printable, to be told back."""
    return text[:_SHORT_CHARS] if text.isprintable() else ascii(text[:_SHORT_CHARS])


def _invalid(name: str, why: str) -> ApiError:
    return ApiError("parameter_invalid", f"{name}: {why}", parameter=name)


def _number(text: str) -> int | None:
    """A whole number written with plain digits, short enough to matter; None otherwise."""
    digits = text[1:] if text.startswith("-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
        return None
    return int(text)


def _integer(query: MultiMapping[str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    value = _number(text)
    if value is None or not least <= value <= most:
        raise _invalid(name, f"{_short(text)!r} is not a number of {least}…{most}")
    return value


def _one_of(query: MultiMapping[str], name: str, values: tuple[str, ...]) -> str:
    """One of the values; the first when the parameter is left out."""
    text = query.get(name, values[0])
    if text not in values:
        raise _invalid(name, f"{_short(text)!r} is none of {', '.join(values)}")
    return text


def _consistency(query: MultiMapping[str]) -> Consistency:
    """How new the answer must be; as new as can be when the parameter is left out."""
    text = query.get("consistency", "linearizable")
    if text in _CONSISTENCIES:
        return _CONSISTENCIES[text]
    digits = text.removeprefix("bounded:").removesuffix("ms")
    bound_ms = _number(digits) if text == f"bounded:{digits}ms" else None
    if bound_ms is None or not 1 <= bound_ms <= BOUND_MAX_MS:
        forms = f"linearizable, local, bounded:<ms>ms with 1…{BOUND_MAX_MS}"
        raise _invalid("consistency", f"{_short(text)!r} is none of {forms}")
    return Consistency(bound_ms=bound_ms)


def _start(text: str) -> Start:
    """What `from` says."""
    match text:
        case "earliest":
            return End.EARLIEST
        case "latest":
            return End.LATEST
    kind, colon, digits = text.rpartition(":")
    value = _number(digits)
    most = _START_MOST.get(kind + colon)
    if value is None or most is None or not 0 <= value <= most:
        forms = (
            f"an offset from 0 on, earliest, latest, tail:N with N up to {TAIL_MAX}, "
            "time:N with N ms since 1970"
        )
        raise _invalid("from", f"{_short(text)!r} is none of {forms}")
    match kind:
        case "tail":
            return LastRecords(value)
        case "time":
            return SinceTime(value)
        case _:
            return value
