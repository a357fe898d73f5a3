"""Fifty logs as real pods under one operator: what they cost it, and that what is well stays so."""

import json
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from replog_operator.kube.kinds import LOG
from replog_operator.kube.workqueue import RESYNC_S
from tests.cluster import paths
from tests.cluster.api import Api
from tests.cluster.daemons import audit
from tests.cluster.images import OURS
from tests.cluster.logs import log
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators
from tests.support import SHOWN
from tests.support.processes import eventually

LOGS: Final = 50
WAVE: Final = 5
"""So many are made at a time."""
WAVE_S: Final = 180.0
CALM_S: Final = 120.0
REST_S: Final = max(180.0, 2 * RESYNC_S + 30)
MEMORY_BYTES: Final = 120 * 1000 * 1000
PASS_S: Final = 5.0
TRIES: Final = 5
"""The quickest counts: other tests run beside this one, on the same two cores."""
PORT: Final = 18080


class Fifty:
    """The logs, their operator, and what the API server noted."""

    def __init__(self, cluster: Cluster, namespace: str, operator: Operator) -> None:
        self._api: Api = cluster.api
        self._audit = audit(cluster.directory)
        self._logs = paths.of(f"/apis/{LOG.api_version}", namespace, LOG.plural)
        self.operator = operator

    def make(self, first: int) -> None:
        """The next few: fifty pods that start at once would starve all else on the machine."""
        for number in range(first, first + WAVE):
            made = log(f"log-{number:02d}")
            made["spec"]["image"] = OURS
            self._api.create(self._logs, made)
        eventually("they are ready", lambda: self.ready() == first + WAVE or None, WAVE_S)

    def ready(self) -> int:
        """How many are."""
        summaries = [item.get("status", {}).get("summary") for item in self._api.items(self._logs)]
        return summaries.count("Ready")

    def writes(self) -> list[tuple[str, str]]:
        """What the operator has written, but for its lease: verb and path."""
        whole = self._audit.read_text().rpartition("\n")[0]
        lines = map(json.loads, whole.splitlines())
        return [
            (line["verb"], line["requestURI"])
            for line in lines
            if line.get("userAgent", "").startswith("replog-operator")
            and line.get("objectRef", {}).get("resource") != "leases"
        ]

    def figure(self, name: str) -> float:
        """The sum of a metric of the operator over its labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        samples = [sample for family in parsed(text) for sample in family.samples]
        return sum(sample.value for sample in samples if sample.name == name)


@pytest.mark.timeout(900, func_only=True)
def test_fifty_logs_take_little_and_what_is_well_is_not_written_to(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path, record_property: Any
) -> None:
    options = ("--port", str(PORT))
    operator = Operator(
        cluster, namespace, "one", tmp_path, module="replog_operator", options=options
    )
    fifty = Fifty(cluster, namespace, operator)
    with operators(operator):
        began_s = time.monotonic()
        for first in range(0, LOGS, WAVE):
            fifty.make(first)
        made_s = time.monotonic() - began_s
        eventually("all is told", lambda: _is_calm(fifty), CALM_S)

        before, passes = fifty.writes(), fifty.figure("replog_operator_passes_total")
        assert len(before) > LOGS, "the audit log tells what it writes"
        time.sleep(REST_S)
        assert fifty.writes()[len(before) :] == []
        passes = fifty.figure("replog_operator_passes_total") - passes
        assert passes >= 2 * LOGS, "it has looked at all of them meanwhile"
        memory_bytes = operator.memory_bytes()
        assert memory_bytes < MEMORY_BYTES

        pass_s, cpu_s = _quickest_pass(fifty)
        assert (pass_s < PASS_S, cpu_s < PASS_S) == (True, True), (pass_s, cpu_s)
        assert fifty.writes()[len(before) :] == [], "nor does a new process"
    record_property(
        SHOWN,
        f"{LOGS} logs ready after {made_s:.0f} s; operator {memory_bytes / 1e6:.0f} MB; "
        f"{passes:.0f} passes in {REST_S:.0f} s without a write; all once in {pass_s:.1f} s, "
        f"{cpu_s:.1f} s of a processor",
    )


def _is_calm(fifty: Fifty) -> bool:
    """Whether nothing has been written for a while."""
    before = len(fifty.writes())
    time.sleep(12)
    return len(fifty.writes()) == before


def _quickest_pass(fifty: Fifty) -> tuple[float, float]:
    """What a new process takes to look at each log, and how much of a processor."""
    found = []
    for _ in range(TRIES):
        fifty.operator.kill()
        fifty.operator.start()
        found.append(_one_pass(fifty))
        if max(found[-1]) < PASS_S:
            break
    return min(found)


def _one_pass(fifty: Fifty) -> tuple[float, float]:
    eventually("it acts", lambda: _passes(fifty) > 0, 60)
    began_s, cpu_s = time.monotonic(), fifty.operator.cpu_s()
    eventually("it has looked at all", lambda: _passes(fifty) >= LOGS, 60)
    return time.monotonic() - began_s, fifty.operator.cpu_s() - cpu_s


def _passes(fifty: Fifty) -> float:
    try:
        return fifty.figure("replog_operator_passes_total")
    except OSError:
        return 0
