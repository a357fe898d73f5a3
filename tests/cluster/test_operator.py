"""The operator takes a log from nothing to where its resource wants it, under load."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.loading import CLIENT, Load, client_pod
from tests.cluster.managed import ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators


@pytest.fixture
def log(
    cluster: Cluster, namespace: str, definitions: None, tmp_path: Path
) -> Iterator[ManagedLog]:
    """The operator runs; there is no log yet, and a client waits."""
    operator = Operator(cluster, namespace, "one", tmp_path, module="replog_operator")
    with operators(operator), client_pod(cluster, namespace):
        yield ManagedLog(cluster, namespace, operator.said)


def test_a_sample_becomes_a_log_that_is_written_and_read_through_its_service(
    log: ManagedLog,
) -> None:
    log.apply("three")
    log.wait_until_ready(3)

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
    log.apply("three")
    log.wait_until_ready(3)
    load = Load(cluster, log.namespace, "orders")

    log.scale(5)
    log.wait_until_ready(5)
    log.scale(3)
    log.wait_until_ready(3)
    loaded = load.end()

    assert loaded.acknowledged > 100
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
