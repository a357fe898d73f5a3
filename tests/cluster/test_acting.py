"""The operator's own process takes a log where its resource says, and tells so."""

import signal
from pathlib import Path
from typing import Any

import pytest

from replog_operator.kube.kinds import (
    BUDGET,
    CLAIM,
    CONFIG_MAP,
    EVENT,
    LOG,
    NETWORK_POLICY,
    POD,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    TASK,
)
from replog_operator.kube.process import EXIT_DEPOSED
from tests.cluster import paths
from tests.cluster.accounts import operators_kubeconfig
from tests.cluster.loading import CLIENT, Load, client_pod
from tests.cluster.logs import log
from tests.cluster.managed import ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators
from tests.support.processes import eventually

OPERATOR = "replog_operator"
CHANGE_S = 100.0


def path(namespace: str) -> str:
    """Of the log `orders`."""
    return f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs/orders"


def ready(cluster: Cluster, namespace: str, voters: int) -> Any:
    """The log's status, once it is Ready with so many voters."""

    def look() -> Any:
        found = cluster.api.get(path(namespace))
        status = found.get("status") or {}
        whole = status.get("voters") == voters and status.get("summary") == "Ready"
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        return status if whole and current else None

    return eventually(f"{voters} members are ready", look, CHANGE_S)


@pytest.mark.timeout(400, func_only=True)
def test_a_log_is_founded_grows_and_shrinks_by_who_has_only_the_operators_rights(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    file = operators_kubeconfig(cluster, namespace, tmp_path)
    operator = Operator(cluster, namespace, "a", tmp_path, module=OPERATOR, kubeconfig=file)
    with operators(operator):
        cluster.api.create(path(namespace).rpartition("/")[0], log("orders"))
        for replicas in (1, 3, 1):
            cluster.api.merge(path(namespace), {"spec": {"replicas": replicas}})
            ready(cluster, namespace, replicas)
    assert "orbidden" not in operator.said()


@pytest.mark.timeout(400, func_only=True)
def test_a_lease_that_was_deleted_rises_above_the_number_that_the_log_remembers(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    spec = {"leaseTransitions": 40}
    cluster.api.create(leases, {"metadata": {"name": "replog-operator"}, "spec": spec})
    cluster.api.create(path(namespace).rpartition("/")[0], log("orders"))
    first, second = (
        Operator(cluster, namespace, name, tmp_path, module=OPERATOR) for name in ("a", "b")
    )
    with operators(first):
        ready(cluster, namespace, 1)
    assert epoch(cluster, namespace) == 41
    cluster.api.delete(f"{leases}/replog-operator")
    with operators(second):
        eventually("the log is told", lambda: epoch(cluster, namespace) == 42, CHANGE_S)
    assert cluster.api.get(f"{leases}/replog-operator")["spec"]["leaseTransitions"] == 42


def epoch(cluster: Cluster, namespace: str) -> int:
    """Of the operator that the log obeys."""
    return int(Members(cluster, namespace).status(0)["target"]["epoch"])


@pytest.mark.timeout(400, func_only=True)
def test_one_that_was_paused_and_deposed_leaves_all_as_it_is_when_it_wakes_to_work_that_is_due(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    """Its successor stands still meanwhile, so that whatever is done, the deposed one has done.

    Clients append all the while, and every acknowledged record is found, once and in order.
    """
    cluster.api.create(path(namespace).rpartition("/")[0], log("orders", replicas=3))
    deposed, successor = (
        Operator(cluster, namespace, name, tmp_path, module=OPERATOR) for name in ("a", "b")
    )
    with operators(deposed), client_pod(cluster, namespace):
        ready(cluster, namespace, 3)
        load = Load(cluster, namespace, "orders")
        with operators(successor):
            deposed.signal(signal.SIGSTOP)
            eventually("the other acts", lambda: epoch(cluster, namespace) == 2, CHANGE_S)
            ready(cluster, namespace, 3)
            successor.signal(signal.SIGSTOP)
            due = {"replicas": 5, "networkPolicy": {"enabled": False}}
            cluster.api.merge(path(namespace), {"spec": due})
            before, said = everything(cluster, namespace), steps(deposed)

            deposed.signal(signal.SIGCONT)
            assert deposed.wait() == EXIT_DEPOSED, deposed.said()
            assert everything(cluster, namespace) == before
            assert steps(deposed) == said
            assert lease(cluster, namespace)["leaseTransitions"] == 2

            successor.signal(signal.SIGCONT)
            ready(cluster, namespace, 5)
            loaded = load.end()
            found = ManagedLog(cluster, namespace, successor.said).read(CLIENT)
            assert found == [str(number) for number in range(loaded.acknowledged)]
            assert successor.alive
    assert epoch(cluster, namespace) == 2
    assert lease(cluster, namespace)["holderIdentity"].startswith("b-")


def everything(cluster: Cluster, namespace: str) -> dict[str, str]:
    """The version of every object that an operator may write, by its path; not the lease."""
    found = {}
    for kind in (LOG, TASK, POD, CLAIM, SERVICE, CONFIG_MAP, SERVICE_ACCOUNT, EVENT, STATEFUL_SET,
                 BUDGET, NETWORK_POLICY):  # fmt: skip
        group = f"/apis/{kind.api_version}" if "/" in kind.api_version else paths.CORE
        for item in cluster.api.items(paths.of(group, namespace, kind.plural)):
            metadata = item["metadata"]
            found[f"{kind.plural}/{metadata['name']}"] = metadata["resourceVersion"]
    return found


def steps(operator: Operator) -> int:
    """How many it says that it took."""
    return operator.said().count('"event":"step"')


def lease(cluster: Cluster, namespace: str) -> Any:
    """Who holds it, in which number."""
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    return cluster.api.get(f"{leases}/replog-operator")["spec"]
