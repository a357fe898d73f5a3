"""Bounded reads and reads from a time on, by real members."""

import time
from pathlib import Path

import pytest

from tests.support.processes import Cluster, Node, Refused, ask, cluster, eventually

GAP_S = 0.4
SOON_MS = 200
"""Long enough for an append, short enough for none to follow."""

OCTETS = {"Content-Type": "application/octet-stream"}


def read(node: Node, query: str) -> list[str]:
    """The values that a member serves."""
    page = ask("GET", node.client, f"/v1/records?{query}")
    return [record["value"] for record in page["records"]]


def test_a_member_that_hears_nobody_serves_bounded_reads_for_so_long_and_no_longer(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path) as three:
        three.found()
        leader = three.leader()
        ask("POST", leader.client, "/v1/records", b"a", headers=OCTETS)
        follower = next(node for node in three.nodes if node is not leader)
        eventually("it is there", lambda: read(follower, "consistency=bounded:300ms") or None)
        for node in three.nodes:
            if node is not follower:
                node.kill()
        began = time.monotonic()
        assert read(follower, "consistency=bounded:600000ms") == ["a"]
        with pytest.raises(Refused) as found:
            _read_on(follower, "consistency=bounded:300ms", until=began + 10)
        assert (found.value.status, found.value.code) == (412, "read_too_stale")
        assert time.monotonic() - began < 5
        assert read(follower, "consistency=local") == ["a"]


def _read_on(node: Node, query: str, *, until: float) -> None:
    while time.monotonic() < until:
        read(node, query)


def test_a_read_from_a_time_begins_there_at_every_member(tmp_path: Path) -> None:
    with cluster(tmp_path) as three:
        three.found()
        for value in (b"a", b"b", b"c"):
            ask("POST", three.leader().client, "/v1/records", value, headers=OCTETS)
            time.sleep(GAP_S)
        times = _times(three)
        for node in three.nodes:
            assert read(node, f"from=time:{times[1]}") == ["b", "c"]
            assert read(node, f"from=time:{times[1] + SOON_MS}") == ["c"]
            assert read(node, f"from=time:{times[2] + SOON_MS}") == []
            assert read(node, "from=time:0") == ["a", "b", "c"]


def _times(three: Cluster) -> list[int]:
    """When the three were appended, by log time: the records' own is the node's moment, too."""
    page = ask("GET", three.leader().client, "/v1/records")
    stamps = [record["timestamp_ms"] for record in page["records"]]
    assert stamps == sorted(set(stamps))
    return [int(stamp) for stamp in stamps]
