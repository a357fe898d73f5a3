"""The operator takes a log from nothing to where its resource wants it, under load."""

import time
from collections.abc import Callable

import pytest

from tests.cluster.loading import CLIENT, TRANSFER_S, Load
from tests.cluster.managed import ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.records import JOINT, joint_changes, records
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


SCALES = ((5, None), (3, 4), (1, 2), (3, None))
"""Replicas, and who of those that leave leads before."""


@pytest.mark.timeout(400, func_only=True)
def test_members_come_and_go_under_load_by_one_joint_change_each_and_no_record_is_lost(
    cluster: Cluster, log: ManagedLog, record_property: Callable[[str, object], None]
) -> None:
    members = Members(cluster, log.namespace)
    founded = joint_changes(records(members, log, 0))
    load, leaving = Load(cluster, log.namespace, "orders"), []

    for replicas, leader in SCALES:
        if leader is not None:
            members.lead(leader)
        began_s = time.time()
        log.scale(replicas)
        log.wait_until_ready(replicas)
        if leader is not None:
            leaving.append((began_s, time.time()))
    loaded = load.end()

    record_property(SHOWN, f"3, 5, 3, 1, 3 members: gaps between appends {loaded.told()}")
    assert loaded.acknowledged > 100
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
    for ordinal in range(3):
        changes = joint_changes(records(members, log, ordinal))
        assert changes[: len(founded)] == founded
        assert_one_each(changes[len(founded) :])
    for began_s, until_s in leaving:
        assert loaded.longest_within(began_s, until_s) < TRANSFER_S, loaded.told()


def assert_one_each(changes: list[tuple[str, str, int]]) -> None:
    """One enter-joint and one leave-joint record for each scale, both of one operation."""
    wanted = [(kind, replicas) for replicas, _ in SCALES for kind in JOINT]
    assert [(kind, voters) for kind, _, voters in changes] == wanted
    operations = [operation for _, operation, _ in changes]
    assert operations[::2] == operations[1::2]
    assert len(set(operations)) == len(SCALES)
