"""GET /v1/openapi.json: the routes of a listener as an OpenAPI 3.1 document.

The paths, methods and permissions are those of the route table, the bodies the structs of
replog/wire/schemas.py and replog/wire/recovery.py, the bounds the constants that the parsers use;
what else a reader needs stands in OPERATIONS.

Decides: how these become one document. Must not know: what routes do.
Read next: gate.py (Route), ../../replog/wire/schemas.py.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from replog.wire import recovery, schemas
from replog_node.web.debug_routes import FLIGHT_TYPE
from replog_node.web.gate import Route
from replog_node.web.json_bodies import JSON_TYPE
from replog_node.web.openapi_parameters import PARAMETERS
from replog_node.web.problems import PROBLEM_TYPE
from replog_node.web.query import no_query
from replog_node.web.records_in import BATCH, NDJSON, OCTETS
from replog_node.web.records_out import BATCHES_TYPE, FRAMES_TYPE, NDJSON_TYPE, VALUES_TYPE
from replog_node.web.tails import EVENTS_TYPE

OPENAPI_PATH: Final = "/v1/openapi.json"
_REF: Final = "#/components/schemas/{name}"

Content = Mapping[str, Any]
"""Media type -> the struct of its JSON, a tuple of those that it may be, None for other bytes."""


class Operation(msgspec.Struct, frozen=True):
    """What the route table doesn't say. parameters: names in openapi_parameters.py.

    answer: what 200 brings; nothing: the answer is 101, a WebSocket.
    """

    summary: str
    answer: Content = {}
    body: Content = {}
    body_required: bool = False
    parameters: tuple[str, ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """A refusal (RFC 9457); further members belong to the code."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    outcome: str
    next: str


class Truth(msgspec.Struct, frozen=True):
    """It is so."""

    ok: bool


def _json(kind: Any) -> Content:
    return {JSON_TYPE: kind}


_TIME: Final = ("Replog-Timeout-Ms",)
_READING: Final = ("from", "limit", "max_bytes", "consistency", "Last-Event-ID", *_TIME)

OPERATIONS: Final[Mapping[str, Operation]] = {
    "POST /v1/records": Operation(
        "Append one batch, atomically", _json(schemas.Appended),
        {OCTETS: None, NDJSON: None, JSON_TYPE: list[schemas.Record], BATCH: None},
        body_required=True,
        parameters=(
            "Replog-Key", "Replog-Timestamp-Ms", "Replog-Header", "Producer-Id", "Producer-Epoch",
            "Producer-Sequence", "If-Last-Record", *_TIME,
        ),
    ),
    "GET /v1/records": Operation(
        "Read from an offset on, wait for records, or follow them as events",
        {
            JSON_TYPE: schemas.RecordsPage, NDJSON_TYPE: None, BATCHES_TYPE: None,
            VALUES_TYPE: None, FRAMES_TYPE: None, EVENTS_TYPE: None,
        },
        parameters=(*_READING, "wait_ms"),
    ),
    "GET /v1/records:tail": Operation("Follow the log on a WebSocket", parameters=_READING),
    "GET /v1/records:session": Operation("Many appends under way on one WebSocket"),
    "GET /v1/log": Operation(
        "Bounds of the log", _json(schemas.LogInfo), parameters=("consistency", *_TIME)
    ),
    "POST /v1/producers": Operation(
        "Begin a producer session", _json(schemas.ProducerSession),
        _json(schemas.ProducerRequest), parameters=_TIME,
    ),
    "POST /v1/producers/{id}:resolve": Operation(
        "Fence an epoch of a producer session, and tell what was appended in it",
        _json(schemas.ProducerResolved), _json(schemas.ResolveRequest), body_required=True,
        parameters=("producer", *_TIME),
    ),
    "GET /v1/cluster": Operation(
        "What this member knows of the cluster", _json(schemas.ClusterStatus)
    ),
    "GET /v1/why": Operation("What this member waits for, worst first", _json(schemas.Why)),
    "GET /v1/cluster/members/{id}:may-stop": Operation(
        "Whether a member may be stopped now", _json(schemas.MayStop),
        parameters=("member", *_TIME),
    ),
    "GET /livez": Operation("200 unless a restart would help", _json(Truth)),
    "GET /readyz": Operation(
        "200 when it can serve reads or writes", _json(Truth), parameters=("for",)
    ),
    "GET /metrics": Operation("Prometheus text", {"text/plain": None}),
    "GET /v1/openapi.json": Operation("This document", _json(dict[str, Any])),
    "POST /v1/cluster:bootstrap": Operation(
        "Found a cluster of this one member", _json(schemas.Done),
        _json(schemas.BootstrapRequest), body_required=True, parameters=_TIME,
    ),
    "POST /v1/cluster:target": Operation(
        "Set the membership that there should be, or try it out",
        _json((schemas.Done, schemas.TargetPlan)),
        _json(schemas.TargetRequest), body_required=True, parameters=_TIME,
    ),
    "POST /v1/cluster:transfer": Operation(
        "Hand leadership over", _json(schemas.Done), _json(schemas.TransferRequest),
        parameters=_TIME,
    ),
    "POST /v1/cluster:raise-feature-level": Operation(
        "Raise the feature level, once every member speaks it", _json(schemas.Done),
        _json(schemas.LevelRequest), body_required=True, parameters=_TIME,
    ),
    "POST /v1/log:trim": Operation(
        "Give up records", _json(schemas.Done), _json(schemas.TrimRequest), body_required=True,
        parameters=_TIME,
    ),
    "POST /v1/log:snapshot": Operation(
        "Let every member build a snapshot", _json(schemas.Done), _json(schemas.SnapshotRequest),
        parameters=_TIME,
    ),
    "POST /v1/cluster:acknowledge-clock": Operation(
        "Believe this member's clock", _json(schemas.Done),
        _json(schemas.AcknowledgeClockRequest), parameters=_TIME,
    ),
    "POST /v1/cluster:fence": Operation(
        "Keep this member from all it does in its log, and tell what it has",
        _json(recovery.Survey), _json(recovery.FenceRequest), body_required=True,
        parameters=_TIME,
    ),
    "POST /v1/cluster:unfence": Operation(
        "Lift that fence", _json(schemas.Done), _json(recovery.FenceRequest), body_required=True,
        parameters=_TIME,
    ),
    "POST /v1/cluster:force-members": Operation(
        "Let this member go on alone, in the log's next lineage", _json(schemas.Done),
        _json(recovery.ForceMembersRequest), body_required=True, parameters=_TIME,
    ),
    "GET /v1/cluster/survey": Operation("What this member has", _json(recovery.Survey)),
    "GET /v1/debug/flight": Operation(
        "What the flight recorder holds, for replog debug replay", {FLIGHT_TYPE: None}
    ),
    "GET /v1/peer/control": Operation("Between members: votes, heartbeats, read index"),
    "GET /v1/peer/bulk": Operation("Between members: entries, forwarded calls, snapshots"),
}  # fmt: skip


class Described:
    """Serves the description of a listener's routes, its own among them."""

    def __init__(self, title: str, routes: Iterable[Route], *, tokens_asked: bool) -> None:
        self.route = Route("GET", OPENAPI_PATH, self.serve, None)
        self._body = msgspec.json.encode(
            document(title, (*routes, self.route), tokens_asked=tokens_asked)
        )

    async def serve(self, request: web.Request) -> web.Response:
        """The document; it is the same for all, and for as long as the node runs."""
        no_query(request)
        return web.Response(body=self._body, content_type=JSON_TYPE)


def document(title: str, routes: Iterable[Route], *, tokens_asked: bool = True) -> dict[str, Any]:
    """The OpenAPI document of these routes; raises KeyError for one that OPERATIONS lacks.

    tokens_asked: whether the listener asks for tokens; an open one takes calls without.
    """
    rows = tuple(routes)
    kinds = _kinds(OPERATIONS[row.label] for row in rows)
    schemas_of, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    known = {str(kind): schema for kind, schema in zip(kinds, schemas_of, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, known, tokens_asked)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": components,
            "parameters": PARAMETERS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _kinds(operations: Iterable[Operation]) -> list[Any]:
    """The structs that the operations name, and the problem, once each."""
    found: dict[str, Any] = {str(Problem): Problem}
    for operation in operations:
        for kind in (*operation.answer.values(), *operation.body.values()):
            for one in kind if isinstance(kind, tuple) else (kind,):
                if one is not None:
                    found[str(one)] = one
    return list(found.values())


def _operation(row: Route, known: Mapping[str, Any], tokens_asked: bool) -> dict[str, Any]:
    said = OPERATIONS[row.label]
    found: dict[str, Any] = {
        "summary": said.summary,
        "operationId": row.label,
        "responses": {
            **_success(said, known),
            "default": {"description": "refused", "content": _problem(known)},
        },
    }
    if said.parameters:
        found["parameters"] = [{"$ref": f"#/components/parameters/{n}"} for n in said.parameters]
    if said.body:
        found["requestBody"] = {
            "required": said.body_required, "content": _content(said.body, known)
        }  # fmt: skip
    if row.permission is not None:
        without: list[dict[str, Any]] = [] if tokens_asked else [{}]
        found["security"] = [{"token": [row.permission.value]}, *without]
    return found


def _success(said: Operation, known: Mapping[str, Any]) -> dict[str, Any]:
    if not said.answer:
        return {"101": {"description": "a WebSocket"}}
    return {"200": {"description": "done", "content": _content(said.answer, known)}}


def _content(content: Content, known: Mapping[str, Any]) -> dict[str, Any]:
    return {media: _media(kind, known) for media, kind in content.items()}


def _media(kind: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    if kind is None:
        return {}
    if isinstance(kind, tuple):
        return {"schema": {"anyOf": [known[str(one)] for one in kind]}}
    return {"schema": known[str(kind)]}


def _problem(known: Mapping[str, Any]) -> dict[str, Any]:
    return {PROBLEM_TYPE: {"schema": known[str(Problem)]}}
