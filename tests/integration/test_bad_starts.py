"""A node that must not start says why, in a sentence, with the exit code that says whose fault."""

import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct

import pytest
from google_crc32c import value as crc32c

from tests.integration.load import OCTETS
from tests.support.processes import REAL, Cluster, Node, ask, call, cluster, eventually, free_ports

SETTINGS, DATA, ADDRESS = 2, 3, 4
"""Exit codes (replog_node.app)."""

_PREFIX = Struct(">4sHHI")
_CHECKSUM = Struct(">I")


def _refuses(node: Node, code: int, *more: str) -> str:
    """Start a node that must end by itself; what it said."""
    node.log.unlink(missing_ok=True)
    node.start(*more)
    try:
        assert node.wait(45) == code, node.said()
    finally:
        node.kill()
    return node.said()


def _with_format(data: bytes, version: int) -> bytes:
    """The enveloped file with another format version, and the right checksum for it."""
    kind, _, zero, length = _PREFIX.unpack_from(data)
    prefix = _PREFIX.pack(kind, version, zero, length)
    body = data[16 : 16 + length]
    return prefix + _CHECKSUM.pack(crc32c(prefix + body)) + data[16:]


def _contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a member that led alone, took records and was stopped properly."""
    one = Cluster(tmp_path_factory.mktemp("founded"), 1)
    node = one.nodes[0]
    try:
        one.found()
        for number in range(5):
            ask("POST", node.client, "/v1/records", f"record {number}".encode(), headers=OCTETS)
        node.signal(signal.SIGTERM)
        assert node.wait() == 0
    finally:
        one.close()
    return node.directory


@pytest.fixture
def node(founded: Path, tmp_path: Path) -> Iterator[Node]:
    """A node with a copy of that directory; it is not started."""
    made = Node(tmp_path / "member", REAL, {})
    shutil.copytree(founded, made.directory)
    yield made
    made.kill()


@pytest.fixture
def new_node(tmp_path: Path) -> Iterator[Node]:
    """A node without any data; it is not started."""
    made = Node(tmp_path / "member", REAL, {})
    yield made
    made.kill()


def _newest_segment(node: Node) -> Path:
    """The segment with the records: the last one that was begun."""
    return max(node.directory.glob("*.seg"), key=lambda path: path.name.split(".")[1])


def _segment(node: Node) -> Path:
    return _newest_segment(node)


def _identity(node: Node) -> Path:
    return node.directory / "identity"


def _votes(node: Node) -> Path:
    return node.directory / "hardstate.a"


@pytest.mark.parametrize("file", [_identity, _segment, _votes])
def test_a_file_of_a_newer_format_is_refused_by_name_and_left_as_it_is(
    node: Node, file: Callable[[Node], Path]
) -> None:
    path = file(node)
    path.write_bytes(_with_format(path.read_bytes(), 2))
    before = _contents(node.directory)
    said = _refuses(node, DATA)
    assert f"{path.name} has format 2, this build knows 1" in said
    assert _contents(node.directory) == before


def test_one_flipped_bit_in_what_was_durable_is_never_served_and_told_with_its_place(
    node: Node,
) -> None:
    segment = _newest_segment(node)
    data = bytearray(segment.read_bytes())
    data[data.index(b"record 2") + 3] ^= 1
    segment.write_bytes(data)
    node.start()
    waits = eventually(
        "nobody can give back what it lost",
        lambda: [
            w for w in ask("GET", node.peer, "/v1/why")["waits"] if w["code"] == "UnfillableHole"
        ],
    )
    assert segment.name in waits[0]["evidence"]
    status, content, _ = call("GET", node.client, "/v1/records?consistency=local")
    assert b"record 2" not in content and b"recor" not in content.replace(b"records", b""), status
    assert segment.read_bytes() == bytes(data)


def test_with_both_copies_of_term_and_vote_damaged_it_refuses_and_with_one_it_starts(
    node: Node,
) -> None:
    first, second = node.directory / "hardstate.a", node.directory / "hardstate.b"
    sound = first.read_bytes()
    first.write_bytes(b"\xff" * len(sound))
    node.start()
    node.member()
    assert node.status()["term"] >= 1
    node.kill()
    for path in (first, second):
        path.write_bytes(b"\xff" * len(sound))
    before = _contents(node.directory)
    said = _refuses(node, DATA)
    assert "hardstate" in said
    assert "replace member" in said
    assert _contents(node.directory) == before


def test_wrong_settings_are_all_listed_at_once(new_node: Node) -> None:
    new_node.env["REPLOG_TICK_MS"] = "soon"
    said = _refuses(
        new_node, SETTINGS,
        "--heartbeat-ms", "0", "--body-byte-max", "1", "--log-level", "loud",
        "--seed-peer", "nowhere",
    )  # fmt: skip
    for part in ("REPLOG_TICK_MS", "--heartbeat-ms", "did you mean --body-bytes-max",
                 "--log-level", "'nowhere' is not host:port"):  # fmt: skip
        assert part in said, said
    assert len(said.splitlines()) >= 5
    assert not new_node.directory.exists()


@pytest.mark.parametrize("listener", ["client", "peer"])
def test_an_open_listener_beyond_loopback_is_refused_unless_asked_for(
    new_node: Node, listener: str
) -> None:
    port = free_ports(1)[0]
    reached = f"127.0.0.1:{port}"
    new_node.env[f"REPLOG_ADVERTISE_{listener.upper()}_ADDRESS"] = reached
    setattr(new_node, listener, f"0.0.0.0:{port}")
    said = _refuses(new_node, SETTINGS)
    assert f"{listener}_address: 0.0.0.0 is not loopback: give token_file, or insecure" in said
    new_node.start("--insecure")
    eventually("it answers", lambda: ask("GET", reached, "/livez"))


def test_a_data_directory_that_is_in_use_is_refused_and_its_owner_goes_on(tmp_path: Path) -> None:
    with cluster(tmp_path, 1) as one:
        one.found()
        owner = one.nodes[0]
        second = Node(tmp_path / "second", REAL, {})
        second.directory = owner.directory
        said = _refuses(second, DATA)
        assert f"{owner.directory}" in said and "another process" in said
        assert owner.status()["admitting"]


@pytest.mark.parametrize("listener", ["client", "peer"])
def test_a_port_that_is_in_use_is_refused_and_the_data_stays_usable(
    node: Node, listener: str
) -> None:
    host, _, port = getattr(node, listener).partition(":")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, int(port)))
        other.listen()
        said = _refuses(node, ADDRESS)
        assert "address_unusable" in said and port in said
    node.start()
    assert node.member()


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    node = Node(tmp_path / "file" / "member", REAL, {})
    node.log = tmp_path / "log"
    said = _refuses(node, DATA)
    assert "data_unusable" in said and os.fspath(node.directory) in said
