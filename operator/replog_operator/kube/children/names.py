"""How the children of a log are called, labelled and addressed.

Decides: names, labels, ports, the DNS name of a member. These are final: claims and members outlive
every version of the operator, and are found again by them.
Must not know: what the children hold.
Read next: wanted.py.
"""

from collections.abc import Mapping
from typing import Final

GROUP: Final = "replog.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "ReplicatedLog"
PLURAL: Final = "replicatedlogs"

CLIENT_PORT: Final = 7401
PEER_PORT: Final = 7411
CONTAINER: Final = "node"
DATA_VOLUME: Final = "data"
DATA_DIR: Final = "/data"

LABEL_NAME: Final = "app.kubernetes.io/name"
LABEL_INSTANCE: Final = "app.kubernetes.io/instance"
LABEL_COMPONENT: Final = "app.kubernetes.io/component"
LABEL_MANAGER: Final = "app.kubernetes.io/managed-by"
NODE_NAME: Final = "replicated-log"
COMPONENT: Final = "node"
MANAGER: Final = "replog-operator"

CLUSTER_ID: Final = "replog.dev/cluster-id"
"""On a claim: the cluster whose data it holds."""
MEMBER_ID: Final = "replog.dev/member-id"
"""On a claim: the member whose data it holds."""
RETIRED: Final = "replog.dev/retired"
"""On a claim: its member was removed from the cluster, and this data is kept for people only."""
CONFIG_HASH: Final = "replog.dev/config-hash"
"""On pods: of the settings that they were started with, so that other settings are a roll."""

TEMPLATE: Final = "replog.dev/template"
"""On pods: of the whole template that they were made from. A StatefulSet's history has it, too."""
GOOD_TEMPLATE: Final = "replog.dev/good-template"
"""On the StatefulSet: the template with which every pod was well last."""
BAD_TEMPLATE: Final = "replog.dev/bad-template"
"""On the StatefulSet: the template that the last roll gave up."""


def labels(log: str) -> dict[str, str]:
    """What every child of the log carries."""
    return {**selector(log), LABEL_MANAGER: MANAGER}


def selector(log: str) -> dict[str, str]:
    """What tells the log's pods from all others; a StatefulSet can't change it."""
    return {LABEL_NAME: NODE_NAME, LABEL_INSTANCE: log, LABEL_COMPONENT: COMPONENT}


def selector_text(found: Mapping[str, str]) -> str:
    """Labels as `kubectl --selector` takes them."""
    return ",".join(f"{name}={value}" for name, value in sorted(found.items()))


def peers_service(log: str) -> str:
    """The headless Service that gives members their DNS names."""
    return f"{log}-peers"


def pod(log: str, ordinal: int) -> str:
    """The pod of an ordinal."""
    return f"{log}-{ordinal}"


def claim(log: str, ordinal: int) -> str:
    """The claim that a StatefulSet binds to the pod of an ordinal."""
    return f"{DATA_VOLUME}-{log}-{ordinal}"


def ordinal_of(log: str, name: str) -> int | None:
    """The ordinal of a pod of this log; None for a pod that the StatefulSet can't have made."""
    text = name.removeprefix(f"{log}-")
    if text == name or not text.isdecimal() or text != str(int(text)):
        return None
    return int(text)


def claim_ordinal(log: str, name: str) -> int | None:
    """The ordinal of a claim of this log; None for any other claim."""
    pod_name = name.removeprefix(f"{DATA_VOLUME}-")
    return None if pod_name == name else ordinal_of(log, pod_name)


def host(log: str, namespace: str, pod_name: str) -> str:
    """Where a member is found, also before it is ready; resolvers add the cluster's domain."""
    return f"{pod_name}.{peers_service(log)}.{namespace}.svc"


def peer_address(log: str, namespace: str, ordinal: int) -> str:
    """The address that a membership has of the member of an ordinal."""
    return f"{host(log, namespace, pod(log, ordinal))}:{PEER_PORT}"


def client_address(log: str, namespace: str, ordinal: int) -> str:
    """Where the member of an ordinal serves clients."""
    return f"{host(log, namespace, pod(log, ordinal))}:{CLIENT_PORT}"


def endpoint(log: str, namespace: str) -> str:
    """Where clients find the log: any member serves them."""
    return f"{log}.{namespace}.svc:{CLIENT_PORT}"
