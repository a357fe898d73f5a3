"""The flight recorder of real processes: asked for, and left behind by one that failed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from replog_node.adapters.hello import encode_hello
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId, Offset, Term
from replog_node.raft.messages import Envelope, Heartbeat, Incarnation
from tests.integration.load import OCTETS
from tests.integration.strangers import PIECE, lineage_of, say, stranger
from tests.integration.supervised import REPLOG
from tests.support.processes import Cluster, Node, ask, cluster

SECRET = b"nobody's business"


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Cluster]:
    """Three members with a record."""
    with cluster(tmp_path) as made:
        made.found()
        ask("POST", made.leader().client, "/v1/records", SECRET, headers=OCTETS)
        yield made


def _replog(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([REPLOG, *arguments], capture_output=True, timeout=60, check=False)


def _replay(path: Path) -> list[str]:
    """The lines of a replay, in which nothing differs."""
    done = _replog("debug", "replay", str(path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[-1] == f"{len(lines) - 1} steps, outputs identical"
    return lines


def test_each_member_tells_what_it_did_and_it_is_done_again(three: Cluster, tmp_path: Path) -> None:
    for number, node in enumerate(three.nodes):
        given = ("--endpoint", node.client, "--member", node.member()[:13])
        done = _replog("debug", "flight", *given)
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout
        path = tmp_path / f"{number}.flight"
        path.write_bytes(done.stdout)
        assert len(_replay(path)) > 20


def _usurp(node: Node, cluster_id: str) -> None:
    """Speak to a leader as another leader of its term, which no member of ours would."""
    hello = stranger(node, cluster_id, lineage_of(node))
    heartbeat = Heartbeat(Term(node.status()["term"]), Offset(0), 1, 0)
    run = Incarnation(1, 1)
    message = encode(Envelope(hello.sender, MemberId(node.member()), run, None, heartbeat))
    try:
        say(node, encode_hello(hello), PIECE.pack(0, len(message)) + message)
    except (TimeoutError, aiohttp.ClientError):
        return  # it ended before it hung up


def test_a_member_that_ends_by_a_violation_leaves_what_led_to_it(three: Cluster) -> None:
    leader = three.leader()
    _usurp(leader, three.cluster_id)
    assert leader.wait() == 1
    (path,) = leader.directory.glob("flight-*.bin")
    assert " flight_kept " in leader.said() and f"file={path}" in leader.said()
    last = _replay(path)[-2]
    assert "Heartbeat" in last and "ends: InvariantViolation: " in last and "both lead" in last
    leader.start()
    three.settled()
    leader.kill()
    assert path.exists()
    checked = _replog("verify", "--data-dir", str(leader.directory))
    assert checked.returncode == 0, checked.stdout
