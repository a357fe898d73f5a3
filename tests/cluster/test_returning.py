"""What was deleted comes back: data outlives StatefulSets and resources, unless it is to go too."""

import pytest

from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog

MEMBERS = f"app.kubernetes.io/instance={LOG}"


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, with two records."""
    log.append(CLIENT, "one\ntwo\n")
    return log


def cluster_id(log: ManagedLog) -> str:
    """Whose data it is."""
    return str(log.resource()["status"]["clusterID"])


@pytest.mark.timeout(400, func_only=True)
def test_a_deleted_stateful_set_is_made_anew_over_the_same_data(log: ManagedLog) -> None:
    before = cluster_id(log)

    log.kubectl("delete", "statefulset", LOG)
    log.wait_until_ready(3)

    assert log.read(CLIENT) == ["one", "two"]
    assert cluster_id(log) == before


@pytest.mark.timeout(400, func_only=True)
def test_a_resource_that_is_made_anew_with_fewer_or_more_replicas_finds_its_data(
    log: ManagedLog,
) -> None:
    before = cluster_id(log)

    for sample, replicas in (("one", 1), ("three", 3)):
        log.kubectl("delete", "rlog", LOG)
        log.wait("its pods go with it", lambda: not log.objects("pods", MEMBERS))
        assert len(log.objects("pvc", MEMBERS)) == 3, "data stays"
        log.apply(sample)
        log.wait_until_ready(replicas)

        assert log.read(CLIENT) == ["one", "two"]
        assert cluster_id(log) == before


@pytest.mark.timeout(400, func_only=True)
def test_data_goes_with_the_resource_once_the_status_says_so(log: ManagedLog) -> None:
    storage = log.resource()["spec"]["storage"]

    log.merge(storage=storage | {"retention": "Delete"})
    log.wait("it is in force", lambda: log.resource()["status"]["retention"] == "Delete")
    log.kubectl("delete", "rlog", LOG)

    log.wait("its pods go with it", lambda: not log.objects("pods", MEMBERS))
    log.wait("so does its data", lambda: not log.objects("pvc", MEMBERS))
    assert log.objects("statefulset", MEMBERS) == []
