"""A member that was away while the log was trimmed comes back by a snapshot, through kills."""

import asyncio
import signal
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from replog.client import Appender, Client, NewRecord, Producer
from tests.support.processes import Cluster, Node, ask, call, cluster, eventually

SESSIONS = 4000
"""Each adds about 650 bytes to the state, so that a transfer takes many pieces."""
SMALL = {"REPLOG_SEGMENT_BYTES": str(2**20), "REPLOG_GROUP_BYTES_MAX": str(2**18)}
LOCAL = "consistency=local"


def fill_state(three: Cluster, count: int = SESSIONS) -> None:
    """Begin many sessions with long keys."""

    def begin(number: int) -> None:
        body = {"request": f"{number:06d}" + "k" * 250}
        ask("POST", three.nodes[number % 2].client, "/v1/producers", body)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(count)))


async def append(endpoints: list[str], count: int, size: int = 1000) -> int:
    """Append so many values; the last offset."""
    async with Client(endpoints) as client:
        appender = await Appender.begin(client)
        for first in range(0, count, 100):
            records = [NewRecord(b"%06d" % n + b"x" * size) for n in range(first, first + 100)]
            done = await appender.append(records)
        return done.last_offset


def segments(node: Node) -> list[int]:
    """The bases of a member's segments."""
    return sorted(int(path.name[:20]) for path in node.directory.glob("*.seg"))


def part(node: Node) -> int:
    """How much of a snapshot the member has fetched, -1 without any."""
    found = [path.stat().st_size for path in node.directory.glob("incoming-*.part")]
    return found[0] if found else -1


def catch_in_the_middle(node: Node, begun: Callable[[], bool]) -> int:
    """Stop the member once the transfer has begun; how much of the snapshot is on its disk."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if begun():
            node.signal(signal.SIGSTOP)
            assert node.alive
            return part(node)
    raise AssertionError("no snapshot came")


def values(node: Node, start: int) -> list[tuple[int, str]]:
    """What this member alone knows from there on."""
    found: list[tuple[int, str]] = []
    while True:
        page = ask("GET", node.client, f"/v1/records?from={start}&limit=1000&{LOCAL}")
        found += [(record["offset"], record["value"]) for record in page["records"]]
        start = page["next_offset"]
        if start >= page["end_offset"]:
            return found


async def behind_the_trim(three: Cluster) -> tuple[Node, int]:
    """Leave one follower behind the start of the others' logs; that member, and the log start."""
    three.found()
    leader = three.leader()
    away = next(node for node in three.nodes if node is not leader)
    away.kill()
    there = [node.client for node in three.nodes if node is not away]
    three.nodes.remove(away)
    three.nodes.append(away)
    fill_state(three)
    await append(there, 3000)
    ask("POST", leader.peer, "/v1/log:snapshot")
    last = await append(there, 2000)
    log_start = last - 500
    ask("POST", leader.peer, "/v1/log:trim", {"before": log_start})
    eventually(
        "the others have released segments",
        lambda: all(segments(node)[0] > 0 for node in three.nodes if node is not away),
    )
    return away, log_start


@pytest.mark.timeout(180)
@pytest.mark.asyncio
async def test_a_member_behind_the_trim_comes_back_by_a_snapshot_through_kills(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, env=SMALL) as three:
        away, log_start = await behind_the_trim(three)
        away.start()
        first = catch_in_the_middle(away, lambda: part(away) > 0)
        away.kill()
        assert part(away) >= first > 0, "what was fetched is there for the next start"
        away.start()
        second = catch_in_the_middle(away, lambda: "snapshot_resumed" in away.said())
        assert second >= first, "it began anew, or was over"
        source = three.leader()
        source.kill()
        away.signal(signal.SIGCONT)
        three.leader(timeout_s=30)
        source.start()
        three.settled()
        assert part(away) == -1
        found = values(away, log_start)
        assert len(found) == 501 and found == values(three.leader(), log_start)
        status, content, _ = call("GET", away.client, f"/v1/records?from={log_start - 1}&{LOCAL}")
        assert status == 410 and b"offset_trimmed" in content
        logs = [ask("GET", node.client, f"/v1/log?{LOCAL}") for node in three.nodes]
        assert {log["log_start_offset"] for log in logs} == {log_start}


@pytest.mark.timeout(120)
@pytest.mark.asyncio
async def test_a_new_member_gets_the_base_and_then_every_retained_record(tmp_path: Path) -> None:
    with cluster(tmp_path, count=4, env=SMALL) as four:
        newcomer = four.nodes.pop()
        four.found()
        leader = four.leader()
        await append(four.endpoints, 3000)
        ask("POST", leader.peer, "/v1/log:snapshot")
        last = await append(four.endpoints, 2000)
        log_start = last - 1500
        ask("POST", leader.peer, "/v1/log:trim", {"before": log_start})
        ask("POST", leader.peer, "/v1/log:snapshot")
        eventually("segments are released", lambda: segments(leader)[0] > 0)
        four.nodes.append(newcomer)
        newcomer.start()
        four.retarget([*four.nodes[1:]])
        four.settled([newcomer])
        found = values(newcomer, log_start)
        assert [offset for offset, _ in found] == list(range(log_start, last + 1))
        assert "snapshot_fetched" in newcomer.said()


@pytest.mark.timeout(120)
@pytest.mark.asyncio
async def test_a_restart_goes_on_from_the_newest_snapshot_after_kill_9(tmp_path: Path) -> None:
    with cluster(tmp_path, env={**SMALL, "REPLOG_SNAPSHOT_BYTES": str(2**19)}) as three:
        three.found()
        last = await append(three.endpoints, 3000)
        eventually(
            "snapshots are built by size",
            lambda: all(list(node.directory.glob("*.snap")) for node in three.nodes),
        )
        for node in three.nodes:
            node.kill()
        three.start()
        three.settled()
        assert len(values(three.nodes[1], 0)) == 3000
        assert ask("GET", three.leader().client, "/v1/log")["last_record_offset"] >= last


@pytest.mark.timeout(120)
@pytest.mark.asyncio
async def test_retention_by_bytes_trims_and_releases_by_itself(tmp_path: Path) -> None:
    bounds = {"REPLOG_SNAPSHOT_BYTES": str(2**20), "REPLOG_RETENTION_BYTES": str(3 * 2**20)}
    with cluster(tmp_path, env={**SMALL, **bounds}) as three:
        three.found()
        await append(three.endpoints, 12_000)

        def small() -> bool:
            sizes = [
                sum(path.stat().st_size for path in node.directory.glob("*.seg"))
                for node in three.nodes
            ]
            return max(sizes) < 9 * 2**20

        eventually("the log is held at its bound, give or take segments", small, 60)
        start = ask("GET", three.leader().client, "/v1/log")["log_start_offset"]
        found = values(three.nodes[0], start)
        assert len(found) > 2000 and found == values(three.nodes[2], start)


def all_built(three: Cluster, count: int) -> Callable[[], bool]:
    """Whether every member has built so many snapshots."""
    return lambda: all(node.said().count("snapshot_built") >= count for node in three.nodes)


GAP_S_MAX = 0.2
SHORT_S = 0.03
"""No longer than a slow sync, so no gap at all: where a quick disk's usual pause is 3 ms, three
times that is less than what the helper process takes of two busy cores."""
ROUNDS = 3
QUIET_S = 2.0
CALLERS = 20


async def longest_gap(endpoints: list[str], seconds: float, during: Callable[[], None]) -> float:
    """Append from many tasks for so long; the longest time between two acknowledgements."""
    gap, last = 0.0, 0.0

    async def caller(producer: Producer, until: float) -> None:
        nonlocal gap, last
        while time.monotonic() < until:
            await producer.append(b"x" * 256)
            now = time.monotonic()
            gap, last = max(gap, now - last), now

    async with Client(endpoints) as client, Producer(client) as producer:
        await producer.append(b"first")
        last = time.monotonic()
        done = asyncio.gather(*(caller(producer, last + seconds) for _ in range(CALLERS)))
        await asyncio.sleep(seconds / 4)
        await asyncio.to_thread(during)
        await done
    return gap


@pytest.mark.timeout(120)
@pytest.mark.asyncio
async def test_a_snapshot_under_load_makes_no_gap_between_commits(tmp_path: Path) -> None:
    """Alternating in one run, since the machine's own pauses come and go: the medians are
    compared, and each gap is bounded."""
    with cluster(tmp_path) as three:
        three.found()
        fill_state(three, 1000)
        leader = three.leader()

        def snapshot() -> None:
            ask("POST", leader.peer, "/v1/log:snapshot")

        await longest_gap(three.endpoints, 1.0, lambda: None)
        without, within = list[float](), list[float]()
        for _ in range(ROUNDS):
            without.append(await longest_gap(three.endpoints, QUIET_S, lambda: None))
            within.append(await longest_gap(three.endpoints, QUIET_S, snapshot))
            eventually("all have built it", all_built(three, len(within)))
        sys.stdout.write(f"longest gaps, s: without {without}, with a snapshot {within}\n")
        assert max(within) < GAP_S_MAX, (without, within)
        most = max(SHORT_S, 3 * statistics.median(without))
        assert statistics.median(within) <= most, (without, within)
