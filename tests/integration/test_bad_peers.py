"""Peers and administrators that must not be obeyed, each with what it is told; then tokens.

The peers speak WebSocket by hand, with the real hello (docs/wire-format.md).
"""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replog_node.adapters.hello import Hello, encode_hello
from replog_node.model.positions import Lineage, MemberId
from tests.integration.load import OCTETS
from tests.integration.strangers import PATHS, PIECE, lineage_of, say, stranger
from tests.support.processes import (
    REAL,
    Cluster,
    Node,
    Refused,
    ask,
    call,
    cluster,
    eventually,
)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster of one, for all tests that leave it as it was."""
    with cluster(tmp_path_factory.mktemp("one"), 1) as made:
        made.found()
        yield made


def _goes_on(node: Node) -> None:
    """It leads, takes records, and hasn't been restarted."""
    assert node.alive
    ask("POST", node.client, "/v1/records", b"on", headers=OCTETS)
    assert node.status()["state"] == "member"


def _refused(node: Node, hello: Hello) -> str:
    """The code with which a hello is refused, on both paths; then the node hangs up."""
    codes = set()
    for path in PATHS:
        said = say(node, encode_hello(hello), path=path)
        assert said.answer is not None and said.hung_up
        assert said.answer.detail
        codes.add(said.answer.refusal)
    (code,) = codes
    eventually("the log tells of it", lambda: f"code={code}" in node.said())
    return code


def test_a_peer_of_another_cluster_is_refused(one: Cluster) -> None:
    node = one.nodes[0]
    hello = stranger(node, str(uuid.uuid4()), lineage_of(node))
    assert _refused(node, hello) == "other_cluster"
    _goes_on(node)


def test_a_peer_of_another_life_that_is_not_newer_is_refused(one: Cluster) -> None:
    node = one.nodes[0]
    number = lineage_of(node).number
    for other in (number - 1, number):
        hello = stranger(node, one.cluster_id, Lineage(other, "another"))
        assert _refused(node, hello) == "other_lineage"
    _goes_on(node)


def test_a_peer_of_a_newer_life_of_the_log_is_refused_and_fences_the_member(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, 1) as fresh:
        fresh.found()
        node = fresh.nodes[0]
        newer = Lineage(lineage_of(node).number + 1, "newer")
        assert _refused(node, stranger(node, fresh.cluster_id, newer)) == "other_lineage"
        assert node.status()["state"] == "fenced"
        for method, path, body in (("POST", "/v1/records", b"no"), ("GET", "/v1/records", None)):
            with pytest.raises(Refused) as refused:
                ask(method, node.client, path, body, headers=OCTETS if body else {})
            assert (refused.value.status, refused.value.code) == (503, "fenced")


def test_a_peer_without_a_common_protocol_is_refused_and_one_with_some_is_not(
    one: Cluster,
) -> None:
    node = one.nodes[0]
    hello = stranger(node, one.cluster_id, lineage_of(node))
    newer = msgspec.structs.replace(hello, protocol_min=2, protocol_max=3)
    assert _refused(node, newer) == "protocol_unsupported"
    wider = msgspec.structs.replace(hello, protocol_min=1, protocol_max=3)
    said = say(node, encode_hello(wider))
    assert said.answer is not None and (said.answer.refusal, said.answer.protocol) == ("", 1)
    assert not said.hung_up


def test_a_peer_that_wants_another_member_is_refused(one: Cluster) -> None:
    node = one.nodes[0]
    wants = stranger(node, one.cluster_id, lineage_of(node), to=MemberId("somebody-else"))
    assert _refused(node, wants) == "unknown_member"
    itself = stranger(node, one.cluster_id, lineage_of(node), sender=MemberId(node.member()))
    assert _refused(node, itself) == "unknown_member"


@pytest.mark.parametrize("path", PATHS)
def test_garbage_ends_the_connection_and_nothing_else(one: Cluster, path: str) -> None:
    node = one.nodes[0]
    term = node.status()["term"]
    hello = encode_hello(stranger(node, one.cluster_id, lineage_of(node)))
    version_9 = hello[:2] + b"\0\x09" + hello[4:]
    for first in (b"", b"\0", b"GET / HTTP/1.1", bytes(8), hello[:-1], version_9, bytes(9000)):
        said = say(node, first, path=path)
        assert said.answer is None and said.hung_up, first[:20]
    unknown = bytes.fromhex("ffff000100000001") + b"\x80"
    for packet in (b"\xff", PIECE.pack(0, 99) + b"x", PIECE.pack(1, 0),
                   PIECE.pack(0, len(unknown)) + unknown, bytes(1_048_577)):  # fmt: skip
        said = say(node, hello, packet, path=path)
        assert said.answer is not None and not said.answer.refusal
        assert said.hung_up, packet[:20]
    _goes_on(node)
    assert node.status()["term"] == term


def test_founding_twice_is_harmless_and_founding_over_data_is_refused(one: Cluster) -> None:
    node = one.nodes[0]
    request = {"cluster_id": one.cluster_id, "operation": "found"}
    first = ask("POST", node.peer, "/v1/cluster:bootstrap", request)
    assert first["done"] and ask("POST", node.peer, "/v1/cluster:bootstrap", request) == first
    for other in (
        {"cluster_id": str(uuid.uuid4()), "operation": "found"},
        {"cluster_id": one.cluster_id, "operation": "again"},
    ):
        with pytest.raises(Refused) as refused:
            ask("POST", node.peer, "/v1/cluster:bootstrap", other)
        assert (refused.value.status, refused.value.code) == (409, "already_bootstrapped")
    _goes_on(node)


TOKENS = """
- token: readers-own-secret-0001
  permissions: [read]
- token: writers-own-secret-0001
  permissions: [write]
- token: members-own-secret-0001
  permissions: [peer]
- token: operators-secret-00001
  permissions: [admin]
"""
READER, WRITER, MEMBER, OPERATOR = (
    {"Authorization": f"Bearer {token}"}
    for token in (
        "readers-own-secret-0001", "writers-own-secret-0001",
        "members-own-secret-0001", "operators-secret-00001",
    )
)  # fmt: skip


def _code(method: str, address: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    status, content, answered = call(
        method, address, path, b"value" if method == "POST" else None, headers=headers
    )
    if status == 401:
        assert answered["www-authenticate"].startswith("Bearer")
    return status, str(msgspec.json.decode(content).get("code", ""))


def _check_doors(node: Node) -> None:
    """Every listener wants a token, and the right one."""
    stranger = {"Authorization": "Bearer nobodys-own-secret-0001"}
    admin = "/v1/cluster:transfer"
    for method, address, path, wrong in (
        ("POST", node.client, "/v1/records", READER),
        ("GET", node.client, "/v1/records", WRITER),
        ("GET", node.client, "/v1/cluster", OPERATOR),
        ("GET", node.client, "/metrics", MEMBER),
        ("GET", node.peer, "/v1/cluster", READER),
        ("POST", node.peer, admin, MEMBER),
        ("GET", node.peer, PATHS[0], OPERATOR),
        ("GET", node.peer, PATHS[1], READER),
    ):
        kind = OCTETS if method == "POST" and path != admin else {}
        assert _code(method, address, path, kind) == (401, "unauthorized"), path
        assert _code(method, address, path, {**kind, **stranger}) == (401, "unauthorized"), path
        assert _code(method, address, path, {**kind, **wrong}) == (403, "forbidden"), path
    for address in (node.client, node.peer):
        assert _code("GET", address, "/livez", {}) == (200, "")


def _three_with_tokens(directory: Path) -> list[Node]:
    tokens = directory / "tokens.yaml"
    tokens.write_text(TOKENS)
    made = [
        Node(directory / f"member-{number}", REAL, {"REPLOG_TOKEN_FILE": str(tokens)})
        for number in range(3)
    ]
    for node in made:
        node.start()
    return made


def _found_with_token(nodes: list[Node]) -> None:
    def status(node: Node) -> Any:
        return ask("GET", node.peer, "/v1/cluster", headers=OPERATOR)

    members = [
        {"id": eventually("it answers", lambda n=node: status(n))["member"], "address": node.peer}  # type: ignore[misc]
        for node in nodes
    ]
    founding = {"cluster_id": str(uuid.uuid4()), "operation": "found"}
    ask("POST", nodes[0].peer, "/v1/cluster:bootstrap", founding, headers=OPERATOR)
    target = {"members": members, "operation": "three", "planned_from": 1}
    eventually(
        "the target is taken",
        lambda: ask("POST", nodes[0].peer, "/v1/cluster:target", target, headers=OPERATOR),
    )
    eventually("three voters", lambda: (status(nodes[2])["target"] or {}).get("reached"))


def test_members_with_a_token_file_work_together_and_let_nobody_else_in(tmp_path: Path) -> None:
    nodes = _three_with_tokens(tmp_path)
    try:
        _found_with_token(nodes)
        for node in nodes:  # also forwarded, and read from each
            ask("POST", node.client, "/v1/records", b"value", headers={**OCTETS, **WRITER})
        for node in nodes:
            page = ask("GET", node.client, "/v1/records", headers=READER)
            assert [record["value"] for record in page["records"]] == ["value"] * 3
        for node in nodes[:2]:
            _check_doors(node)
    finally:
        for node in nodes:
            node.kill()


def test_a_token_file_with_faults_is_refused_with_all_of_them_and_no_secret(
    tmp_path: Path,
) -> None:
    tokens = tmp_path / "tokens.yaml"
    tokens.write_text("- token: short\n  permissions: [rule]\n- permissions: [read]\n")
    node = Node(tmp_path / "member", REAL, {"REPLOG_TOKEN_FILE": str(tokens)})
    node.start()
    try:
        assert node.wait(45) == 2
    finally:
        node.kill()
    said = node.said()
    for part in ("item 1: token:", "item 1: permissions:", "item 2: give either", "peer"):
        assert part in said, said
    assert "short" not in said
