"""What the design takes for granted of a PodDisruptionBudget.

The operator keeps `maxUnavailable` at what a log's members may lose; evictions then keep the quorum
without asking anybody else.
"""

from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.api import Answer
from tests.cluster.node import Cluster
from tests.cluster.pausing import PODS_S, lingering, pausing, template, wait_for_pods
from tests.support.processes import eventually

GRACE_S = 60
"""So long an evicted pod lingers: no other takes its place while a test looks."""


def budget(name: str, most: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"maxUnavailable": most, "selector": {"matchLabels": {"app": name}}},
    }


def budgeted(cluster: Cluster, namespace: str, most: int, pod: dict[str, Any]) -> None:
    """Three such pods, of which so many may be unavailable, once that is known."""
    cluster.api.create(paths.sets(namespace), pausing("app", template=pod))
    cluster.api.create(
        paths.of(paths.POLICY, namespace, "poddisruptionbudgets"), budget("app", most)
    )
    wait_for_pods(cluster, namespace)
    eventually("the budget is reckoned", lambda: allowed(cluster, namespace) == most, PODS_S)


def allowed(cluster: Cluster, namespace: str) -> int | None:
    """How many may be evicted now; None while that isn't known of these pods."""
    path = paths.of(paths.POLICY, namespace, "poddisruptionbudgets", "app")
    status = cluster.api.get(path).get("status", {})
    known = status.get("expectedPods") == 3 and status.get("observedGeneration") == 1
    return int(status["disruptionsAllowed"]) if known else None


def evict(cluster: Cluster, namespace: str, pod: str) -> Answer:
    """Ask for the eviction of a pod, as `kubectl drain` does."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    return cluster.api.call("POST", paths.pods(namespace, pod, "eviction"), body)


@pytest.fixture
def lingerers(cluster: Cluster, namespace: str) -> str:
    """A namespace with three pods that take their time to end; one may be unavailable."""
    budgeted(cluster, namespace, 1, lingering("app", GRACE_S))
    return namespace


def test_of_three_of_which_one_may_miss_the_first_is_evicted_and_the_second_refused(
    cluster: Cluster, lingerers: str
) -> None:
    first, second = (evict(cluster, lingerers, pod) for pod in ("app-0", "app-1"))

    assert first.status == 201
    assert second.status == 429
    assert second.message.startswith("Cannot evict pod as it would violate the pod's disruption")


def test_when_the_evicted_one_is_back_the_next_may_go(cluster: Cluster, namespace: str) -> None:
    budgeted(cluster, namespace, 1, template("app"))
    before = wait_for_pods(cluster, namespace)

    assert evict(cluster, namespace, "app-0").status == 201
    eventually(
        "another app-0 is counted",
        lambda: (
            wait_for_pods(cluster, namespace)["app-0"] != before["app-0"]
            and allowed(cluster, namespace) == 1
        ),
        PODS_S,
    )
    assert evict(cluster, namespace, "app-1").status == 201


def test_with_none_to_spare_every_eviction_is_refused(cluster: Cluster, namespace: str) -> None:
    budgeted(cluster, namespace, 0, template("app"))

    refused = {evict(cluster, namespace, f"app-{number}").status for number in range(3)}

    assert refused == {429}


def test_a_deletion_asks_no_budget(cluster: Cluster, namespace: str) -> None:
    """So the operator itself must look before it deletes a pod."""
    budgeted(cluster, namespace, 0, template("app"))

    cluster.api.delete(paths.pods(namespace, "app-0"))

    path = paths.pods(namespace, "app-0")
    stored = cluster.api.found(path)
    assert stored is None or "deletionTimestamp" in stored["metadata"]
