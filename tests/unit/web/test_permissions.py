"""Tokens: the file that names them, and which route asks for which permission."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from replog_node.settings_sources import SettingsFaults
from replog_node.web.permissions import Permission, Tokens, load_tokens
from replog_node.web.problems import Handler
from tests.unit.web.memory_service import MemoryService
from tests.unit.web.serving import Client, client_listener, peer_listener, problem, raw_refusal

READER, WRITER, ADMIN, PEER = (name * 8 for name in ("rd", "wr", "ad", "pe"))
ALL = {"read": READER, "write": WRITER, "admin": ADMIN, "peer": PEER}


def token_file(tmp_path: Path, text: str) -> str:
    """A token file."""
    path = tmp_path / "tokens.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """One token for each permission; the reader's is told by its digest only."""
    digest = hashlib.sha256(READER.encode()).hexdigest()
    items = [f"- token: {ALL[name]}\n  permissions: [{name}]\n" for name in ALL if name != "read"]
    hashed = f"- token_sha256: {digest}\n  permissions: [read]\n"
    return load_tokens(token_file(tmp_path, hashed + "".join(items)))


def bearer(token: str) -> dict[str, str]:
    """The header that presents a token."""
    return {"Authorization": f"Bearer {token}"}


async def met(_request: web.Request) -> web.Response:
    """Stands where the members' WebSockets are."""
    return web.Response(text="met")


CLIENT_ROUTES = [
    ("POST", "/v1/records", "write"),
    ("GET", "/v1/records", "read"),
    ("HEAD", "/v1/records", "read"),
    ("GET", "/v1/log", "read"),
    ("POST", "/v1/producers", "write"),
    ("GET", "/v1/cluster", "read"),
    ("GET", "/v1/why", "read"),
    ("GET", "/metrics", "read"),
]
PEER_ROUTES = [
    ("POST", "/v1/cluster:bootstrap", "admin"),
    ("POST", "/v1/cluster:target", "admin"),
    ("POST", "/v1/cluster:transfer", "admin"),
    ("POST", "/v1/cluster:raise-feature-level", "admin"),
    ("POST", "/v1/cluster:acknowledge-clock", "admin"),
    ("GET", "/v1/cluster", "admin"),
    ("GET", "/v1/why", "admin"),
    ("POST", "/v1/cluster:fence", "admin"),
    ("POST", "/v1/cluster:unfence", "admin"),
    ("POST", "/v1/cluster:force-members", "admin"),
    ("GET", "/v1/cluster/survey", "admin"),
    ("GET", "/v1/debug/flight", "admin"),
    ("GET", "/v1/peer/control", "peer"),
]


async def check_route(client: Client, method: str, path: str, permission: str) -> None:
    """None but the permission's own token opens the route."""
    statuses = {
        name: (await client.request(method, path, headers=bearer(token))).status
        for name, token in ALL.items()
    }
    allowed = statuses.pop(permission)
    assert set(statuses.values()) == {403}, (path, statuses)
    assert allowed not in (401, 403)
    for headers in ({}, bearer("x" * 16), {"Authorization": "Basic eDp5"}):
        response = await client.request(method, path, headers=headers)
        assert (response.status, response.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.asyncio
async def test_each_client_route_asks_for_its_permission(tokens: Tokens) -> None:
    service = MemoryService()
    async with client_listener(service, tokens=tokens) as client:
        for route in CLIENT_ROUTES:
            await check_route(client, *route)
        for path in ("/livez", "/readyz"):
            assert (await client.get(path)).status == 200


@pytest.mark.asyncio
async def test_each_peer_route_asks_for_its_permission(tokens: Tokens) -> None:
    handlers: dict[str, Handler] = {"/v1/peer/control": met}
    async with peer_listener(MemoryService(), tokens=tokens, peer_handlers=handlers) as client:
        for route in PEER_ROUTES:
            await check_route(client, *route)
        assert (await client.get("/livez")).status == 200


@pytest.mark.asyncio
async def test_a_refusal_names_what_is_missing_and_does_nothing(tokens: Tokens) -> None:
    service = MemoryService()
    octets = {"Content-Type": "application/octet-stream"}
    async with client_listener(service, tokens=tokens) as client:
        missing = await client.post("/v1/records", data=b"v", headers=octets)
        await problem(missing, 401, "unauthorized")
        unknown = await client.post("/v1/records", data=b"v", headers={**octets, **bearer("no")})
        await problem(unknown, 401, "unauthorized")
        lacking = await client.post("/v1/records", data=b"v", headers={**octets, **bearer(READER)})
        found = await problem(lacking, 403, "forbidden")
        taken = await client.post("/v1/records", data=b"v", headers={**octets, **bearer(WRITER)})

    assert (found["permission"], found["outcome"]) == ("write", "none")
    assert (taken.status, len(service.appends)) == (200, 1)


@pytest.mark.asyncio
async def test_a_caller_without_a_token_is_not_told_to_send_its_body(tokens: Tokens) -> None:
    head = (
        b"POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    )
    async with client_listener(MemoryService(), tokens=tokens) as client:
        status, headers, found = await raw_refusal(client, head)

    assert (status, found["code"], headers["www-authenticate"]) == (401, "unauthorized", "Bearer")


@pytest.mark.asyncio
async def test_without_tokens_a_listener_is_open() -> None:
    async with client_listener(MemoryService()) as client:
        assert (await client.get("/v1/log")).status == 200
        assert (await client.get("/v1/log", headers=bearer("whatever"))).status == 200


def test_a_token_is_known_by_its_digest_alone(tokens: Tokens) -> None:
    assert tokens.permissions_of(READER) == frozenset({Permission.READ})
    assert tokens.permissions_of(PEER) == frozenset({Permission.PEER})
    assert [tokens.permissions_of(text) for text in ("", READER[:-1], READER + "x", "é\udcff")] == (
        [None] * 4
    )
    assert tokens.peer_token == PEER
    assert READER not in repr(tokens)


def test_several_permissions_can_go_with_one_token(tmp_path: Path) -> None:
    path = token_file(tmp_path, f"- {{token: {PEER}, permissions: [peer, read]}}\n")

    assert load_tokens(path).permissions_of(PEER) == frozenset({Permission.PEER, Permission.READ})


def test_all_faults_of_a_token_file_are_told_at_once_and_no_token_is(tmp_path: Path) -> None:
    path = token_file(
        tmp_path,
        """
- {token: short, permissions: [read]}
- {token: "has a blank in it", permissions: [read]}
- {token_sha256: abc, permissions: [read]}
- {permissions: [read]}
- {token: aaaaaaaaaaaaaaaa, token_sha256: abc, permissions: [read]}
- {token: bbbbbbbbbbbbbbbb, permissions: [raed]}
- {token: cccccccccccccccc, permissions: []}
- {token: dddddddddddddddd, permissions: [read], role: king}
- just text
""",
    )

    with pytest.raises(SettingsFaults) as caught:
        load_tokens(path)

    form = "not 16…512 printable characters without blanks"
    permissions = "permissions: not a list of read, write, admin, peer"
    no_peer = "no item has a plain token with the permission peer, which members need to meet"
    assert list(caught.value.faults) == [
        f"{path}: {fault}"
        for fault in (
            f"item 1: token: {form}",
            f"item 2: token: {form}",
            "item 3: token_sha256: not 64 hex digits",
            "item 4: give either token or token_sha256",
            "item 5: give either token or token_sha256",
            f"item 6: {permissions}",
            f"item 7: {permissions}",
            "item 8: unknown: role",
            "item 9: not a mapping",
            no_peer,
        )
    ]
    assert "aaaa" not in str(caught.value) and "dddd" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "a: 1", "[]", "- [", "- {}\n" * 257, "- " + "x" * 300_000, "- {token: '\x00'}"]
)
def test_a_file_that_is_no_list_of_tokens_is_a_fault(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsFaults) as caught:
        load_tokens(token_file(tmp_path, text))

    assert len(caught.value.faults) == 1


def test_a_file_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsFaults, match="No such file"):
        load_tokens(str(tmp_path / "none"))


def test_a_key_of_the_wrong_kind_is_a_fault_like_others(tmp_path: Path) -> None:
    bad: list[Any] = ["1", "[peer, [x]]", "{a: b}", "peer"]
    for permissions in bad:
        path = token_file(tmp_path, f"- {{token: {PEER}, permissions: {permissions}}}\n")
        with pytest.raises(SettingsFaults):
            load_tokens(path)
