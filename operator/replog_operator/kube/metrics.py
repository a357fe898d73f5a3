"""Metrics of the operator's process, beside those about logs (gauges.py), in one registry.

Decides: names, labels and buckets (docs/operator-metrics.md, checked by a test).
Must not know: how they are served.
Read next: gauges.py, probes.py.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from replog_operator.kube.fence import Clock
from replog_operator.kube.gauges import LogGauges
from replog_operator.kube.workers import Pass
from replog_operator.kube.workqueue import Key

_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0)
_PREFIX: Final = "replog_operator"


class OperatorMetrics:
    """Attributes are prometheus-client's own objects. rows: name, kind, labels, meaning."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.logs = LogGauges(self.registry)
        self.rows: list[tuple[str, str, str, str]] = []
        self.lease_held = self._gauge("lease_held", "1 while this process acts, else 0")
        self.lease_transitions = self._gauge(
            "lease_transitions", "The number of the present holding of the lease, 0: none"
        )
        self.served = self._gauge("logs", "Logs that are looked after")
        self.resynced = self._gauge(
            "resync_timestamp_seconds", "When all logs were listed last, 0: not yet"
        )
        self.in_progress = self._gauge(
            "pass_since_timestamp_seconds", "Since when a pass is under way", ("namespace", "log")
        )
        self._count_passes()

    def _count_passes(self) -> None:
        meaning = "Passes over logs, by how they ended: well, failed"
        self.rows.append((f"{_PREFIX}_passes_total", "counter", "outcome", meaning))
        self.passes = Counter(f"{_PREFIX}_passes", meaning, ("outcome",), registry=self.registry)
        for outcome in ("well", "failed"):
            self.passes.labels(outcome)  # from 0 on, or else the first failure is no increase
        meaning = "One pass over a log"
        self.rows.append((f"{_PREFIX}_pass_seconds", "histogram", "", meaning))
        self.pass_seconds = Histogram(
            f"{_PREFIX}_pass_seconds", meaning, buckets=_SECONDS, registry=self.registry
        )

    def _gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        self.rows.append((f"{_PREFIX}_{name}", "gauge", ", ".join(labels), meaning))
        return Gauge(f"{_PREFIX}_{name}", meaning, labels, registry=self.registry)

    def measured(self, run: Pass) -> Pass:
        """The same pass, counted and timed."""

        async def measured(key: Key) -> float | None:
            with self.pass_seconds.time():
                try:
                    after_s = await run(key)
                except BaseException:
                    self.passes.labels("failed").inc()
                    raise
            self.passes.labels("well").inc()
            if after_s is None:
                self.logs.forget(key.namespace, key.name)
            return after_s

        return measured

    def show_passes(self, running: Mapping[Key, float], clock: Clock) -> None:
        """Show the passes under way, given by the moments at which they began."""
        self.in_progress.clear()
        to_unix_s = time.time() - clock()
        for key, began_s in running.items():
            self.in_progress.labels(*key).set(began_s + to_unix_s)

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self.registry)
