"""StatefulSets whose pods do nothing, for what Kubernetes does with pods.

Decides: what such a set looks like. Must not know: what a test shows with it.
Read next: paths.py.
"""

from typing import Any

from tests.cluster import paths
from tests.cluster.images import OURS, PAUSE
from tests.cluster.node import Cluster
from tests.support.processes import eventually

PODS_S = 90
"""How long pods may take that only have to start or to end."""


def pausing(name: str, **spec: Any) -> dict[str, Any]:
    """A set of three pods that wait, started together; with these fields of its spec changed."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": 3,
            "serviceName": name,
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "selector": {"matchLabels": {"app": name}},
            "template": template(name),
            **spec,
        },
    }


def template(name: str, **labels: str) -> dict[str, Any]:
    """A pod that waits, and ends at once when it is asked to."""
    return {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {
            "terminationGracePeriodSeconds": 5,
            "containers": [{"name": "pause", "image": PAUSE, "imagePullPolicy": "Never"}],
        },
    }


def lingering(name: str, grace_s: int) -> dict[str, Any]:
    """A pod that doesn't end when it is asked to, but so many seconds later."""
    made = template(name)
    made["spec"]["terminationGracePeriodSeconds"] = grace_s
    made["spec"]["containers"][0] |= {"image": OURS, "command": ["sleep", "infinity"]}
    return made


def writing(name: str) -> dict[str, Any]:
    """A pod that waits, with a claim named `data` at /data."""
    made = lingering(name, 1)
    made["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return made


CLAIM_TEMPLATE: dict[str, Any] = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def is_ready(pod: Any) -> bool:
    """Whether a pod is, and stays."""
    conditions = pod["status"].get("conditions", [])
    ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def uids(cluster: Cluster, namespace: str) -> dict[str, str]:
    """All pods of the namespace that are ready, and which ones they are."""
    pods = cluster.api.items(paths.pods(namespace))
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods if is_ready(p)}


def wait_for_pods(cluster: Cluster, namespace: str, count: int = 3) -> dict[str, str]:
    """Wait until so many are ready; which ones they are."""

    def enough() -> dict[str, str] | None:
        found = uids(cluster, namespace)
        return found if len(found) == count else None

    return eventually(f"{count} pods of {namespace} are ready", enough, PODS_S)


def wait_for_another(cluster: Cluster, namespace: str, name: str, uid: str) -> Any:
    """Wait until a ready pod of that name isn't the one with that uid; the pod."""

    def another() -> Any | None:
        pod = cluster.api.found(paths.pods(namespace, name))
        return pod if pod and is_ready(pod) and pod["metadata"]["uid"] != uid else None

    return eventually(f"another {name} is ready", another, PODS_S)
