"""The operator's metrics show each log as its status does, documented and bounded."""

from prometheus_client import CollectorRegistry

from replog_operator.kube.gauges import LOGS_MAX, LogGauges
from replog_operator.kube.picture import OperationRow, Picture, WaitRow
from replog_operator.kube.status import status
from tests.unit.house.files import text_of
from tests.unit.kube.pictures import picture

THEN_S = 1795600000.0
PLACE = {"namespace": "shop", "log": "orders"}


def showing(*pictures: Picture) -> CollectorRegistry:
    """The registry after these pictures, one after the other."""
    registry = CollectorRegistry()
    gauges = LogGauges(registry)
    for found in pictures:
        gauges.show("shop", "orders", status(found, {}, THEN_S))
    return registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(f"replog_operator_{name}", PLACE | labels)


def test_a_wait_is_shown_with_its_beginning_and_goes_when_it_is_over() -> None:
    waiting = picture(waits=(WaitRow("NoLeader", ""),))
    name = "wait_since_timestamp_seconds"

    assert value(showing(waiting), name, code="NoLeader") == THEN_S
    assert value(showing(waiting, picture()), name, code="NoLeader") is None


def test_an_operation_is_shown_with_its_beginning() -> None:
    scaling = picture(operation=OperationRow("Scale", "3 become 5"))

    found = value(showing(scaling), "operation_since_timestamp_seconds", kind="Scale")

    assert found == THEN_S


def test_conditions_are_numbers() -> None:
    found = showing(picture(updated=None))

    assert value(found, "condition", type="Ready") == 1
    assert value(found, "condition", type="Degraded") == 0
    assert value(found, "condition", type="Updated") == -1


def test_what_nobody_knows_is_below_zero() -> None:
    assert value(showing(picture()), "tolerates") == 1
    assert value(showing(picture(tolerates=None)), "tolerates") == -1


def test_a_log_that_is_gone_is_not_shown() -> None:
    registry = CollectorRegistry()
    gauges = LogGauges(registry)
    gauges.show("shop", "orders", status(picture(), {}, THEN_S))

    gauges.forget("shop", "orders")
    gauges.forget("shop", "never-there")

    assert value(registry, "voters") is None


def test_so_many_logs_are_shown_and_no_more() -> None:
    registry = CollectorRegistry()
    gauges = LogGauges(registry)
    found = status(picture(), {}, THEN_S)
    for number in range(LOGS_MAX + 1):
        gauges.show("shop", f"log-{number}", found)

    shown = [sample for metric in registry.collect() for sample in metric.samples
             if sample.name == "replog_operator_voters"]  # fmt: skip
    assert len(shown) == LOGS_MAX


def test_steps_are_counted_by_what_became_of_them() -> None:
    registry = CollectorRegistry()
    gauges = LogGauges(registry)
    gauges.count("SetTarget", "done")
    gauges.count("SetTarget", "done")

    labels = {"step": "SetTarget", "outcome": "done"}
    assert registry.get_sample_value("replog_operator_steps_total", labels) == 2


def test_the_document_has_each_metric_word_by_word() -> None:
    rows = LogGauges(CollectorRegistry()).rows
    lines = [line for line in text_of("docs/operator-metrics.md").splitlines()
             if line.startswith("| `")]  # fmt: skip

    assert lines[: len(rows)] == [f"| `{name}` | {' | '.join(cells)} |" for name, *cells in rows]
