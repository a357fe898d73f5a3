"""The operator's metrics show each log as its status does, documented and bounded."""

from typing import Any

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


def test_the_members_that_are_wanted_are_none_once_a_log_hibernates() -> None:
    asleep = picture(hibernating=True, admitting=False, wanted=3)

    assert value(showing(picture(wanted=3)), "wanted") == 3
    assert value(showing(asleep), "wanted") == 0
    assert value(showing(asleep._replace(admitting=True)), "wanted") == 3


def passing(*pictures: Picture) -> CollectorRegistry:
    """The registry after these pictures, ten seconds between each two."""
    registry, before = CollectorRegistry(), dict[str, Any]()
    now = iter(range(int(THEN_S), int(THEN_S) + 1000, 10))
    at_s = float(next(now))
    gauges = LogGauges(registry, lambda: at_s)
    for found in pictures:
        before = status(found, before, at_s)
        gauges.show("shop", "orders", before)
        at_s = float(next(now))
    return registry


def lasted(registry: CollectorRegistry, name: str, **labels: str) -> tuple[float, float] | None:
    """How many are over, and how long they lasted together; None: nothing is known of any."""
    count = registry.get_sample_value(f"replog_operator_{name}_count", labels)
    total = registry.get_sample_value(f"replog_operator_{name}_sum", labels)
    return None if count is None or total is None else (count, total)


def test_an_operation_that_is_over_is_counted_with_all_its_steps() -> None:
    first = picture(operation=OperationRow("Scale", "3 become 5"))
    second = picture(operation=OperationRow("Scale", "pods come"))
    rolling = picture(operation=OperationRow("Roll", "orders-0 is replaced"))

    assert lasted(passing(first, second), "operation_seconds", kind="Scale") is None
    assert lasted(passing(first, second, rolling), "operation_seconds", kind="Scale") == (1, 20)
    twice = passing(first, second, rolling, picture(), first, picture())
    assert lasted(twice, "operation_seconds", kind="Scale") == (2, 30)
    assert lasted(twice, "operation_seconds", kind="Roll") == (1, 10)


def test_a_wait_that_is_over_is_counted_by_its_code() -> None:
    both = picture(waits=(WaitRow("NoLeader", ""), WaitRow("LearnerBehind", "")))
    one = picture(waits=(WaitRow("NoLeader", "other evidence"),))

    found = passing(both, one, one, picture())

    assert lasted(found, "wait_seconds", code="LearnerBehind") == (1, 10)
    assert lasted(found, "wait_seconds", code="NoLeader") == (1, 30)


def test_what_ends_with_its_log_is_not_counted() -> None:
    registry = CollectorRegistry()
    gauges = LogGauges(registry)
    waiting = picture(waits=(WaitRow("NoLeader", ""),))
    gauges.show("shop", "orders", status(waiting, {}, THEN_S))
    gauges.forget("shop", "orders")
    gauges.show("shop", "orders", status(picture(), {}, THEN_S))

    assert lasted(registry, "wait_seconds", code="NoLeader") is None


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
