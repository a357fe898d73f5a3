"""Accounts that may do what is listed in one namespace, and nothing else anywhere."""

from pathlib import Path
from typing import Any

import yaml

from replog_operator.definitions import RULES, source
from tests.cluster.node import Cluster

NAME = "operator"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


def operators_kubeconfig(cluster: Cluster, namespace: str, directory: Path) -> Path:
    """Make the operator's account with its role; the file by which a process is it."""
    rules = yaml.safe_load(source(RULES))
    found = Account(cluster, namespace, NAME)
    found.allow(rules["objects"] + rules["own"])
    return found.kubeconfig(directory)


class Account:
    """A service account of a namespace, with a role of its name there."""

    def __init__(self, cluster: Cluster, namespace: str, name: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._name = name
        metadata = {"metadata": {"name": name}}
        cluster.api.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", metadata)

    def allow(self, rules: list[Any]) -> None:
        """Give it a role with these rules."""
        role = {"metadata": {"name": self._name}, "rules": rules}
        self._cluster.api.create(f"{RBAC}/namespaces/{self._namespace}/roles", role)
        bindings = f"{RBAC}/namespaces/{self._namespace}/rolebindings"
        self._cluster.api.create(bindings, _binding(self._namespace, self._name))

    def kubeconfig(self, directory: Path) -> Path:
        """The file by which a process is it."""
        told = ("create", "token", self._name, "-n", self._namespace)
        token = self._cluster.kubectl(*told).strip()
        found = yaml.safe_load(self._cluster.kubeconfig.read_text())
        found["users"] = [{"name": u["name"], "user": {"token": token}} for u in found["users"]]
        path = directory / f"{self._name}.kubeconfig"
        path.write_text(yaml.safe_dump(found))
        return path


def _binding(namespace: str, name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
