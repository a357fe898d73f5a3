"""SIGTERM of the leader under load: it hands over, answers, and goes."""

import signal
import threading
import time
from pathlib import Path

import pytest

from tests.integration.load import Load, check_everything
from tests.support.processes import Cluster, Node, Refused, call, cluster

GRACE_S = 10.0
PATIENT = {"REPLOG_ELECTION_TIMEOUT_MS": "3000"}
HANDED_OVER_S = 1.5
"""No follower campaigns so early by itself. It takes about 50 ms on a machine that is free."""


def _other_leads(three: Cluster, old: Node) -> bool:
    for node in three.nodes:
        try:
            if node is not old and node.status()["role"] == "leader":
                return True
        except (OSError, Refused):
            continue
    return False


@pytest.mark.timeout(180)
def test_a_leader_told_to_stop_hands_over_answers_and_exits_cleanly(tmp_path: Path) -> None:
    with cluster(tmp_path, env=PATIENT) as three:
        three.found()
        with Load(three.endpoints, sure=4, single=4) as load:
            load.more(60)
            old = three.leader()
            load.longest_gap_s = 0.0
            begun_s = time.monotonic()
            old.signal(signal.SIGTERM)
            while not _other_leads(three, old):
                assert time.monotonic() - begun_s < GRACE_S
            handed_over_s = time.monotonic() - begun_s
            assert old.wait(GRACE_S) == 0
            load.more(60)
            gap_s = load.longest_gap_s
        told = load.refusals + load.single_refusals
        # A connection that waits in the listener's queue when that closes is reset by the system.
        resets = told.pop((0, "ConnectionResetError", "unknown"), 0)
        assert resets <= 2 and all(outcome == "none" for _, _, outcome in told), (resets, told)
        assert max(handed_over_s, gap_s) < HANDED_OVER_S, (handed_over_s, gap_s)
        assert "code=0" in old.said()
        three.start()
        three.settled()
        check_everything(load, three)


def test_a_reader_that_waits_does_not_hold_up_a_member_that_stops(tmp_path: Path) -> None:
    answers: list[int] = []
    with cluster(tmp_path, 1) as one:
        one.found()
        node = one.nodes[0]
        path = "/v1/records?from=latest&wait_ms=60000"
        reader = threading.Thread(
            target=lambda: answers.append(call("GET", node.client, path, timeout_s=30)[0])
        )
        reader.start()
        time.sleep(0.5)  # until it waits
        node.signal(signal.SIGTERM)
        assert node.wait(GRACE_S) == 0
        reader.join(GRACE_S)
    assert answers == [503]
