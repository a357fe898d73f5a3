"""What all builders take: everything of the resource and the plan that children depend on.

Decides: that nothing else reaches a builder, so that equal values are equal objects.
Must not know: where the values come from.
Read next: stateful_set.py.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from replog_operator.kube.children.names import API_VERSION, KIND, labels
from replog_operator.model.surveys import Decided

Object = dict[str, Any]
"""An object of Kubernetes as JSON has it."""

RUNS_AS: Final = 65532
"""The image's user; volumes are given to this group."""


class OperatorPods(NamedTuple):
    """Which pods the operator's own are: NetworkPolicy lets them speak to the peer listener."""

    namespace: str
    labels: Mapping[str, str]


class Template(NamedTuple):
    """What users may say about pods (spec.podTemplate); each is as a pod has it."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    node_selector: Mapping[str, str] = {}
    tolerations: tuple[Object, ...] = ()
    affinity: Mapping[str, Any] = {}
    topology_spread_constraints: tuple[Object, ...] = ()
    env: tuple[Object, ...] = ()
    image_pull_secrets: tuple[Object, ...] = ()
    priority_class_name: str = ""


class Wanted(NamedTuple):
    """A log's children in one value.

    replicas: pods to run now, which while members can't be asked, and within a change, is not
    spec.replicas. template_size: of the StatefulSet's claim template, which can't change;
    claim_size: of claims made from now on. settings: a node's settings by name (docs/settings.md).
    former: settings files that templates in use still name, by key.
    lineage: of the log; empty while there is none. decided: that was noted to be in force.
    tolerates: members that may fail now; None: not known.
    """

    name: str
    namespace: str
    uid: str
    replicas: int
    image: str
    claim_size: str
    template_size: str
    storage_class: str
    settings: Mapping[str, int | str | bool] = {}
    former: Mapping[str, str] = {}
    lineage: str = ""
    decided: Decided = Decided()
    tolerates: int | None = None
    service_type: str = "ClusterIP"
    service_annotations: Mapping[str, str] = {}
    resources: Mapping[str, Any] = {}
    template: Template = Template()
    network_policy: bool = True
    operator: OperatorPods | None = None


def owner(wanted: Wanted) -> Object:
    """The reference by which a child goes when the resource goes.

    It blocks nothing: a foreground deletion of the resource waits for no child's finalizers.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": wanted.name,
        "uid": wanted.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def metadata(wanted: Wanted, name: str = "") -> Object:
    """The metadata of a child that belongs to the resource; named like it unless said otherwise."""
    return {
        "name": name or wanted.name,
        "namespace": wanted.namespace,
        "labels": labels(wanted.name),
        "ownerReferences": [owner(wanted)],
    }
