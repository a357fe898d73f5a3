"""ReplicatedLogs and pods for tests that need one to be there, whatever it does.

Decides: the smallest that is accepted. Must not know: what becomes of it.
Read next: operators.py.
"""

from typing import Any

from replog_operator.definitions import DEFINITIONS, source
from tests.cluster.node import Cluster

CONTAINER = {"name": "node", "image": "none.invalid/none"}


def define(cluster: Cluster) -> None:
    """Have the cluster know the kinds of ours; again is harmless."""
    for name in DEFINITIONS:
        cluster.kubectl("apply", "--server-side", "-f", "-", said=source(name))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")


def log(name: str, replicas: int = 1) -> dict[str, Any]:
    """A log."""
    return {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLog",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "storage": {"size": "1Gi", "className": "directory"}},
    }


def pod(name: str, **metadata: Any) -> dict[str, Any]:
    """A pod that never runs."""
    return {
        "metadata": {"name": name, **metadata},
        "spec": {"containers": [CONTAINER], "automountServiceAccountToken": False},
    }
