"""The operator takes a log from nothing to where its resource wants it, under load."""

import time
from collections.abc import Callable

import pytest

from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import ManagedLog
from tests.cluster.node import Cluster
from tests.support import SHOWN

READY_S = 60.0


def test_a_sample_becomes_a_log_that_is_written_and_read_through_its_service(
    unmade: ManagedLog, record_property: Callable[[str, object], None]
) -> None:
    log, began_s = unmade, time.monotonic()
    log.apply("three")
    log.wait_until_ready(3)
    took_s = time.monotonic() - began_s
    record_property(SHOWN, f"a log of three is ready {took_s:.1f} s after its resource was applied")
    assert took_s < READY_S

    log.append(CLIENT, "one\ntwo\n")

    assert log.read(CLIENT) == ["one", "two"]
    name, ready, voters, leader, tolerates, *rest = columns(log)
    assert (name, ready, voters, tolerates) == ("orders", "3/3", "3", "1")
    assert leader.startswith("orders-") and "Ready" in rest


def columns(log: ManagedLog) -> list[str]:
    """The row of `kubectl get rlog`."""
    return log.kubectl("get", "rlog", "orders").splitlines()[1].split()


@pytest.mark.timeout(400)
def test_members_come_and_go_under_load_and_every_acknowledged_record_is_there_once(
    cluster: Cluster, log: ManagedLog
) -> None:
    load = Load(cluster, log.namespace, "orders")

    for replicas in (5, 3, 1, 3):
        log.scale(replicas)
        log.wait_until_ready(replicas)
    loaded = load.end()

    assert loaded.acknowledged > 100
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
