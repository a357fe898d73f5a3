"""Power fails under load: everywhere at once, twenty times, and at each member alone.

The members are real processes on a disk that holds back what isn't synced (LossyDisk), and loses,
keeps or tears any of it when power fails.
"""

import json
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random, SystemRandom

import pytest

from tests.integration.load import Load, check_everything
from tests.support import SHOWN
from tests.support.processes import LOSSY, Cluster, Node, cluster, eventually

TIMES = 20
REALLY = 15
"""So many of the power losses must have found something unsynced and dropped or torn it."""

SLOW = {"REPLOG_LOSSY_SYNC_MS": "20"}
"""How long each sync takes: with instant ones nothing would ever be unsynced."""


def power_fails(nodes: Sequence[Node]) -> None:
    """Let it fail at these members, as nearly at once as signals go.

    They must run: one that has only just been started doesn't hear the signal yet.
    """
    for node in nodes:
        node.member()
    for node in nodes:
        node.signal(signal.SIGUSR1)
    for node in nodes:
        assert node.wait() == -signal.SIGKILL, node.said()[-2000:]


def losses(node: Node) -> list[dict[str, int]]:
    """What each power loss of this member took and kept."""
    report = node.directory.with_name(f"{node.directory.name}.lossy.jsonl")
    text = report.read_text() if report.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def really_lost(together: Sequence[dict[str, int]]) -> bool:
    """Whether anybody dropped or tore bytes that were not synced."""
    return any(loss["dropped_bytes"] or loss["torn"] for loss in together)


def told(what: str, happened: Sequence[Sequence[dict[str, int]]]) -> str:
    """The sum of all power losses, for people."""
    each = [loss for together in happened for loss in together]
    sums = {name: sum(loss[name] for loss in each) for name in each[0]}
    real = sum(map(really_lost, happened))
    return f"{what}: {len(happened)} power losses, {real} dropped or tore unsynced bytes: {sums}"


@pytest.mark.timeout(300)
def test_power_fails_everywhere_twenty_times_and_nothing_acknowledged_is_lost(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = SystemRandom().getrandbits(32)
    random, began_s = Random(seed), time.monotonic()
    with cluster(tmp_path, command=LOSSY, env=SLOW) as three:
        three.found()
        with Load(three.endpoints, sure=2, single=2) as load:
            for _ in range(TIMES):
                load.more(20)
                time.sleep(random.uniform(0, 0.1))
                power_fails(three.nodes)
                three.start()
            load.more(20)
        three.settled()
        check_everything(load, three)
        check_copies(three)
    happened = list(zip(*map(losses, three.nodes), strict=True))
    record_property(
        SHOWN,
        f"{told('all at once', happened)}; {len(load.acked)} records acknowledged, "
        f"{len(load.unknown)} unknown, {time.monotonic() - began_s:.0f} s, pauses of seed {seed}",
    )
    assert len(happened) == TIMES
    assert sum(map(really_lost, happened)) >= REALLY


@pytest.mark.timeout(120)
def test_power_fails_at_each_member_alone_and_the_others_go_on(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with cluster(tmp_path, command=LOSSY, env=SLOW) as three:
        three.found()
        with Load(three.endpoints, sure=6, single=2) as load:
            leading = three.leader()
            for node in (leading, *(other for other in three.nodes if other is not leading)):
                happened = fails_alone(three, load, node)
            while not any(map(really_lost, happened)) and len(happened) < TIMES:
                happened = fails_alone(three, load, three.leader())
        three.settled()
        check_everything(load, three)
        check_copies(three)
    record_property(SHOWN, told("alone", happened))
    assert any(map(really_lost, happened))


def fails_alone(three: Cluster, load: Load, node: Node) -> list[list[dict[str, int]]]:
    """Let power fail at one member while the others go on; returns all losses until now."""
    load.more(20)
    time.sleep(Random().uniform(0.01, 0.05))  # not right after a sync
    power_fails([node])
    load.more(20)
    three.start()
    caught_up(node, load.newest[0])
    return [[loss] for other in three.nodes for loss in losses(other)]


def caught_up(node: Node, offset: int) -> None:
    """Wait until a member that was away has applied this record."""
    eventually("the member catches up", lambda: bool(node.status()["applied_offset"] >= offset))


def check_copies(three: Cluster) -> None:
    """Every member shows the same log."""
    for node in three.nodes:
        assert three.records(node) == three.records()
