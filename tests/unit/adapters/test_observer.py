"""What the driver tells becomes the metric that the document names."""

from replog.logs import Log
from replog_node.adapters.observer import Observer
from replog_node.metrics import NodeMetrics
from replog_node.model.positions import MemberId

A, B = MemberId("a"), MemberId("b")


def told(*leaders: MemberId | None) -> float | None:
    """How many changes of the leader are counted when these become known, one after the other."""
    metrics = NodeMetrics()
    observer = Observer(metrics, Log("replog_node.node"))
    for term, leader in enumerate(leaders, 1):
        observer.role("follower", term, leader)
    return metrics.registry.get_sample_value("replog_leader_changes_total")


def test_a_leader_that_is_lost_and_another_that_is_found_are_one_change() -> None:
    assert told(A) == 1
    assert told(A, A) == 1
    assert told(A, None, B) == 2
    assert told(None, A, None, None, A) == 1
    assert told(A, B, A) == 3


def test_a_write_counts_its_time_and_only_entries_have_a_size() -> None:
    metrics = NodeMetrics()
    observer = Observer(metrics, Log("replog_node.node"))

    observer.written(0.25, 5000)
    observer.written(0.5, 0)

    sample = metrics.registry.get_sample_value
    assert sample("replog_fsync_seconds_sum") == 0.75
    assert sample("replog_fsync_seconds_count") == 2
    assert sample("replog_group_bytes_sum") == 5000
    assert sample("replog_group_bytes_count") == 1
