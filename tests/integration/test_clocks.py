"""A leader whose clock is a year ahead, a day behind, or jumps: nothing is lost to it.

Log time is bounded by the median of the voters' clocks, so one wrong clock expires no session.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.load import Load, check_everything
from tests.support.processes import Cluster, Node, ask, cluster, eventually
from tests.support.skewed_node import SKEW_FILE

SKEWED = ("-m", "tests.support.skewed_node")
YEAR_S = 365 * 24 * 3600
DAY_S = 24 * 3600
ALLOWED_MS = 3_000
"""Log time may be half a second ahead of the median clock; the rest is for looking at it."""


@contextmanager
def three_clocks(folder: Path) -> Iterator[Cluster]:
    with cluster(folder, command=SKEWED) as three:
        for node in three.nodes:
            node.env = {SKEW_FILE: str(node.directory.with_suffix(".skew"))}
        three.found()
        yield three


def skew(node: Node, seconds: float) -> None:
    """Set a member's clock; it has looked at it when this returns."""
    node.directory.with_suffix(".skew").write_text(str(seconds))
    time.sleep(0.2)


class Session:
    """A producer session that expires after a minute without an append."""

    def __init__(self, node: Node) -> None:
        self.node = node
        body = {"expires_after_ms": 60_000}
        self.known = ask("POST", node.client, "/v1/producers", body)
        self.next = 0

    def append(self, load: Load) -> None:
        """The next record; refused with producer_unknown if the session is forgotten."""
        value = f"clock-{self.next}"
        headers = {
            "Content-Type": "application/octet-stream", "Replog-Timestamp-Ms": "1",
            "Producer-Id": str(self.known["producer_id"]),
            "Producer-Epoch": str(self.known["epoch"]), "Producer-Sequence": str(self.next),
        }  # fmt: skip
        done = ask("POST", self.node.client, "/v1/records", value.encode(), headers=headers)
        load.acked[value] = done["base_offset"]
        self.next += 1


def log_time_ahead_ms(node: Node) -> int:
    """How far log time is ahead of the machine's clock."""
    info = ask("GET", node.client, "/v1/log")
    return int(info["log_time_ms"]) - time.time_ns() // 1_000_000


@pytest.mark.timeout(120)
@pytest.mark.parametrize("ahead_s", [YEAR_S, -DAY_S], ids=["a year ahead", "a day behind"])
def test_a_leader_with_a_wrong_clock_loses_no_record_and_no_session(
    tmp_path: Path, ahead_s: float
) -> None:
    with three_clocks(tmp_path) as three:
        leader = three.leader()
        session = Session(leader)
        with Load(three.endpoints) as load:
            session.append(load)
            load.more(20)
            skew(leader, ahead_s)
            load.more(60)
            session.append(load)
            assert log_time_ahead_ms(leader) < ALLOWED_MS
            assert three.leader() is leader, "the wrong clock was not the leader's"
        check_everything(load, three)


@pytest.mark.timeout(120)
def test_a_leader_whose_clock_jumps_to_and_fro_loses_no_record_and_no_session(
    tmp_path: Path,
) -> None:
    with three_clocks(tmp_path) as three:
        leader = three.leader()
        session = Session(leader)
        before_ms = 0
        with Load(three.endpoints) as load:
            for jump_s in (YEAR_S, 0, -DAY_S, DAY_S, -YEAR_S, 3600, 0):
                skew(leader, jump_s)
                load.more(10)
                session.append(load)
                now_ms = int(ask("GET", leader.client, "/v1/log")["log_time_ms"])
                assert before_ms <= now_ms, "log time fell"
                assert log_time_ahead_ms(leader) < ALLOWED_MS
                before_ms = now_ms
        check_everything(load, three)


@pytest.mark.timeout(120)
def test_a_majority_a_year_ahead_takes_log_time_along_and_loses_no_record(tmp_path: Path) -> None:
    """The declared limit: the median of the voters' clocks is what log time believes."""
    with three_clocks(tmp_path) as three:
        with Load(three.endpoints, sure=0, single=1) as load:
            load.more(10)
            for node in three.nodes[:2]:
                skew(node, YEAR_S)
            eventually(
                "log time follows the majority",
                lambda: log_time_ahead_ms(three.leader()) > YEAR_S * 900,
            )
            load.more(20)
            for node in three.nodes[:2]:
                skew(node, 0)
            load.more(20)
        check_everything(load, three)
