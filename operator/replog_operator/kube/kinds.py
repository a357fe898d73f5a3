"""The kinds of objects that the operator reads and writes, as an API server's paths name them.

Decides: those names. Must not know: who may read which.
Read next: ports.py.
"""

from typing import Any, Final, NamedTuple

from replog_operator.kube.children.names import API_VERSION, PLURAL


class Kind(NamedTuple):
    """api_version: `v1`, or group/version."""

    api_version: str
    plural: str


LOG: Final = Kind(API_VERSION, PLURAL)
TASK: Final = Kind(API_VERSION, "replicatedlogtasks")
POD: Final = Kind("v1", "pods")
CLAIM: Final = Kind("v1", "persistentvolumeclaims")
SERVICE: Final = Kind("v1", "services")
CONFIG_MAP: Final = Kind("v1", "configmaps")
SERVICE_ACCOUNT: Final = Kind("v1", "serviceaccounts")
EVENT: Final = Kind("events.k8s.io/v1", "events")
STATEFUL_SET: Final = Kind("apps/v1", "statefulsets")
REVISION: Final = Kind("apps/v1", "controllerrevisions")
BUDGET: Final = Kind("policy/v1", "poddisruptionbudgets")
NETWORK_POLICY: Final = Kind("networking.k8s.io/v1", "networkpolicies")

_OF_OBJECTS: Final = {
    "ConfigMap": CONFIG_MAP,
    "Event": EVENT,
    "NetworkPolicy": NETWORK_POLICY,
    "PersistentVolumeClaim": CLAIM,
    "PodDisruptionBudget": BUDGET,
    "ReplicatedLog": LOG,
    "Service": SERVICE,
    "ServiceAccount": SERVICE_ACCOUNT,
    "StatefulSet": STATEFUL_SET,
}


def kind_of(found: dict[str, Any]) -> Kind:
    """The kind of an object that the operator makes."""
    return _OF_OBJECTS[found["kind"]]
