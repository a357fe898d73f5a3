"""The parameters of our routes as OpenAPI has them, with the bounds that the parsers hold to.

Decides: nothing but that form; query.py and records_in.py decide what is taken.
Must not know: which route has which (openapi.py).
Read next: openapi.py, query.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from replog.wire.limits import SEQUENCES, TIMESTAMP_MAX_MS
from replog_node.web.query import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OFFSET_MAX,
    PAGE_BYTES_DEFAULT,
    PAGE_BYTES_MAX,
    TIMEOUT_MAX_MS,
    WAIT_MAX_MS,
)

_DIGITS: Final = "(0|[1-9][0-9]{0,17})"
_TAIL: Final = "(0|[1-9][0-9]{0,5}|1000000)"
_BOUND: Final = "([1-9][0-9]{0,4}|[1-5][0-9]{5}|600000)"
_START: Final = rf"^({_DIGITS}|earliest|latest|tail:{_TAIL}|time:{_DIGITS})$"
_CONSISTENCY: Final = rf"^(linearizable|local|bounded:{_BOUND}ms)$"
_ENCODED: Final = r"^([!-$&-~]|%[0-9A-Fa-f]{2})*$"


def _number(least: int, most: int, default: int | None = None) -> dict[str, Any]:
    found = {"type": "integer", "minimum": least, "maximum": most}
    return found if default is None else {**found, "default": default}


def _text(pattern: str) -> dict[str, Any]:
    return {"type": "string", "pattern": pattern}


def _parameter(place: str, name: str, schema: dict[str, Any], what: str) -> dict[str, Any]:
    return {
        "name": name, "in": place, "description": what, "schema": schema,
        "required": place == "path",
    }  # fmt: skip


_QUERY: Final = {
    "from": (_text(_START), "an offset, earliest, latest, tail:N or time:MS"),
    "limit": (_number(1, LIMIT_MAX, LIMIT_DEFAULT), "records of a page"),
    "max_bytes": (_number(1, PAGE_BYTES_MAX, PAGE_BYTES_DEFAULT), "bytes gone through for a page"),
    "wait_ms": (_number(0, WAIT_MAX_MS, 0), "how long to wait for a record when there is none"),
    "consistency": (_text(_CONSISTENCY), "linearizable, local or bounded:<ms>ms"),
    "for": ({"type": "string", "enum": ["read", "write"]}, "what it should be ready for"),
}

_HEADERS: Final = {
    "Replog-Timeout-Ms": (_number(1, TIMEOUT_MAX_MS), "how long the node works at it"),
    "Last-Event-ID": (_text(rf"^([!-~]+-)?{_DIGITS}$"), "the last event that the reader has"),
    "Replog-Key": (_text(_ENCODED), "the record's key, percent-encoded; octet-stream only"),
    "Replog-Timestamp-Ms": (_number(0, TIMESTAMP_MAX_MS), "the record's time; octet-stream only"),
    "Replog-Header": (_text(_ENCODED), "name=value, percent-encoded; octet-stream only"),
    "Producer-Id": (_number(0, 2**63 - 1), "the producer session; all three or none"),
    "Producer-Epoch": (_number(0, 2**15 - 1), "the session's epoch"),
    "Producer-Sequence": (_number(0, SEQUENCES - 1), "the sequence of the first record"),
    "If-Last-Record": (_text(rf"^({_DIGITS}|none)$"), "the last record that there must be"),
}

PARAMETERS: Final[Mapping[str, dict[str, Any]]] = {
    **{name: _parameter("query", name, *said) for name, said in _QUERY.items()},
    **{name: _parameter("header", name, *said) for name, said in _HEADERS.items()},
    "producer": _parameter("path", "id", _number(0, OFFSET_MAX), "a producer id"),
    "member": _parameter("path", "id", {"type": "string"}, "a member id"),
}
"""By the name that openapi.py uses."""
