"""Metrics of the operator about each log, taken from the status that it writes.

Decides: their names and labels (docs/operator-metrics.md, checked by a test); how many are shown.
Must not know: how they are served.
Read next: status.py, durations.py.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from replog_operator.kube.durations import Durations
from replog_operator.kube.pods import seconds

LOGS_MAX: Final = 1000
"""Logs that are shown; of one more only the steps are counted."""

_PREFIX: Final = "replog_operator"
_LOG: Final = ("namespace", "log")
_WORDS: Final = {"True": 1.0, "False": 0.0, "Unknown": -1.0}


class LogGauges:
    """Attributes are prometheus-client's own objects. rows: name, kind, labels, meaning."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.time) -> None:
        self.rows: list[tuple[str, str, str, str]] = []
        self._registry = registry
        self._shown: dict[tuple[str, str], list[tuple[Gauge, tuple[str, ...]]]] = {}
        self.waits = self._gauge(
            "wait_since_timestamp_seconds", "Since when the log waits for this", "code"
        )
        self.operations = self._gauge(
            "operation_since_timestamp_seconds", "Since when this step is under way", "kind"
        )
        self.conditions = self._gauge(
            "condition", "A condition of the log: 1 true, 0 false, -1 unknown", "type"
        )
        self.tolerates = self._gauge("tolerates", "Members that may fail now, -1: not known")
        self.voters = self._gauge("voters", "Voters of the log's configuration")
        self.wanted = self._gauge(
            "wanted", "Members that the resource asks for, 0: none runs, spec.hibernate"
        )
        labels = ("step", "outcome")
        self.steps = Counter(
            f"{_PREFIX}_steps", "Steps taken, by what became of them", labels, registry=registry
        )
        self.rows.append(
            (f"{_PREFIX}_steps_total", "counter", ", ".join(labels),
             "Steps taken, by what became of them")
        )  # fmt: skip
        self.durations = Durations(registry, clock)
        self.rows += self.durations.rows

    def show(self, namespace: str, log: str, status: Mapping[str, Any]) -> None:
        """Show a log as its status says, and nothing of what was shown of it before."""
        self._clear(namespace, log)
        if len(self._shown) >= LOGS_MAX:
            return
        self.durations.saw(namespace, log, status)
        self._shown[namespace, log] = []
        for wait in status.get("waits", ()):
            self._set(self.waits, namespace, log, seconds(wait["since"], 0.0), wait["code"])
        operation = status.get("operation")
        if operation:
            since_s = seconds(operation["since"], 0.0)
            self._set(self.operations, namespace, log, since_s, operation["kind"])
        for found in status.get("conditions", ()):
            self._set(self.conditions, namespace, log, _WORDS[found["status"]], found["type"])
        self._set(self.tolerates, namespace, log, float(status.get("tolerates", -1)))
        self._set(self.voters, namespace, log, float(status.get("voters", 0)))
        self._set(self.wanted, namespace, log, _wanted(status))

    def forget(self, namespace: str, log: str) -> None:
        """Show nothing more of a log: it is gone."""
        self._clear(namespace, log)
        self.durations.forget(namespace, log)

    def _clear(self, namespace: str, log: str) -> None:
        for gauge, labels in self._shown.pop((namespace, log), ()):
            gauge.remove(*labels)

    def count(self, step: str, outcome: str) -> None:
        """A step was taken. Both are of closed sets."""
        self.steps.labels(step, outcome).inc()

    def _gauge(self, name: str, meaning: str, label: str = "") -> Gauge:
        labels = (*_LOG, label) if label else _LOG
        self.rows.append((f"{_PREFIX}_{name}", "gauge", ", ".join(labels), meaning))
        return Gauge(f"{_PREFIX}_{name}", meaning, labels, registry=self._registry)

    def _set(self, gauge: Gauge, namespace: str, log: str, value: float, *more: str) -> None:
        labels = (namespace, log, *more)
        gauge.labels(*labels).set(value)
        self._shown[namespace, log].append((gauge, labels))


def _wanted(status: Mapping[str, Any]) -> float:
    """Once a log that hibernates takes no appends any more, no member of it is missed."""
    for found in status.get("conditions", ()):
        if found["type"] == "Available" and found["reason"] == "Hibernating":
            return 0.0
    return float(status.get("ready", "").partition("/")[2] or 0)
