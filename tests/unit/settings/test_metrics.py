"""Metrics: documented, with bounded labels, gauges as of now."""

from pathlib import Path

import msgspec

from replog.wire.schemas import ClusterStatus, MemberStatus, Wait
from replog_node.metrics import NodeMetrics

STATUS = ClusterStatus(
    member="m1", incarnation=1, state="member", cluster_id="c", lineage="1.x", role="leader",
    term=4, leader="m1", leader_client_address=None, commit_offset=9, applied_offset=8,
    durable_offset=11, last_offset=12, log_start_offset=0, configuration_offset=0, joint=False,
    members=[MemberStatus("m1", "a:1", "voter"), MemberStatus("m2", "a:2", "learner")],
    target=None, admitting=True, version="0", feature_level=1,
)  # fmt: skip


def value(metrics: NodeMetrics, name: str, **labels: str) -> float | None:
    """The sample of this name and labels; None when there is none."""
    return metrics.registry.get_sample_value(name, labels)


def test_gauges_show_what_the_status_says_now() -> None:
    metrics = NodeMetrics()

    metrics.observe(STATUS, [])
    metrics.observe(msgspec.structs.replace(STATUS, role="follower"), [])

    offsets = [value(metrics, f"replog_{name}_offset") for name in ("commit", "applied", "end")]
    assert offsets == [9, 8, 13]
    assert value(metrics, "replog_role", role="leader") == 0
    assert value(metrics, "replog_role", role="follower") == 1
    assert value(metrics, "replog_members", role="voter") == 1
    assert value(metrics, "replog_term") == 4


def test_a_wait_is_shown_by_code_with_its_longest_time_and_goes_when_it_is_over() -> None:
    metrics = NodeMetrics()

    metrics.observe(STATUS, [Wait("PeerUnreachable", "", "", s, "") for s in (3.0, 5.0, 4.0)])
    assert value(metrics, "replog_waits", code="PeerUnreachable") == 5.0
    metrics.observe(STATUS, [])
    assert value(metrics, "replog_waits", code="PeerUnreachable") is None


def test_requests_are_counted_by_listener_route_and_status() -> None:
    metrics = NodeMetrics()

    for status in (200, 200, 404):
        metrics.count_request("client", "GET /v1/log", status)

    labels = {"listener": "client", "route": "GET /v1/log"}
    assert value(metrics, "replog_http_requests_total", status="200", **labels) == 2
    assert value(metrics, "replog_http_requests_total", status="404", **labels) == 1


def test_two_nodes_in_one_process_share_no_metric() -> None:
    first, second = NodeMetrics(), NodeMetrics()

    first.appends.inc()

    assert value(second, "replog_appends_total") == 0
    assert b"replog_appends_total 1.0" in first.text()


def test_the_document_lists_each_metric_with_kind_labels_and_meaning() -> None:
    document = Path("docs/metrics.md").read_text(encoding="utf-8")
    rows = [
        tuple(cell.strip(" `") for cell in line.split("|")[1:5])
        for line in document.splitlines()
        if line.startswith("| `")
    ]

    assert rows == NodeMetrics().rows()
