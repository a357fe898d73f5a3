"""Of several operators one acts, whatever is done to it (kube/lease.py, election.py, fence.py)."""

import signal
from pathlib import Path
from typing import Any

import pytest

from replog_operator.kube.children.names import labels
from replog_operator.kube.lease import Timing
from replog_operator.kube.process import EXIT_DEPOSED, EXIT_STOPPED
from tests.cluster.accounts import operators_kubeconfig
from tests.cluster.logs import log, pod
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators
from tests.support.processes import eventually

LAPSE_S = Timing().duration_s + 30.0
MEMORY_BYTES = 100 * 2**20
"""64 MiB with kopf and the client; their typed models, once used, would take as much again."""
QUICK = {"MARK_EVERY_S": "0.05"}


@pytest.fixture
def served(cluster: Cluster, definitions: None, namespace: str) -> str:
    """A namespace with one log."""
    path = f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs"
    cluster.api.create(path, log("orders"))
    return namespace


def two(cluster: Cluster, namespace: str, directory: Path) -> list[Operator]:
    """Two that want one lease."""
    return [Operator(cluster, namespace, name, directory, environment=QUICK) for name in "ab"]


def lease(cluster: Cluster, namespace: str) -> tuple[str, int]:
    """Whose pod holds it, and its number."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/replog-operator"
    spec = (cluster.api.found(path) or {"spec": {}})["spec"]
    return spec.get("holderIdentity", "").rpartition("-")[0], spec.get("leaseTransitions", 0)


def mark(cluster: Cluster, namespace: str, name: str) -> Any:
    """What this pod has written; None: nothing."""
    return cluster.api.found(f"/api/v1/namespaces/{namespace}/configmaps/mark-{name}")


def marked(cluster: Cluster, namespace: str, name: str) -> str:
    """The version of its mark, once it has one."""
    found = eventually(f"{name} acts", lambda: mark(cluster, namespace, name), LAPSE_S)
    return str(found["metadata"]["resourceVersion"])


def test_one_of_two_acts_and_hands_over_at_once_when_it_is_stopped(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    pair = two(cluster, served, tmp_path)
    with operators(*pair):
        holder, number = eventually(
            "one holds the lease", lambda: held if (held := lease(cluster, served))[0] else None
        )
        acting, waiting = pair if holder == "a" else pair[::-1]
        marked(cluster, served, acting.name)
        assert number == 1 and mark(cluster, served, waiting.name) is None
        acting.signal(signal.SIGTERM)
        assert acting.wait() == EXIT_STOPPED, acting.said()
        eventually(
            "the other holds it, long before it would have run out",
            lambda: lease(cluster, served) == (waiting.name, 2),
            Timing().write_s,
        )
        marked(cluster, served, waiting.name)


def test_after_a_crash_the_other_acts_once_the_lease_has_run_out(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    first, second = (
        Operator(cluster, served, name, tmp_path, environment=QUICK) for name in ("a", "b")
    )
    with operators(first):
        marked(cluster, served, "a")
        with operators(second):
            first.kill()
            marked(cluster, served, "b")
            assert lease(cluster, served) == ("b", 2)


def test_a_paused_holder_that_was_deposed_writes_nothing_when_it_wakes(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    paused, other = (
        Operator(cluster, served, name, tmp_path, environment=QUICK) for name in ("a", "b")
    )
    with operators(paused):
        marked(cluster, served, "a")
        with operators(other):
            paused.signal(signal.SIGSTOP)
            marked(cluster, served, "b")
            before = marked(cluster, served, "a")
            paused.signal(signal.SIGCONT)
            assert paused.wait() == EXIT_DEPOSED, paused.said()
            assert marked(cluster, served, "a") == before
            assert lease(cluster, served) == ("b", 2) and other.alive


def test_a_holder_whose_lease_is_taken_away_ends_at_once(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    operator = Operator(cluster, served, "a", tmp_path, environment=QUICK)
    with operators(operator):
        marked(cluster, served, "a")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{served}/leases/replog-operator"
        cluster.api.merge(path, {"spec": {"holderIdentity": "somebody"}})
        assert operator.wait() == EXIT_DEPOSED, operator.said()
        assert '"event":"deposed"' in operator.said()


def test_in_one_namespace_its_role_there_is_enough(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    file = operators_kubeconfig(cluster, served, tmp_path)
    operator = Operator(cluster, served, "a", tmp_path, kubeconfig=file)
    with operators(operator):
        before = marked(cluster, served, "a")
        pods = f"/api/v1/namespaces/{served}/pods"
        cluster.api.create(pods, pod("orders-0", labels=labels("orders")))
        eventually("its pod woke it", lambda: marked(cluster, served, "a") != before)
        operator.signal(signal.SIGTERM)
        assert operator.wait() == EXIT_STOPPED
    assert "orbidden" not in operator.said() and " 403" not in operator.said()


def test_it_goes_on_after_the_api_server_was_killed(
    cluster: Cluster, served: str, tmp_path: Path
) -> None:
    goes_on_without(cluster, "kube-apiserver", served, tmp_path)


def test_it_goes_on_after_etcd_was_killed(cluster: Cluster, served: str, tmp_path: Path) -> None:
    goes_on_without(cluster, "etcd", served, tmp_path)


def goes_on_without(cluster: Cluster, daemon: str, served: str, directory: Path) -> None:
    """In the same process, or in the next if the daemon was away for longer than a renewal may."""
    operator = Operator(cluster, served, "a", directory)
    with operators(operator):
        marked(cluster, served, "a")
        cluster.daemons[daemon].kill()
        cluster.daemons[daemon].start()
        cluster.wait_for_api()
        if not operator.alive:
            assert operator.wait() == EXIT_DEPOSED, operator.said()
            operator.start()
        before = marked(cluster, served, "a")
        pods = f"/api/v1/namespaces/{served}/pods"
        cluster.api.create(pods, pod("orders-0", labels=labels("orders")))
        eventually("its pod woke it", lambda: marked(cluster, served, "a") != before, LAPSE_S)


def test_it_takes_little_memory(cluster: Cluster, served: str, tmp_path: Path) -> None:
    operator = Operator(cluster, served, "a", tmp_path, environment=QUICK)
    with operators(operator):
        marked(cluster, served, "a")
        assert operator.memory_bytes() < MEMORY_BYTES
