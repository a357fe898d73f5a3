"""What a log goes on through: the API server or etcd is killed, pods end one after the other."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import paths
from tests.cluster.loading import CLIENT, LastingLoad, Load, client_pod
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators
from tests.cluster.pausing import wait_for_another
from tests.support import SHOWN

GO_ON_S = 5.0
"""Writes go on: no append waits for so long while a member is out."""


@pytest.fixture
def operator(
    cluster: Cluster, namespace: str, definitions: None, tmp_path: Path
) -> Iterator[Operator]:
    """One that may be started again, as its Deployment does it."""
    found = Operator(cluster, namespace, "one", tmp_path, module="replog_operator")
    with operators(found), client_pod(cluster, namespace):
        yield found


@pytest.mark.timeout(400, func_only=True)
def test_members_come_and_go_although_api_server_and_etcd_are_killed_and_no_record_is_lost(
    cluster: Cluster,
    namespace: str,
    operator: Operator,
    record_property: Callable[[str, object], None],
) -> None:
    log = ManagedLog(cluster, namespace, operator.said)
    log.apply("three")
    log.wait_until_ready(3)
    load = LastingLoad(cluster, namespace, LOG)

    for replicas, daemon in ((5, "kube-apiserver"), (3, "etcd")):
        log.scale(replicas)
        cluster.daemons[daemon].kill()
        cluster.daemons[daemon].start()
        cluster.wait_for_api()
        if not operator.alive:  # its lease was not renewed in time
            operator.start()
        log.wait_until_ready(replicas)

    loaded = load.end()
    record_property(SHOWN, f"API server, then etcd killed: gaps {loaded.told()}")
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]


@pytest.mark.timeout(400, func_only=True)
def test_each_pod_is_deleted_in_turn_under_load_and_no_record_is_lost(
    cluster: Cluster,
    namespace: str,
    log: ManagedLog,
    record_property: Callable[[str, object], None],
) -> None:
    load = Load(cluster, namespace, LOG)

    for name, pod in sorted(log.pods().items()):
        log.kubectl("delete", "pod", name, "--wait=false")
        wait_for_another(cluster, namespace, name, pod["metadata"]["uid"])
        log.wait_until_ready(3)

    loaded = load.end()
    record_property(SHOWN, f"each of three pods deleted in turn: {loaded.told()}")
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]


@pytest.mark.timeout(400, func_only=True)
def test_kubectl_drain_takes_one_member_and_all_have_caught_up_after_uncordon(
    cluster: Cluster,
    namespace: str,
    log: ManagedLog,
    record_property: Callable[[str, object], None],
) -> None:
    """The only host of this cluster: a member that is taken finds none before it is uncordoned."""
    budget = paths.of(paths.POLICY, namespace, "poddisruptionbudgets", LOG)
    log.wait("one may be taken", lambda: cluster.api.get(budget)["status"]["disruptionsAllowed"])
    before = {name: pod["metadata"]["uid"] for name, pod in log.pods().items()}
    host = cluster.kubectl("get", "nodes", "-o", "name").strip().removeprefix("node/")
    load = Load(cluster, namespace, LOG)
    began_s = time.time()

    try:
        drained = cluster.kubectl.run(
            "drain", host, f"--pod-selector=app.kubernetes.io/instance={LOG}",
            "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=15s",
        )  # fmt: skip
        assert drained.code != 0 and "disruption budget" in drained.complaint
        after = {name: pod["metadata"]["uid"] for name, pod in log.pods().items()}
        assert sum(before[name] == after.get(name) for name in before) == 2, "one was taken"
        ended_s = time.time()
    finally:
        cluster.kubectl("uncordon", host)

    log.wait_until_ready(3)
    loaded = load.end()
    record_property(SHOWN, f"kubectl drain and uncordon: gaps {loaded.told()}")
    assert loaded.longest_within(began_s, ended_s) < GO_ON_S < ended_s - began_s, loaded.told()
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
    members = Members(cluster, namespace)

    def have_caught_up() -> bool:
        said = [members.status(ordinal) for ordinal in range(3)]
        ends = {(each["commit_offset"], each["applied_offset"]) for each in said}
        return len(ends) == 1 and all(each["state"] == "member" for each in said)

    log.wait("all say that they are as far", have_caught_up)
