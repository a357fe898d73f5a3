"""What the driver tells, as metrics and log lines.

Decides: which event is which metric and which line. Must not know: why things happen.
Read next: ../metrics.py, replog/logs.py.
"""

from typing import Any

from replog.logs import Log
from replog_node.driver.snapshots import SNAPSHOT_BUILT
from replog_node.metrics import NodeMetrics
from replog_node.model.positions import MemberId


class Observer:
    """driver.ports.ObserverPort over the node's metrics and log."""

    def __init__(self, metrics: NodeMetrics, log: Log) -> None:
        self._metrics = metrics
        self._log = log
        self._leader: MemberId | None = None  # the last that was known

    def committed(self, batches: int, records: int, size_bytes: int, waited_s: float) -> None:
        """See ObserverPort."""
        self._metrics.appends.inc(batches)
        self._metrics.records.inc(records)
        self._metrics.record_bytes.inc(size_bytes)
        self._metrics.commit_seconds.observe(waited_s)

    def duplicate(self) -> None:
        """See ObserverPort."""
        self._metrics.duplicates.inc()

    def forwarded(self, batches: int) -> None:
        """See ObserverPort."""
        self._metrics.forwarded.inc(batches)

    def grouped(self, records: int) -> None:
        """See ObserverPort."""
        self._metrics.group_records.observe(records)

    def role(self, role: str, term: int, leader: MemberId | None) -> None:
        """See ObserverPort."""
        if role == "candidate":
            self._metrics.elections.inc()
        if leader is not None and leader != self._leader:
            self._metrics.leader_changes.inc()
            self._leader = leader
        self._log.info("role_changed", role=role, term=term, leader=leader)

    def written(self, seconds: float, size_bytes: int) -> None:
        """Entries of so many bytes, 0 for a vote alone, were made durable by one write."""
        self._metrics.fsync_seconds.observe(seconds)
        if size_bytes:
            self._metrics.group_bytes.observe(size_bytes)

    def note(self, level: str, event: str, **fields: object) -> None:
        """See ObserverPort."""
        if event == SNAPSHOT_BUILT:
            self._metrics.snapshots.inc()
        said: dict[str, Any] = {name: str(value) for name, value in fields.items()}
        match level:
            case "error":
                self._log.error(event, **said)
            case "warning":
                self._log.warning(event, **said)
            case "info":
                self._log.info(event, **said)
            case _:
                self._log.debug(event, **said)
