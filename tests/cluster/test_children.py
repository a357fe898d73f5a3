"""What the builders make is accepted by a real API server, to the last field, in every scenario.

A dry run: the server decodes, defaults, validates and admits as ever, and keeps nothing.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from replog_operator.kube.children.all import children
from replog_operator.kube.children.claim import data_claim
from replog_operator.kube.children.pod import pod_template
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import kind_of
from tests.cluster.api import APPLY, Refused
from tests.cluster.node import Cluster
from tests.scenario.kube.test_children import FILES, wanted_of
from tests.unit.kube.wanting import wanted

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def dry_apply(cluster: Cluster, namespace: str, child: Object) -> Any:
    """The object as the server would keep it. Raises Refused, also for a field it doesn't know."""
    kind = kind_of(child)
    group = f"api/{kind.api_version}" if "/" not in kind.api_version else f"apis/{kind.api_version}"
    child["metadata"]["namespace"] = namespace
    path = f"/{group}/namespaces/{namespace}/{kind.plural}/{child['metadata']['name']}"
    options = {"fieldManager": "replog-operator", "dryRun": "All", "fieldValidation": "Strict"}
    return cluster.api.ask("PATCH", path, child, kind=APPLY, **options)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_child_of_a_scenario_is_accepted(
    cluster: Cluster, namespace: str, path: Path
) -> None:
    found = wanted_of(next(yaml.safe_load_all(path.read_text())))

    for child in [*children(found), data_claim(found, 0)]:
        kept = dry_apply(cluster, namespace, child)
        owners = child["metadata"].get("ownerReferences")
        assert kept["metadata"].get("ownerReferences") == owners


def test_a_field_that_the_server_does_not_know_is_noticed(cluster: Cluster, namespace: str) -> None:
    child = children(wanted())[0] | {"automountServiceAccountTokens": False}

    with pytest.raises(Refused, match="automountServiceAccountTokens"):
        dry_apply(cluster, namespace, child)


def test_pods_are_admitted_where_pod_security_is_restricted(
    cluster: Cluster, namespace: str
) -> None:
    cluster.api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": RESTRICTED}})
    template = pod_template(wanted())
    template["spec"]["serviceAccountName"] = "default"
    template["spec"]["volumes"].append({"name": "data", "emptyDir": {}})
    cluster.kubectl(
        "wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=60s"
    )
    pod = {"apiVersion": "v1", "kind": "Pod", **template}
    pod["metadata"]["name"] = "orders-0"

    admitted = cluster.api.ask("POST", f"/api/v1/namespaces/{namespace}/pods", pod, dryRun="All")
    pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True

    assert admitted["spec"]["automountServiceAccountToken"] is False
    with pytest.raises(Refused, match="allowPrivilegeEscalation"):
        cluster.api.ask("POST", f"/api/v1/namespaces/{namespace}/pods", pod, dryRun="All")
