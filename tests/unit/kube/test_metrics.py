"""What the operator's process counts (replog_operator/kube/metrics.py)."""

import time

import pytest

from replog_operator.kube.metrics import OperatorMetrics
from replog_operator.kube.workqueue import Key
from tests.unit.house.files import text_of

KEY = Key("ns", "orders")


@pytest.mark.asyncio
async def test_a_pass_is_counted_by_how_it_ended_and_a_log_that_is_gone_is_shown_no_more() -> None:
    metrics = OperatorMetrics()
    metrics.logs.show("ns", "orders", {})

    async def fails(key: Key) -> float | None:
        raise RuntimeError

    async def gone(key: Key) -> float | None:
        return None

    with pytest.raises(RuntimeError):
        await metrics.measured(fails)(KEY)
    assert b'log="orders"' in metrics.text()
    assert await metrics.measured(gone)(KEY) is None
    text = metrics.text().decode()
    assert 'replog_operator_passes_total{outcome="failed"} 1.0' in text
    assert 'replog_operator_passes_total{outcome="well"} 1.0' in text
    assert "replog_operator_pass_seconds_count 2.0" in text
    assert 'log="orders"' not in text


def test_the_passes_under_way_are_shown_with_their_begin_as_a_time_of_day() -> None:
    metrics = OperatorMetrics()
    metrics.show_passes({KEY: 90.0}, lambda: 100.0)
    name = "replog_operator_pass_since_timestamp_seconds"
    value = metrics.registry.get_sample_value(name, {"namespace": "ns", "log": "orders"})
    assert value == pytest.approx(time.time() - 10.0, abs=1.0)
    metrics.show_passes({}, lambda: 100.0)
    assert metrics.registry.get_sample_value(name, {"namespace": "ns", "log": "orders"}) is None


def test_the_document_has_a_row_for_each_metric() -> None:
    rows = OperatorMetrics().rows
    lines = [line for line in text_of("docs/operator-metrics.md").splitlines()
             if line.startswith("| `")]  # fmt: skip
    wanted = [f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows]
    assert lines[-len(rows) :] == wanted
