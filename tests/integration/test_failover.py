"""The leader is killed, again and again: how long nobody can write, with the default settings."""

import os
import statistics
import sys
import time
from pathlib import Path

import pytest

from replog_node.settings import Settings
from tests.support.processes import FAST, Cluster, Node, Refused, ask, cluster

KILLS = int(os.environ.get("REPLOGTEST_KILLS", "7"))
MEDIAN_S_MAX = 1.5
LONGEST_S_MAX = 5.0
OCTETS = {"Content-Type": "application/octet-stream", "Replog-Timeout-Ms": "2000"}
DEFAULTS = {
    "REPLOG_TICK_MS": "50",
    "REPLOG_HEARTBEAT_MS": "200",
    "REPLOG_ELECTION_TIMEOUT_MS": "1000",
}
"""What a node has without any setting; a test below compares."""


def write(three: Cluster, value: str) -> None:
    """Append once, at whatever member takes it."""
    deadline = time.monotonic() + 20
    while True:
        for node in three.nodes:
            if node.alive:
                try:
                    ask("POST", node.client, "/v1/records", value.encode(), headers=OCTETS)
                except (OSError, Refused):
                    continue
                return
        assert time.monotonic() < deadline, "nobody takes a write"
        time.sleep(0.02)


def killed(three: Cluster, leader: Node, number: int) -> float:
    """Kill the leader; seconds until the next write is accepted."""
    leader.kill()
    began = time.monotonic()
    write(three, f"after {number}")
    return time.monotonic() - began


@pytest.mark.timeout(180)
def test_after_the_leaders_death_a_write_is_accepted_within_a_second_and_a_half(
    tmp_path: Path,
) -> None:
    with cluster(tmp_path, env=DEFAULTS) as three:
        three.found()
        gaps_s = []
        for number in range(KILLS):
            write(three, f"before {number}")
            three.settled()
            leader = three.leader()
            gaps_s.append(killed(three, leader, number))
            three.start()
        median_s = statistics.median(gaps_s)
        sys.stdout.write(
            f"leader killed {KILLS} times; seconds without writes: median {median_s:.2f}, "
            f"longest {max(gaps_s):.2f}\n"
        )
        assert median_s < MEDIAN_S_MAX, gaps_s
        assert max(gaps_s) < LONGEST_S_MAX, gaps_s


def test_the_settings_of_this_file_are_the_defaults() -> None:
    assert Settings(data_dir="x").tick_ms == int(DEFAULTS["REPLOG_TICK_MS"])
    assert Settings(data_dir="x").heartbeat_ms == int(DEFAULTS["REPLOG_HEARTBEAT_MS"])
    assert Settings(data_dir="x").election_timeout_ms == int(DEFAULTS["REPLOG_ELECTION_TIMEOUT_MS"])
    assert DEFAULTS.keys() < FAST.keys()
