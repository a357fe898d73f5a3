"""The StatefulSet: so many pods with stable names and claims; it never decides when one restarts.

`Parallel`, because a member that is stuck must not keep the others down; `OnDelete`, because the
planner says which pod may go; claims are kept in every case.

Decides: those policies. Must not know: a node's inside (pod.py).
Read next: pod.py, claim.py.
"""

from typing import Final

from replog_operator.kube.children.claim import claim_spec
from replog_operator.kube.children.names import (
    BAD_TEMPLATE,
    DATA_VOLUME,
    GOOD_TEMPLATE,
    labels,
    peers_service,
    selector,
)
from replog_operator.kube.children.pod import pod_template
from replog_operator.kube.children.wanted import Object, Wanted, metadata

REVISIONS_KEPT: Final = 10


def stateful_set(wanted: Wanted, *, good: str = "", bad: str = "") -> Object:
    """Build it. good, bad: the templates that are noted on it; "" if none is."""
    notes = {GOOD_TEMPLATE: good, BAD_TEMPLATE: bad}
    found = metadata(wanted)
    if good or bad:
        found["annotations"] = {name: value for name, value in notes.items() if value}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": found,
        "spec": {
            "replicas": wanted.replicas,
            "serviceName": peers_service(wanted.name),
            "selector": {"matchLabels": selector(wanted.name)},
            "podManagementPolicy": "Parallel",
            "updateStrategy": {"type": "OnDelete"},
            "persistentVolumeClaimRetentionPolicy": {
                "whenScaled": "Retain",
                "whenDeleted": "Retain",
            },
            "revisionHistoryLimit": REVISIONS_KEPT,
            "template": pod_template(wanted),
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": DATA_VOLUME, "labels": labels(wanted.name)},
                    "spec": claim_spec(wanted.template_size, wanted.storage_class),
                }
            ],
        },
    }
