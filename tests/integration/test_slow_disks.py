"""A disk that hangs for seconds: if it is the leader's alone another one leads, else nobody new."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from replog_node.adapters.service import HANGS
from tests.integration.load import Load, check_everything
from tests.integration.test_failover import DEFAULTS
from tests.support.processes import Cluster, Node, ask, cluster, eventually
from tests.support.stalling_node import stall_file

STALLING = ("-m", "tests.support.stalling_node")
ANOTHER_LEADS_S = 2.0
STALL_S = 6.0
STALLS = 3


@contextmanager
def stalled(nodes: Sequence[Node]) -> Iterator[None]:
    """The disks of these hang within the block."""
    files = [stall_file(node.directory) for node in nodes]
    for file in files:
        file.touch()
    try:
        yield
    finally:
        for file in files:
            file.unlink()


def waits(node: Node) -> dict[str, str]:
    """What a member waits for: code -> evidence."""
    return {w["code"]: w["evidence"] for w in ask("GET", node.client, "/v1/why")["waits"]}


def leading(nodes: Sequence[Node]) -> Node | None:
    """Who of these leads and takes appends."""
    for node in nodes:
        status = node.status()
        if status["role"] == "leader" and status["admitting"]:
            return node
    return None


def terms(three: Cluster) -> set[tuple[int, str]]:
    """Every member's term and leader."""
    found = [node.status() for node in three.nodes]
    return {(status["term"], status["leader"]) for status in found}


@pytest.mark.timeout(120)
def test_when_the_leaders_disk_hangs_another_leads_within_two_seconds_and_why_names_the_disk(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, command=STALLING, env=DEFAULTS) as three:
        three.found()
        with Load(three.endpoints) as load:
            load.more(40)
            old = three.leader()
            others = [node for node in three.nodes if node is not old]
            with stalled([old]):
                began_s = time.monotonic()
                new = eventually("another leads", lambda: leading(others), 10)
                took_s = time.monotonic() - began_s
                own = waits(old)
                load.more(20)
                time.sleep(max(0.0, began_s + STALL_S - time.monotonic()))
                later, told = waits(old), waits(new)
            load.more(20)
            three.settled()
        assert took_s < ANOTHER_LEADS_S
        assert str(old.directory) in own.get("DiskSlow", own.get("DiskStalled", "")), own
        assert str(old.directory) in later["DiskStalled"]
        assert f"{old.member()} ({HANGS})" in told["PeerUnreachable"]
        assert "handing_over" in old.said() and "why=slow_disk" in old.said()
        check_everything(load, three)


@pytest.mark.timeout(120)
def test_while_a_disk_that_all_share_hangs_again_and_again_nobody_new_leads(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, command=STALLING, env=DEFAULTS) as three:
        three.found()
        with Load(three.endpoints) as load:
            load.more(20)
            before = terms(three)
            assert len(before) == 1
            for _ in range(STALLS):
                with stalled(three.nodes):
                    time.sleep(STALL_S / 2)
                    assert any("DiskStalled" in waits(node) for node in three.nodes)
                load.more(20)
                assert terms(three) == before
            assert not any("handing_over" in node.said() for node in three.nodes)
        check_everything(load, three)
