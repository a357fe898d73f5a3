"""An account that may do what the operator may do in one namespace, and nothing else anywhere."""

from pathlib import Path
from typing import Any

import yaml

from replog_operator.definitions import RULES, source
from tests.cluster.node import Cluster

NAME = "operator"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def operators_kubeconfig(cluster: Cluster, namespace: str, directory: Path) -> Path:
    """Make the account with its role; the file by which a process is it."""
    rules = yaml.safe_load(source(RULES))
    cluster.api.create(
        f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": NAME}}
    )
    role = {"metadata": {"name": NAME}, "rules": rules["objects"] + rules["own"]}
    cluster.api.create(f"{RBAC}/namespaces/{namespace}/roles", role)
    cluster.api.create(f"{RBAC}/namespaces/{namespace}/rolebindings", _binding(namespace))
    token = cluster.kubectl("create", "token", NAME, "-n", namespace).strip()
    found = yaml.safe_load(cluster.kubeconfig.read_text())
    found["users"] = [{"name": user["name"], "user": {"token": token}} for user in found["users"]]
    path = directory / "account.kubeconfig"
    path.write_text(yaml.safe_dump(found))
    return path


def _binding(namespace: str) -> dict[str, Any]:
    return {
        "metadata": {"name": NAME},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
    }
