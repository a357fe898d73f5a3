"""What is delivered, as it reaches an API server: charts by Helm, manifests by kubectl.

Decides: how documents are rendered and tried out. Must not know: what they should hold.
Read next: test_delivery.py.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.api import APPLY, Refused
from tests.cluster.node import Cluster

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "charts"
VALUES = Path(__file__).parent / "values"
OPERATOR = "replicated-log-operator"
LOG = "replicated-log"
CLUSTER_SCOPED = ("ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace")
SPECIAL_PLURALS = {"NetworkPolicy": "networkpolicies"}


def documents(text: str) -> list[Any]:
    """The objects of a stream of YAML."""
    return [each for each in yaml.safe_load_all(text) if each]


def templated(cluster: Cluster, chart: str, values: Path, namespace: str) -> list[Any]:
    """What a chart makes of values."""
    told = ("template", "orders", str(CHARTS / chart), "--namespace", namespace)
    return documents(cluster.helm(*told, "--values", str(values)))


def kustomized(cluster: Cluster, folder: str) -> list[Any]:
    """What a folder of manifests holds."""
    return documents(cluster.kubectl("kustomize", str(ROOT / folder)))


def try_out(cluster: Cluster, found: Any) -> Any:
    """The object as the server would keep it. Raises Refused, also for a field it doesn't know."""
    options = {"fieldManager": "test", "dryRun": "All", "fieldValidation": "Strict"}
    return cluster.api.ask("PATCH", path_of(found), found, kind=APPLY, **options, force="true")


def path_of(found: Any) -> str:
    """Where an object belongs."""
    version, kind, metadata = found["apiVersion"], found["kind"], found["metadata"]
    plural = SPECIAL_PLURALS.get(kind, f"{kind.lower()}s")
    within = "" if kind in CLUSTER_SCOPED else f"namespaces/{metadata['namespace']}/"
    group = f"apis/{version}" if "/" in version else f"api/{version}"
    return f"/{group}/{within}{plural}/{metadata['name']}"


def pods(found: list[Any], namespace: str) -> Iterator[Any]:
    """Each pod that these objects are, or would make, in a namespace."""
    for each in found:
        if each["kind"] == "Pod":
            yield {**each, "metadata": {**each["metadata"], "namespace": namespace}}
        elif "template" in each.get("spec", {}):
            template = each["spec"]["template"]
            metadata = {**template["metadata"], "name": "tried-out", "namespace": namespace}
            spec = {**template["spec"], "serviceAccountName": "default"}
            yield {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def refusal(cluster: Cluster, found: Any) -> str:
    """What the server says against it; empty if nothing."""
    try:
        try_out(cluster, found)
    except Refused as problem:
        return problem.message
    return ""
