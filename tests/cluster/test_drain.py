"""Who drains a host is given one member, and the next only once the first has caught up."""

from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster


@pytest.fixture
def log(log: ManagedLog, cluster: Cluster, namespace: str) -> ManagedLog:
    """Three members that are ready, of which one may fail."""
    log.wait("one may be taken", lambda: allowed(cluster, namespace) == 1)
    return log


def allowed(cluster: Cluster, namespace: str) -> int:
    """How many pods the budget lets go now."""
    path = paths.of(paths.POLICY, namespace, "poddisruptionbudgets", LOG)
    return int(cluster.api.get(path)["status"].get("disruptionsAllowed", 0))


def evicted(cluster: Cluster, namespace: str, ordinal: int) -> int:
    """Ask for the eviction of a member; HTTP's status."""
    pod = f"{LOG}-{ordinal}"
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    return cluster.api.call("POST", paths.pods(namespace, pod, "eviction"), body).status


@pytest.mark.timeout(400, func_only=True)
def test_one_member_goes_the_second_is_refused_and_writes_go_on(
    cluster: Cluster, namespace: str, log: ManagedLog
) -> None:
    load = Load(cluster, namespace, LOG)

    assert evicted(cluster, namespace, 0) == 201
    assert evicted(cluster, namespace, 1) == 429
    log.wait_until_ready(3)
    log.wait("the next may be taken", lambda: allowed(cluster, namespace) == 1)
    assert evicted(cluster, namespace, 1) == 201
    log.wait_until_ready(3)

    loaded = load.end()
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
