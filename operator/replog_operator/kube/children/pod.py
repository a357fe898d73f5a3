"""The pod template: one node, as locked down as pod security `restricted` asks, on its claim.

A node is never killed for what a restart can't mend: it may take an hour to prove a large log at
its start, /livez fails only when a restart helps, and readiness latches. It hands over and drains
at SIGTERM by itself, so there is no preStop.

Decides: probes, security, mounts, environment, and what of the user's template is merged where.
What users add never wins over what a node needs.
Must not know: how many pods there are.
Read next: stateful_set.py.
"""

from collections.abc import Mapping
from typing import Any, Final

from replog_operator.kube.apply import digest
from replog_operator.kube.children.config_map import (
    CONFIG_DIR,
    CONFIG_FILE,
    GRACE_MS,
    LINEAGE_KEY,
    config_hash,
    config_key,
)
from replog_operator.kube.children.names import (
    CLIENT_PORT,
    CONFIG_HASH,
    CONTAINER,
    DATA_DIR,
    DATA_VOLUME,
    PEER_PORT,
    TEMPLATE,
    host,
    labels,
    selector,
)
from replog_operator.kube.children.wanted import RUNS_AS, Object, Wanted

GRACE_S: Final = GRACE_MS // 1000 + 10
"""terminationGracePeriodSeconds: after the node's own grace it closes its files."""

START_EVERY_S: Final = 1
START_TRIES: Final = 3600
"""An hour in all: a start proves what is on the disk before it serves."""
LIVE_EVERY_S: Final = 10
LIVE_TRIES: Final = 6
READY_EVERY_S: Final = 2
PROBE_TIMEOUT_S: Final = 5

_RESERVED: Final = ("REPLOG_", "POD_NAME")
"""Environment that the node's own settings come from: the user's template can't change it."""


def pod_template(wanted: Wanted) -> Object:
    """Build the template of a StatefulSet's pods."""
    annotations = {**wanted.template.annotations, CONFIG_HASH: config_hash(wanted)}
    template: Object = {
        "metadata": {
            "labels": {**wanted.template.labels, **labels(wanted.name)},
            "annotations": annotations,
        },
        "spec": {**_placement(wanted), **_fixed(wanted)},
    }
    annotations[TEMPLATE] = digest(template)
    return template


def template_of(found: Mapping[str, Any]) -> str:
    """Which template a pod, or a template as a server keeps it, was made from; "" if not ours."""
    notes = found.get("metadata", {}).get("annotations") or {}
    return str(notes.get(TEMPLATE, ""))


def _fixed(wanted: Wanted) -> Object:
    return {
        "serviceAccountName": wanted.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # they would be variables named REPLOG_… of a log named replog
        "terminationGracePeriodSeconds": GRACE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": RUNS_AS,
            "runAsGroup": RUNS_AS,
            "fsGroup": RUNS_AS,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(wanted)],
        "volumes": [
            {
                "name": "config",
                "configMap": {
                    "name": wanted.name,
                    "items": [
                        {"key": config_key(config_hash(wanted)), "path": CONFIG_FILE},
                        {"key": LINEAGE_KEY, "path": LINEAGE_KEY},
                    ],
                },
            },
            {"name": "tmp", "emptyDir": {}},
        ],
    }


def _container(wanted: Wanted) -> Object:
    container: Object = {
        "name": CONTAINER,
        "image": wanted.image,
        "args": ["--config", f"{CONFIG_DIR}/{CONFIG_FILE}"],
        "env": _environment(wanted),
        "ports": [
            {"name": "client", "containerPort": CLIENT_PORT, "protocol": "TCP"},
            {"name": "peer", "containerPort": PEER_PORT, "protocol": "TCP"},
        ],
        "startupProbe": _probe("/livez", START_EVERY_S, START_TRIES),
        "livenessProbe": _probe("/livez", LIVE_EVERY_S, LIVE_TRIES),
        "readinessProbe": _probe("/readyz?for=read", READY_EVERY_S, 2),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": DATA_VOLUME, "mountPath": DATA_DIR},
            {"name": "config", "mountPath": CONFIG_DIR, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    if wanted.resources:
        container["resources"] = dict(wanted.resources)
    return container


def _probe(path: str, every_s: int, tries: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "client", "scheme": "HTTP"},
        "periodSeconds": every_s,
        "timeoutSeconds": PROBE_TIMEOUT_S,
        "failureThreshold": tries,
    }


def _environment(wanted: Wanted) -> list[Object]:
    """The user's first, since what a node is told may refer to what stands before it."""
    mine = host(wanted.name, wanted.namespace, "$(POD_NAME)")
    added = [item for item in wanted.template.env if not _is_reserved(item["name"])]
    return [
        *added,
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "REPLOG_ADVERTISE_CLIENT_ADDRESS", "value": f"{mine}:{CLIENT_PORT}"},
        {"name": "REPLOG_ADVERTISE_PEER_ADDRESS", "value": f"{mine}:{PEER_PORT}"},
    ]


def _is_reserved(name: str) -> bool:
    return name.startswith(_RESERVED)


def _placement(wanted: Wanted) -> Object:
    """Where pods may run: apart from each other if the cluster can, as the user says beside."""
    template = wanted.template
    spec: dict[str, Any] = {
        "topologySpreadConstraints": list(template.topology_spread_constraints)
        or [
            _spread(wanted, key)
            for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
        ]
    }
    optional = {
        "nodeSelector": dict(template.node_selector),
        "tolerations": list(template.tolerations),
        "affinity": dict(template.affinity),
        "imagePullSecrets": list(template.image_pull_secrets),
        "priorityClassName": template.priority_class_name,
    }
    return {**spec, **{name: value for name, value in optional.items() if value}}


def _spread(wanted: Wanted, key: str) -> Object:
    """One member a host, one a zone; a pod that can't be apart runs all the same."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(wanted.name)},
    }
