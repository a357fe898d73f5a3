"""This log: three members with default settings, its own client in one process, and wrk.

Decides: the workloads. Must not know: the others. Read next: caller.py (the client process).
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.bench import peers
from tests.bench.plan import CALLERS, SIZE, Plan
from tests.bench.processes import output
from tests.bench.report import Result
from tests.support.processes import Cluster, ask, cluster

DEFAULTS = {
    "REPLOG_TICK_MS": "50",
    "REPLOG_HEARTBEAT_MS": "200",
    "REPLOG_ELECTION_TIMEOUT_MS": "1000",
    "REPLOG_SEGMENT_BYTES": str(64 * 1024 * 1024),
}
LUA = Path(__file__).with_name("spread.lua")
_WRK = re.compile(r"Requests/sec:\s+([\d.]+)")
_WRK_LATENCY = re.compile(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s)", re.MULTILINE)
_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
BATCH_MB_S = 100.0
SCAN_MB_S = 500.0


def measure(plan: Plan, place: Path) -> Iterator[Result]:
    """The workloads that are asked for."""
    with cluster(place, 3, env=DEFAULTS) as three:
        three.found()
        for name, workload in _WORKLOADS.items():
            if plan.wants(name):
                yield from workload(three, plan)


def _put(three: Cluster, plan: Plan) -> Iterator[Result]:
    for kind, name, target in (
        ("put", "1,000 callers", 3.0),
        ("put-apart", "1,000 callers, coalescing off", 0.0),
    ):
        said = _caller(three, kind, plan)
        note = f"{said['per_batch']:.1f} records a batch, one client process"
        yield _result(name, said, "calls", note, "1,000 callers", target)


def _one(three: Cluster, plan: Plan) -> Iterator[Result]:
    said = _caller(three, "one", plan)
    yield _result("one caller", said, "calls", "endpoints in turn", "one caller", 1.0)


def _get(three: Cluster, plan: Plan) -> Iterator[Result]:
    said = _caller(three, "get", plan)
    yield _result("linearizable reads", said, "calls", said["note"], "linearizable reads", 1.0)
    said = _caller(three, "get-apart", plan)
    apart = "linearizable reads, each a request"
    yield _result(apart, said, "calls", said["note"], "linearizable reads", 0.0)
    yield _wrk(three, plan, "HTTP linearizable reads", "GET", "linearizable reads", 0.0)


def _http(three: Cluster, plan: Plan) -> Iterator[Result]:
    yield _wrk(three, plan, "HTTP POST", "POST", "1,000 callers", 0.7)


def _batches(three: Cluster, plan: Plan) -> Iterator[Result]:
    said = _caller(three, "batches", plan)
    yield _result("batches of 100 × 1 KiB", said, "MB", "", "", BATCH_MB_S)


def _scan(three: Cluster, plan: Plan) -> Iterator[Result]:
    said = _caller(three, "scan", plan)
    yield _result("raw sequential reads", said, "MB", "from one member", "", SCAN_MB_S)


_WORKLOADS: dict[str, Callable[[Cluster, Plan], Iterator[Result]]] = {
    "one": _one,
    "put": _put,
    "http": _http,
    "get": _get,
    "batches": _batches,
    "scan": _scan,
}


def _caller(three: Cluster, kind: str, plan: Plan) -> Any:
    leader = three.leader().client
    others = [endpoint for endpoint in three.endpoints if endpoint != leader]
    endpoints = ",".join([leader, *others])
    command = [sys.executable, "-m", "tests.bench.caller", kind, endpoints, str(plan.seconds)]
    return json.loads(output(command))


def _result(name: str, said: Any, unit: str, note: str, against: str, target: float) -> Result:
    return Result(
        name, "replog", said["rate"], unit, said.get("p50_ms"), said.get("p99_ms"), note, against,
        target,
    )  # fmt: skip


def _wrk(three: Cluster, plan: Plan, name: str, method: str, against: str, target: float) -> Result:
    """1,000 keep-alive connections, a third to each member."""
    if method == "GET":
        offset = ask("GET", three.leader().client, "/v1/log")["last_record_offset"]
        path = f"/v1/records?from={offset}&limit=1"
    else:
        path = "/v1/records"
    hosts = ",".join(three.endpoints)
    said = output(
        [
            peers.tool("wrk"), "-t3", f"-c{CALLERS}", f"-d{max(1, int(plan.seconds))}s",
            "--timeout", "10s", "--latency", "-s", LUA, f"http://{three.endpoints[0]}{path}",
        ],
        BENCH_HOSTS=hosts, BENCH_METHOD=method, BENCH_SIZE=str(SIZE),
    )  # fmt: skip
    rate = _WRK.search(said)
    if rate is None or "Non-2xx" in said:
        raise peers.LeftOut(f"wrk failed: {said[-300:]}")
    at = {percent: float(value) * _MS[unit] for percent, value, unit in _WRK_LATENCY.findall(said)}
    return Result(
        name, "replog", float(rate[1]), "calls", at.get("50"), at.get("99"),
        "wrk, 1,000 connections over the three members", against, target,
    )  # fmt: skip
