"""Really full file systems: reads go on, data is refused by name, and nothing ends or is lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.load import OCTETS, Load
from tests.support.processes import Cluster, Node, Refused, ask, cluster, eventually
from tests.support.small_filesystems import MIB, SmallFilesystem, small_filesystems

SMALL = {
    "REPLOG_SEGMENT_BYTES": str(1 * MIB),
    "REPLOG_DISK_SOFT_LIMIT_BYTES": str(6 * MIB),
    "REPLOG_PENDING_BYTES_MAX": str(1 * MIB),
    "REPLOG_GROUP_BYTES_MAX": str(128 * 1024),
    "REPLOG_INFLIGHT_BYTES_MAX": str(256 * 1024),
}
PADDING = 5


@contextmanager
def on_small_disks(directory: Path) -> Iterator[tuple[Cluster, list[SmallFilesystem]]]:
    """Three members, each on a file system of its own; some records are there already."""
    with (
        small_filesystems(directory, 3, 24 * MIB) as disks,
        cluster(directory, env=SMALL) as three,
    ):
        for node, disk in zip(three.nodes, disks, strict=True):
            node.directory = disk.path / "data"
        three.found()
        for number in range(PADDING):
            append(three.nodes[0], f"padding-{number}")
        yield three, disks


def append(node: Node, value: str) -> Any:
    """Append one value; the answer, or Refused."""
    return ask("POST", node.client, "/v1/records", value.encode(), headers=OCTETS)


def refused(node: Node) -> dict[str, Any] | None:
    """The refusal of an append for lack of space; None when it was taken."""
    try:
        append(node, f"padding-{time.monotonic_ns()}")
    except Refused as refusal:
        problem = dict(refusal.problem)
    else:
        return None
    assert (problem["status"], problem["code"]) == (507, "disk_full"), problem
    assert problem["outcome"] == "none" and problem["retryable"]
    return problem


def taken(node: Node) -> bool:
    """Whether an append is taken."""
    return refused(node) is None


def check_reads(load: Load, nodes: list[Node]) -> None:
    """Linearizable and local reads show what is acknowledged."""
    offset, value = load.newest
    for node in nodes:
        assert load.read_newest(node.client) == "seen"
        path = f"/v1/records?from={offset}&limit=1&consistency=local"
        page = ask("GET", node.client, path)
        assert [record["value"] for record in page["records"]] == [value]


def short(node: Node) -> str:
    """What `why` says there of disks without room."""
    said = {w["code"]: w["evidence"] for w in ask("GET", node.client, "/v1/why")["waits"]}
    return str(said.get("DiskFull", ""))


def trim(node: Node, before: int) -> None:
    """Give up what lies below."""
    ask("POST", node.peer, "/v1/log:trim", {"before": before})


def judge(load: Load, three: Cluster, start: int, nodes: list[Node]) -> None:
    """Nothing that was acknowledged is lost or doubled, at any member."""
    for node in nodes:
        found: list[tuple[int, bytes]] = []
        at = start
        while True:
            page = ask("GET", node.client, f"/v1/records?from={at}&limit=10000")
            found += [(r["offset"], r.get("value", "").encode()) for r in page["records"]]
            at = page["next_offset"]
            if at >= page["end_offset"]:
                break
        load.check([(at, v) for at, v in found if not v.startswith(b"padding")])
    assert all(node.alive for node in nodes), "a full disk ended a member"
    assert three.leader() in nodes


@pytest.mark.timeout(240)
def test_a_leader_on_a_full_disk_refuses_data_and_nothing_else_until_there_is_room(
    tmp_path: Path,
) -> None:
    with on_small_disks(tmp_path) as (three, disks):
        with Load(three.endpoints, readers=1) as load:
            load.more(40)
            leader = three.leader()
            disk = disks[three.nodes.index(leader)]
            disk.fill()
            problem = eventually("data is refused", lambda: refused(leader), 20)
            assert problem["members"] == [leader.member()]
            eventually("why tells", lambda: str(leader.directory) in short(leader), 5)
            assert disk.free_bytes < 64 * 1024, "the file system isn't full"
            check_reads(load, three.nodes)
            trim(leader, PADDING)
            assert ask("GET", leader.client, "/v1/cluster")["log_start_offset"] >= PADDING
            followers = [node for node in three.nodes if node is not leader]
            three.retarget([leader, followers[0]])
            disk.free()
            eventually("data is taken again", lambda: taken(leader), 20)
            load.endpoints = [leader.client, followers[0].client]
            load.more(40)
        judge(load, three, PADDING, [leader, followers[0]])


@pytest.mark.timeout(240)
def test_with_every_disk_full_at_once_nothing_ends_and_nothing_is_lost(tmp_path: Path) -> None:
    with on_small_disks(tmp_path) as (three, disks):
        with Load(three.endpoints, readers=1) as load:
            load.more(40)
            for disk in disks:
                disk.fill()
            leader = three.leader()
            eventually("data is refused", lambda: refused(leader), 20)
            check_reads(load, three.nodes)
            trim(leader, PADDING)
            leader.kill()
            leader.start()  # on a full disk
            leader.member()
            eventually("the others have a leader", lambda: refused(three.leader()), 20)
            three.settled(timeout_s=30)
            check_reads(load, three.nodes)
            members = {node.member() for node in three.nodes}
            for node in three.nodes:
                assert str(node.directory) in short(node)
            assert all(
                member in short(three.leader()) for member in members - {three.leader().member()}
            )
            for disk in disks:
                disk.free()
            eventually("data is taken again", lambda: taken(three.leader()), 20)
            load.more(40)
        judge(load, three, PADDING, three.nodes)


@pytest.mark.timeout(240)
def test_a_snapshot_and_a_trim_make_the_room_on_disks_that_are_all_full(tmp_path: Path) -> None:
    with on_small_disks(tmp_path) as (three, disks):
        leader = three.leader()
        for _ in range(140):  # 9 MiB
            append(leader, "padding-" + "x" * 64 * 1024)
        three.settled()
        for disk in disks:
            disk.fill()
        eventually("data is refused", lambda: refused(leader), 20)
        ask("POST", leader.peer, "/v1/log:snapshot", {})
        trim(leader, leader.status()["commit_offset"] + 1)
        eventually("data is taken again", lambda: taken(leader), 30)
        eventually("everywhere is room", lambda: not any(map(short, three.nodes)), 30)
        three.settled()
        assert all(node.said().count(" started ") == 1 for node in three.nodes)


@pytest.mark.timeout(240)
def test_a_follower_takes_what_fits_into_its_reserve_then_nothing_and_catches_up_later(
    tmp_path: Path,
) -> None:
    with on_small_disks(tmp_path) as (three, disks):
        leader = three.leader()
        place = next(n for n, node in enumerate(three.nodes) if node is not leader)
        follower, disk = three.nodes[place], disks[place]
        disk.fill()
        for _ in range(50):  # 3 MiB; a segment and the spare are 2
            append(leader, "padding-" + "x" * 64 * 1024)
        eventually("it takes nothing more", lambda: "takes nothing more" in short(follower), 10)
        eventually("its leader knows", lambda: follower.member() in short(leader), 10)
        append(leader, "padding-last")
        path = "/v1/records?from=0&limit=3&consistency=local"
        assert ask("GET", follower.client, path)["records"]
        assert follower.status()["durable_offset"] < leader.status()["commit_offset"]
        disk.free()
        three.settled(timeout_s=30)
        assert follower.said().count(" started ") == 1
        assert three.records(follower) == three.records(leader)
