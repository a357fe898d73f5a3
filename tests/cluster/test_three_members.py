"""Three members in pods that nobody manages are a log: the image, its children, its calls."""

import pytest

from tests.cluster import paths
from tests.cluster.members import CHANGE_S, LOG, Members
from tests.cluster.node import Cluster
from tests.cluster.pausing import wait_for_another, wait_for_pods
from tests.support.processes import eventually

VALUES = [f"value {number}" for number in range(5)]


@pytest.fixture
def members(cluster: Cluster, namespace: str) -> Members:
    """A log of three members."""
    made = Members(cluster, namespace)
    made.make()
    made.wait_until_they_answer()
    made.found()
    wait_for_pods(cluster, namespace)
    eventually("the Service leads to them", made.is_served, CHANGE_S)
    return made


def test_what_is_appended_through_the_service_is_read_through_it(members: Members) -> None:
    for value in VALUES:
        members.append(value.encode())

    assert members.values() == VALUES


def test_each_member_deleted_in_turn_comes_back_to_its_data_and_its_place(
    cluster: Cluster, members: Members
) -> None:
    members.append(b"kept")
    for ordinal in range(3):
        before = members.status(ordinal)["member"]
        name = f"{LOG}-{ordinal}"
        uid = cluster.api.get(paths.pods(members.namespace, name))["metadata"]["uid"]

        cluster.api.delete(paths.pods(members.namespace, name))
        wait_for_another(cluster, members.namespace, name, uid)

        assert members.status(ordinal)["member"] == before
        assert eventually("it is read", members.values, CHANGE_S) == ["kept"]
