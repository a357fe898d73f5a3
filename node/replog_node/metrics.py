"""What a node counts: one registry per node, every label bounded.

Decides: names, kinds, labels and buckets of all metrics (docs/metrics.md, checked by a test).
Counters and histograms are moved where things happen; gauges are taken when somebody asks, from
the status (`observe`) or from who knows (`watch`), so they cost the hot path nothing.
Must not know: who counts.
Read next: web/health.py (GET /metrics).
"""

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from replog.wire.schemas import ClusterStatus, Wait

_SECONDS: Final = (
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
_GROUP_BYTES: Final = tuple(float(256 * 4**step) for step in range(10))
_GROUP_RECORDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0, 1000.0, 5000.0, 20_000.0)

ROLES: Final = ("follower", "pre-candidate", "candidate", "leader")


class NodeMetrics:
    """All metrics of one node; the attributes are prometheus-client's own objects."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rows: list[tuple[str, str, str, str]] = []
        self._make_log_metrics()
        self._make_disk_metrics()
        self._make_consensus_metrics()
        self._make_http_metrics()
        self._waiting: tuple[str, ...] = ()
        self._requests: dict[tuple[str, str, int], Counter] = {}

    def _make_log_metrics(self) -> None:
        self.appends = self._counter("appends", "Batches committed that were appended here")
        self.duplicates = self._counter("duplicates", "Batches that were answered as repeats")
        self.records = self._counter("records", "Records committed that were appended here")
        self.record_bytes = self._counter("record_bytes", "Bytes of their batches")
        self.forwarded = self._counter("forwarded", "Batches sent on to the leader")
        self.commit_seconds = self._histogram(
            "commit_seconds", "From an append's arrival to its commit", _SECONDS
        )
        self.pending_bytes = self._gauge("pending_bytes", "Appends taken and not yet committed")

    def _make_disk_metrics(self) -> None:
        self.fsync_seconds = self._histogram(
            "fsync_seconds", "One write with its syncs, of all that waited together", _SECONDS
        )
        self.disk_free_bytes = self._gauge(
            "disk_free_bytes", "Free bytes of the data directory's file system, -1: not yet known"
        )
        self.disk_soft_limit_bytes = self._gauge(
            "disk_soft_limit_bytes", "With less free space data is refused (disk_soft_limit_bytes)"
        )
        self.snapshots = self._counter("snapshots", "Snapshots built here")
        self.snapshot_offset = self._gauge(
            "snapshot_offset", "Where the newest snapshot here ends, -1: none"
        )
        self.log_start_offset = self._gauge(
            "log_start_offset", "The first offset that may be read here"
        )
        self.group_bytes = self._histogram(
            "group_bytes", "Bytes of the entries of one such write", _GROUP_BYTES
        )
        self.group_records = self._histogram(
            "group_records", "Records that one entry holds", _GROUP_RECORDS
        )

    def _make_consensus_metrics(self) -> None:
        self.elections = self._counter("elections", "Elections that this member began")
        self.leader_changes = self._counter(
            "leader_changes", "Times that another leader than the one before became known"
        )
        self.role = self._gauge("role", "1 for the present role", ("role",))
        self.term = self._gauge("term", "Raft's current term")
        self.commit_offset = self._gauge("commit_offset", "Last committed offset, -1: none")
        self.applied_offset = self._gauge("applied_offset", "Last applied offset, -1: none")
        self.durable_offset = self._gauge("durable_offset", "Last offset durable here, -1: none")
        self.end_offset = self._gauge("end_offset", "One more than the last offset in this log")
        self.peers_connected = self._gauge("peers_connected", "Members connected to this one")
        self.members = self._gauge("members", "Members of the configuration by role", ("role",))
        self.waits = self._gauge("waits", "Seconds since a wait began, by its code", ("code",))

    def _make_http_metrics(self) -> None:
        self.http_requests = self._counter(
            "http_requests", "Requests answered", ("listener", "route", "status")
        )
        self.http_seconds = self._histogram(
            "http_seconds", "From head to answer, without long polls", _SECONDS, ("route",)
        )
        self.refusals = self._counter("refusals", "Requests refused, by code", ("code",))
        self.http_in_flight = self._gauge("http_in_flight", "Requests being served", ("listener",))

    def _counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        self._rows.append((f"replog_{name}_total", "counter", ", ".join(labels), text))
        return Counter(f"replog_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        self._rows.append((f"replog_{name}", "gauge", ", ".join(labels), text))
        return Gauge(f"replog_{name}", text, labels, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()
    ) -> Histogram:
        self._rows.append((f"replog_{name}", "histogram", ", ".join(labels), text))
        return Histogram(f"replog_{name}", text, labels, buckets=buckets, registry=self.registry)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Name, kind, labels, meaning of each metric, as docs/metrics.md lists them."""
        return list(self._rows)

    def count_request(self, listener: str, route: str, status: int) -> None:
        """Count an answer; the label's children are kept, because finding them costs more."""
        key = (listener, route, status)
        counter = self._requests.get(key)
        if counter is None:
            counter = self._requests[key] = self.http_requests.labels(listener, route, str(status))
        counter.inc()

    def observe(self, status: ClusterStatus, waits: Sequence[Wait]) -> None:
        """Set the gauges from what the member knows now."""
        for role in ROLES:
            self.role.labels(role).set(role == status.role)
        self.term.set(status.term)
        self.commit_offset.set(status.commit_offset)
        self.applied_offset.set(status.applied_offset)
        self.durable_offset.set(status.durable_offset)
        self.end_offset.set(status.last_offset + 1)
        for role in ("voter", "learner", "outgoing"):
            self.members.labels(role).set(sum(member.role == role for member in status.members))
        self._observe_waits(waits)

    def watch(
        self,
        *,
        pending_bytes: Callable[[], int],
        peers_connected: Callable[[], int],
        disk_free_bytes: Callable[[], int],
        disk_soft_limit_bytes: Callable[[], int],
        snapshot_offset: Callable[[], int],
        log_start_offset: Callable[[], int],
    ) -> None:
        """Take these gauges, whenever somebody asks, from where they are known."""
        self.pending_bytes.set_function(pending_bytes)
        self.peers_connected.set_function(peers_connected)
        self.disk_free_bytes.set_function(disk_free_bytes)
        self.disk_soft_limit_bytes.set_function(disk_soft_limit_bytes)
        self.snapshot_offset.set_function(snapshot_offset)
        self.log_start_offset.set_function(log_start_offset)

    def _observe_waits(self, waits: Sequence[Wait]) -> None:
        """Show the longest wait of each code, and no code that isn't waited for any more."""
        longest: dict[str, float] = {}
        for wait in waits:
            longest[wait.code] = max(wait.since_s, longest.get(wait.code, 0.0))
        for code in self._waiting:
            if code not in longest:
                self.waits.remove(code)
        for code, since_s in longest.items():
            self.waits.labels(code).set(since_s)
        self._waiting = tuple(longest)

    def text(self) -> bytes:
        """All of it in Prometheus' text form."""
        return generate_latest(self.registry)
