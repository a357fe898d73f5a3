"""docs/api.md: its route tables are the routes that are served, its codes are the table's."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from replog.wire import recovery, schemas
from replog.wire.codes import ERRORS
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.app import ROUTES, client_app, peer_app
from replog_node.web.listener import HEADERS_MAX, KEEPALIVE_S, LINE_BYTES_MAX
from replog_node.web.openapi import OPERATIONS
from replog_node.web.permissions import Tokens
from replog_node.web.problems import Handler
from replog_node.web.query import (
    LIMIT_MAX,
    PAGE_BYTES_MAX,
    TAIL_MAX,
    TIMEOUT_MAX_MS,
    WAIT_MAX_MS,
)
from replog_node.web.records_in import APPEND_TYPES
from replog_node.web.records_out import READ_TYPES
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import client_listener, peer_listener, settings_of

TEXT = Path("docs/api.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, until the next one."""
    (found,) = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", TEXT, re.M | re.S)
    return str(found)


def rows(title: str) -> list[list[str]]:
    """The cells of the lines of a section's tables, without their heads."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = {at for at, line in enumerate(lines[1:]) if line.startswith("|---")}
    return [row for at, row in enumerate(cells) if at not in heads and at - 1 not in heads]


def documented(title: str) -> set[tuple[str, str, str, bool]]:
    """(method, path, permission, bounded) as the document has them."""
    found = set()
    for method, path, *_, permission in rows(title):
        bare, mark = path.replace("†", "").strip(" `"), "†" in path
        found.add((method, bare, permission, not mark))
    return found


def served(app: web.Application) -> set[tuple[str, str, str, bool]]:
    """The same as the application has them; the router must have no others."""
    routes = app[ROUTES]
    routed = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routed == {(route.method, route.path) for route in routes}
    return {
        (row.method, row.path, row.permission.value if row.permission else "open", row.bounded)
        for row in routes
    }


async def _handler(_request: web.Request) -> web.Response:
    return web.Response()


@pytest.mark.asyncio
async def test_the_tables_are_the_routes_that_are_served() -> None:
    settings = settings_of()
    sockets: dict[str, Handler] = {"/v1/peer/control": _handler, "/v1/peer/bulk": _handler}
    client = client_app(MemoryService(), settings, NodeMetrics())
    peer = peer_app(MemoryService(), settings, NodeMetrics(), peer_handlers=sockets)

    assert documented("Client listener") == served(client)
    assert documented("Peer listener") == served(peer)


def test_each_code_stands_with_its_own_status() -> None:
    statuses = {row.code: row.status for row in ERRORS}
    named = set()
    for line in TEXT.splitlines():
        found = re.match(r"\| (\d{3}) \| ((?:`\w+`(?:, )?)+) \|", line)
        if found:
            for code in re.findall(r"\w+", found[2]):
                assert statuses[code] == int(found[1]), line
                named.add(code)
    prose = set(re.findall(r"\b[45]\d\d `(\w+)`", TEXT))

    assert named | prose == set(statuses)


def test_bodies_and_answers_are_structs_that_exist() -> None:
    for title in ("Client listener", "Peer listener"):
        for _, _, _, body, answer, _ in rows(title):
            for name in re.findall(r"`([A-Z]\w+)`", f"{body} {answer}"):
                assert hasattr(schemas, name) or hasattr(recovery, name)


def test_the_types_of_appends_and_reads_are_all_there() -> None:
    appended = {row[0].strip("`") for row in rows("POST /v1/records") if "/" in row[0]}
    read = {
        row[0].split()[0].strip("`") for row in rows("GET /v1/records") if "application/" in row[0]
    }

    assert appended == set(APPEND_TYPES)
    assert read == set(READ_TYPES)


def test_numbers_are_those_of_the_code() -> None:
    for number in (
        f"1…{LIMIT_MAX} records",
        f"1…{PAGE_BYTES_MAX} bytes",
        f"0…{WAIT_MAX_MS}",
        f"up to {TAIL_MAX}",
    ):
        assert number in section("GET /v1/records")
    assert f"1…{TIMEOUT_MAX_MS}" in section("Time limits")
    for bound in (f"{LINE_BYTES_MAX} bytes", f"| {HEADERS_MAX} |", f"{KEEPALIVE_S:g} s"):
        assert bound in section("Bounds")


def test_bounds_name_settings_that_exist() -> None:
    for _, bound, _ in rows("Bounds"):
        for name in re.findall(r"`(\w+)`", bound):
            assert hasattr(Settings(), name)


@pytest.mark.asyncio
async def test_the_openapi_documents_are_the_routes_that_are_served() -> None:
    sockets: dict[str, Handler] = {"/v1/peer/control": _handler, "/v1/peer/bulk": _handler}
    listeners = {
        "Client listener": client_listener(MemoryService()),
        "Peer listener": peer_listener(MemoryService(), peer_handlers=sockets),
    }
    for title, listener in listeners.items():
        async with listener as client:
            found = await (await client.get("/v1/openapi.json")).json()
        described = {
            (method.upper(), path, _permission(operation))
            for path, item in found["paths"].items()
            for method, operation in item.items()
        }
        assert found["openapi"] == "3.1.0"
        assert described == {(method, path, who) for method, path, who, _ in documented(title)}


def _permission(operation: dict[str, Any]) -> str:
    """The permission that an operation asks for."""
    return str(operation["security"][0]["token"][0]) if "security" in operation else "open"


@pytest.mark.asyncio
async def test_each_reference_of_an_openapi_document_leads_somewhere() -> None:
    async with client_listener(MemoryService()) as client:
        text = await (await client.get("/v1/openapi.json")).text()
    found = json.loads(text)
    for reference in re.findall(r'"\$ref": ?"#/([^"]+)"', text):
        place = found
        for name in reference.split("/"):
            place = place[name]
        assert place


def test_no_operation_is_described_that_is_not_served() -> None:
    served_labels = {
        f"{method} {path}"
        for title in ("Client listener", "Peer listener")
        for method, path, _, _ in documented(title)
    }

    assert set(OPERATIONS) == served_labels


@pytest.mark.asyncio
@pytest.mark.parametrize("asked", [True, False])
async def test_the_description_says_whether_a_token_is_asked_for(asked: bool) -> None:
    tokens = Tokens((), "secret") if asked else None
    async with client_listener(MemoryService(), tokens=tokens) as client:
        found = await (await client.get("/v1/openapi.json")).json()
    security = found["paths"]["/v1/log"]["get"]["security"]
    assert ({} in security) == (not asked)
