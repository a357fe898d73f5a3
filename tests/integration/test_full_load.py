"""Full load changes nothing about who leads, and a long log costs no more than a short one.

`make soak-load MINUTES=10` and `make cost GIGABYTES=5` run the same at length.

Decides: what is measured. Must not know: how load is made (tests/bench/caller.py).
Read next: ../bench/caller.py.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.replog import DEFAULTS
from tests.support import SHOWN
from tests.support.processes import ROOT, Cluster, Node, call, cluster, eventually

RSS_BYTES_MAX = 200 * 1000 * 1000
START_S_MAX = 3.0
START_GROWTH_S_MAX = 2.0
GROWTH_BYTES_MAX = 40 * 1000 * 1000
LATENCY_GROWTH_MAX = 3.0
SHORT_SOAK_S = 10.0
SHORT_GIGABYTES = 0.13
CALLER_S = 8 * 3600.0


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Shows a line at the end of the run."""
    return lambda line: record_property(SHOWN, line)


@pytest.mark.timeout(0)
def test_nobody_is_elected_under_full_load(
    tmp_path: Path, pytestconfig: pytest.Config, tell: Callable[[str], None]
) -> None:
    minutes = pytestconfig.getoption("--minutes")
    seconds = SHORT_SOAK_S if minutes is None else 60.0 * minutes
    with cluster(tmp_path, 3, env=DEFAULTS) as three:
        three.found()
        leader = three.leader()
        term = leader.status()["term"]
        said = _callers(three, "put", seconds)
        states = [node.status() for node in three.nodes]
        tell(
            f"full load for {seconds:.0f} s: {said['rate']:,.0f} appends a second, "
            f"p99 {said['p99_ms']:.0f} ms, term {term} before and "
            f"{[state['term'] for state in states]} after"
        )
        assert [state["term"] for state in states] == [term] * 3
        assert leader.status()["role"] == "leader"
        assert said["rate"] > 100


@pytest.mark.timeout(0)
def test_memory_and_start_do_not_grow_with_the_log(
    tmp_path: Path, pytestconfig: pytest.Config, tell: Callable[[str], None]
) -> None:
    gigabytes = pytestconfig.getoption("--gigabytes") or SHORT_GIGABYTES
    with cluster(tmp_path, 3, env=DEFAULTS) as three:
        three.found()
        three.leader()
        seen = []
        for part in (1, 2):
            _filled(three, gigabytes * part / 2)
            seen.append(_cost(three))
    for number, cost in enumerate(seen, start=1):
        tell(
            f"{gigabytes * number / 2:g} GB: at most {cost['rss'] / 1e6:.0f} MB resident, "
            f"start after kill -9 in {cost['start_s']:.2f} s, "
            f"append {cost['p50_ms']:.2f} ms in the middle"
        )
    half, whole = seen
    assert max(half["rss"], whole["rss"]) < RSS_BYTES_MAX
    assert max(half["start_s"], whole["start_s"]) < START_S_MAX
    assert whole["rss"] - half["rss"] < GROWTH_BYTES_MAX
    assert whole["start_s"] < half["start_s"] + START_GROWTH_S_MAX
    assert whole["p50_ms"] < LATENCY_GROWTH_MAX * half["p50_ms"]


def _cost(three: Cluster) -> dict[str, float]:
    """What the log costs now: the largest member, a start, an append's latency.

    Of three starts the quickest counts: what else the machine does can only add to it.
    """
    three.settled()
    rss = max(_rss(node) for node in three.nodes)
    starts = [_restarted(three, node) for node in three.nodes]
    latency = _callers(three, "one", 2.0)["p50_ms"]
    return {"rss": rss, "start_s": min(starts), "p50_ms": latency}


def _restarted(three: Cluster, node: Node) -> float:
    """Kill a member and start it; seconds until it serves what it had before."""
    three.settled()
    applied = node.status()["applied_offset"]
    node.kill()
    three.leader()
    began_s = time.monotonic()
    node.start()

    def serves() -> bool:
        path = f"/v1/records?from={applied}&limit=1&consistency=local"
        return call("GET", node.client, path, timeout_s=2)[0] == 200

    eventually("it serves again", serves)
    return time.monotonic() - began_s


def _filled(three: Cluster, gigabytes: float) -> None:
    """Append batches until the log has so many bytes, restarts of the callers included."""
    folder = three.leader().directory

    def size() -> float:
        """Of all segments but the one that is being filled."""
        return sum(sorted(path.stat().st_size for path in folder.rglob("*.seg"))[:-1]) / 1e9

    while size() < gigabytes:
        _callers(three, "batches", 2.0)


def _callers(three: Cluster, kind: str, seconds: float) -> Any:
    """The figures of callers in a process of their own."""
    three.leader()
    command = [sys.executable, "-m", "tests.bench.caller", kind, ",".join(three.endpoints)]
    done = subprocess.run(
        [*command, str(seconds)], cwd=ROOT, capture_output=True, text=True, timeout=CALLER_S
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def _rss(node: Node) -> int:
    """Resident bytes of a member's process."""
    assert node.process is not None
    text = Path(f"/proc/{node.process.pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
