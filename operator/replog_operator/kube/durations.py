"""How long operations and waits of logs lasted, once they are over, as histograms.

Both are seen as one status of a log after the other: what stood there and stands there no more is
over. What ends while no operator looks is not counted, nor what ends with its log.

Decides: what is one and the same operation (its kind, whatever its step), names and buckets.
Must not know: how many logs there are (gauges.py bounds them).
Read next: gauges.py, status.py.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, Histogram

from replog_operator.kube.pods import seconds

_SECONDS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
_PREFIX: Final = "replog_operator"


class _Seen(NamedTuple):
    """What a log was in the middle of, with the moments, since 1970, at which it began."""

    kind: str
    since_s: float
    waits: Mapping[str, float]


_NOTHING: Final = _Seen("", 0.0, {})


class Durations:
    """Attributes are prometheus-client's own objects. rows: name, kind, labels, meaning."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        """clock: seconds since 1970, as the times in a status are."""
        self._registry = registry
        self._clock = clock
        self._seen: dict[tuple[str, str], _Seen] = {}
        self.rows: list[tuple[str, str, str, str]] = []
        self.operations = self._histogram(
            "operation_seconds", "kind", "From an operation's begin to its end, all steps of a kind"
        )
        self.waits = self._histogram(
            "wait_seconds", "code", "How long waits lasted that are over, by what was waited for"
        )

    def saw(self, namespace: str, log: str, status: Mapping[str, Any]) -> None:
        """Count what is over now."""
        before = self._seen.get((namespace, log), _NOTHING)
        now = self._seen[namespace, log] = _seen(status, before)
        at_s = self._clock()
        if before.kind and before.kind != now.kind:
            self.operations.labels(before.kind).observe(max(0.0, at_s - before.since_s))
        for code, since_s in before.waits.items():
            if code not in now.waits:
                self.waits.labels(code).observe(max(0.0, at_s - since_s))

    def forget(self, namespace: str, log: str) -> None:
        """The log is gone."""
        self._seen.pop((namespace, log), None)

    def _histogram(self, name: str, label: str, meaning: str) -> Histogram:
        name = f"{_PREFIX}_{name}"
        self.rows.append((name, "histogram", label, meaning))
        return Histogram(name, meaning, (label,), buckets=_SECONDS, registry=self._registry)


def _seen(status: Mapping[str, Any], before: _Seen) -> _Seen:
    """A step's time is that of the step: an operation began with the first that was seen of it."""
    operation = status.get("operation") or {}
    kind = str(operation.get("kind", ""))
    since_s = seconds(operation["since"], 0.0) if kind else 0.0
    waits = {wait["code"]: seconds(wait["since"], 0.0) for wait in status.get("waits", ())}
    return _Seen(kind, before.since_s if kind == before.kind else since_s, waits)
