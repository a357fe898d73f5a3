"""The operator's own process takes a log where its resource says, and tells so."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.logs import log
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
def test_a_log_is_founded_grows_and_shrinks(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    operator = Operator(cluster, namespace, "a", tmp_path, module=OPERATOR)
    with operators(operator):
        cluster.api.create(path(namespace).rpartition("/")[0], log("orders"))
        for replicas in (1, 3, 1):
            cluster.api.merge(path(namespace), {"spec": {"replicas": replicas}})
            ready(cluster, namespace, replicas)
