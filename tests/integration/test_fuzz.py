"""Every call of both listeners with what its description allows, and with what it doesn't.

Three real members answer. Whatever comes, the answer is one that the description names, a refusal
has its row in the table of codes, none is a fault of ours, and the cluster goes on.
"""

import http.client
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replog.wire.codes import row
from replog_node.settings import split_address
from tests.support.from_schema import values
from tests.support.processes import Cluster, ask, cluster, eventually

EXAMPLES = int(os.environ.get("REPLOGTEST_FUZZ", "60"))
WAIT_MS_MAX = 20
"""Waits are not what is looked for here."""

OCTETS = {"Content-Type": "application/octet-stream"}
ENDLESS = "text/event-stream"
JUNK = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


class Call(NamedTuple):
    """One request, and whether its query is as described."""

    target: str
    headers: dict[str, str]
    body: bytes | None
    sound: bool


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three members that serve."""
    with cluster(Path(tmp_path_factory.mktemp("fuzz"))) as found:
        found.found()
        yield found


@pytest.fixture(scope="module")
def fenced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A member that an operation holds, which no call here names."""
    with cluster(Path(tmp_path_factory.mktemp("fenced")), 1) as found:
        found.found()
        ask("POST", found.nodes[0].peer, "/v1/cluster:fence", {"operation": "held by the test"})
        yield found


FENCING = ("/v1/cluster:fence", "/v1/cluster:unfence", "/v1/cluster:force-members")
"""A call of these would keep a member from the others' calls."""

OPERATIONS = (
    ("client", "POST", "/v1/records"),
    ("client", "GET", "/v1/records"),
    ("client", "GET", "/v1/records:tail"),
    ("client", "GET", "/v1/records:session"),
    ("client", "GET", "/v1/log"),
    ("client", "POST", "/v1/producers"),
    ("client", "POST", "/v1/producers/{id}:resolve"),
    ("client", "GET", "/v1/cluster"),
    ("client", "GET", "/v1/why"),
    ("client", "GET", "/v1/cluster/members/{id}:may-stop"),
    ("client", "GET", "/livez"),
    ("client", "GET", "/readyz"),
    ("client", "GET", "/metrics"),
    ("client", "GET", "/v1/openapi.json"),
    ("peer", "POST", "/v1/cluster:bootstrap"),
    ("peer", "POST", "/v1/cluster:target"),
    ("peer", "POST", "/v1/cluster:transfer"),
    ("peer", "POST", "/v1/cluster:raise-feature-level"),
    ("peer", "POST", "/v1/log:trim"),
    ("peer", "POST", "/v1/log:snapshot"),
    ("peer", "POST", "/v1/cluster:acknowledge-clock"),
    ("peer", "POST", "/v1/cluster:fence"),
    ("peer", "POST", "/v1/cluster:unfence"),
    ("peer", "POST", "/v1/cluster:force-members"),
    ("peer", "GET", "/v1/cluster/survey"),
    ("peer", "GET", "/v1/debug/flight"),
    ("peer", "GET", "/v1/cluster"),
    ("peer", "GET", "/v1/why"),
    ("peer", "GET", "/v1/cluster/members/{id}:may-stop"),
    ("peer", "GET", "/livez"),
    ("peer", "GET", "/v1/openapi.json"),
    ("peer", "GET", "/v1/peer/control"),
    ("peer", "GET", "/v1/peer/bulk"),
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("listener", "method", "path"), OPERATIONS)
def test_a_call_of_any_form_is_answered_as_described(
    three: Cluster, fenced: Cluster, listener: str, method: str, path: str
) -> None:
    nodes = fenced.nodes if path in FENCING else three.nodes
    address = getattr(nodes[len(path) % len(nodes)], listener)
    document = ask("GET", address, "/v1/openapi.json")
    operation = document["paths"][path][method.lower()]
    endpoint = split_address(address)
    assert endpoint is not None
    connection = http.client.HTTPConnection(*endpoint, timeout=15)

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(_calls(path, operation, document))
    def run(call: Call) -> None:
        connection.request(method, call.target, call.body, call.headers)
        response = connection.getresponse()
        _check(call, response, response.read(), operation)
        if response.will_close:
            connection.close()

    try:
        run()
    finally:
        connection.close()


def test_all_operations_that_are_described_are_called(three: Cluster) -> None:
    described = set()
    for listener in ("client", "peer"):
        document = ask("GET", getattr(three.nodes[0], listener), "/v1/openapi.json")
        for path, item in document["paths"].items():
            described |= {(listener, method.upper(), path) for method in item}

    assert described == set(OPERATIONS)


def test_after_all_that_the_cluster_goes_on(three: Cluster) -> None:
    assert all(node.alive for node in three.nodes)
    for node in three.nodes:
        assert ask("GET", node.client, "/livez") == {"ok": True}
        eventually("it takes a write", lambda node=node: _written(node.client))  # type: ignore[misc]
    three.settled()


def _written(address: str) -> bool:
    return bool(ask("POST", address, "/v1/records", b"v", headers=OCTETS)["count"])


def _check(
    call: Call, response: http.client.HTTPResponse, body: bytes, operation: dict[str, Any]
) -> None:
    kind = (response.headers["Content-Type"] or "").partition(";")[0]
    if response.status == 200:
        content = operation["responses"]["200"]["content"]
        assert kind in content, (call, kind)
        if kind == "application/json":
            json.loads(body)
        return
    assert kind == "application/problem+json", (call, response.status, body)
    found = json.loads(body)
    assert found["status"] == response.status == row(found["code"]).status, call
    assert found["code"] != "internal", (call, found)
    if call.sound:
        assert found["code"] not in ("parameter_unknown", "parameter_invalid"), (call, found)


@st.composite
def _calls(draw: st.DrawFn, path: str, operation: dict[str, Any], document: dict[str, Any]) -> Call:
    """A request: each part as described, left out, or anything."""
    found: dict[str, dict[str, str]] = {"query": {}, "header": {}, "path": {}}
    sound = True
    for reference in operation.get("parameters", ()):
        parameter = _parameter(document, reference["$ref"])
        place, name = parameter["in"], parameter["name"]
        fits = draw(st.integers(0, 9)) > 0
        if place != "path" and draw(st.booleans()):
            continue
        text = str(draw(values(parameter["schema"], document) if fits else JUNK))
        sound = sound and (fits or place != "query")
        found[place][name] = str(int(text) % WAIT_MS_MAX) if name == "wait_ms" and fits else text
    if draw(st.integers(0, 19)) == 0:
        found["query"][draw(JUNK)] = draw(JUNK)
        sound = False
    headers = {name: text for name, text in found["header"].items() if text.isascii()}
    headers["Accept"] = draw(st.sampled_from([*_answers(operation), "*/*", "text/html"]))
    kind, body = draw(_bodies(operation, document))
    if kind is not None:
        headers["Content-Type"] = kind
    return Call(_target(path, found["path"], found["query"]), headers, body, sound)


def _target(path: str, parts: dict[str, str], query: dict[str, str]) -> str:
    for name, text in parts.items():
        path = path.replace(f"{{{name}}}", quote(text or "x", safe=""))
    return f"{path}?{urlencode(query)}" if query else path


def _parameter(document: dict[str, Any], reference: str) -> dict[str, Any]:
    return dict(document["components"]["parameters"][reference.rpartition("/")[2]])


def _answers(operation: dict[str, Any]) -> list[str]:
    content = operation["responses"].get("200", {}).get("content", {})
    return [kind for kind in content if kind != ENDLESS]


@st.composite
def _bodies(
    draw: st.DrawFn, operation: dict[str, Any], document: dict[str, Any]
) -> tuple[str | None, bytes | None]:
    """A body of a described type or another one, as described or anything."""
    content = operation.get("requestBody", {}).get("content", {})
    if not content or draw(st.integers(0, 9)) == 0:
        return None, draw(st.none() | st.just(b"") | st.binary(max_size=50)) if content else None
    kind = draw(st.sampled_from(sorted(content)))
    schema = content[kind].get("schema")
    if schema is None or draw(st.integers(0, 4)) == 0:
        body = draw(st.binary(max_size=200) | st.sampled_from([b"{}", b"[]", b"null", b"{", b"1"]))
    else:
        body = json.dumps(_harmless(operation, draw(values(schema, document)))).encode()
    return draw(st.sampled_from([kind, kind, kind, f"{kind}; charset=utf-8", "text/plain"])), body


def _harmless(operation: dict[str, Any], body: Any) -> Any:
    """What would take the cluster apart is only tried out."""
    if operation["operationId"] == "POST /v1/cluster:target":
        body["dry_run"] = True
    return body
