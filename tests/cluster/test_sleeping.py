"""A log that hibernates has no pods and keeps its members and data, whatever becomes of it then."""

import pytest

from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster

MEMBERS = f"app.kubernetes.io/instance={LOG}"


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, with two records."""
    log.append(CLIENT, "one\ntwo\n")
    return log


def sleep(log: ManagedLog) -> None:
    """Until there is no pod, and it is told."""
    log.merge(hibernate=True)
    log.wait("all pods end", lambda: not log.objects("pods", MEMBERS))
    log.wait("it is told", lambda: log.resource()["status"]["summary"] == "Hibernating")


def ids(log: ManagedLog) -> set[str]:
    """The members, by their own names."""
    return {member["id"] for member in log.resource()["status"]["members"]}


@pytest.mark.timeout(400, func_only=True)
def test_a_log_sleeps_wakes_and_is_made_anew_out_of_its_sleep_with_nothing_lost(
    cluster: Cluster, log: ManagedLog
) -> None:
    before, cluster_id = ids(log), log.resource()["status"]["clusterID"]

    sleep(log)
    assert (log.condition("Available"), len(log.objects("pvc", MEMBERS))) == ("False", 3)
    scaled = cluster.kubectl.run("-n", log.namespace, "scale", "rlog", LOG, "--replicas=5")
    assert scaled.code != 0 and "a log that hibernates keeps its members" in scaled.complaint

    log.merge(hibernate=False)
    log.wait_until_ready(3)
    assert (log.read(CLIENT), ids(log)) == (["one", "two"], before)
    log.append(CLIENT, "three\n")

    sleep(log)
    log.kubectl("delete", "rlog", LOG)
    log.wait("its StatefulSet goes with it", lambda: not log.objects("statefulset", MEMBERS))
    assert len(log.objects("pvc", MEMBERS)) == 3, "data stays"
    log.apply("three", hibernate=True)
    log.wait("it sleeps on", lambda: log.resource().get("status", {}).get("summary"))
    assert log.objects("pods", MEMBERS) == []
    log.merge(hibernate=False)
    log.wait_until_ready(3)
    assert (log.read(CLIENT), ids(log)) == (["one", "two", "three"], before)
    assert log.resource()["status"]["clusterID"] == cluster_id
