"""The operator may do what is listed, and nothing else: each verb on each resource there is, asked.

The authorizer is asked in the account's place (SubjectAccessReview), as it is before each request;
a few of what it denies are tried in earnest.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from replog_operator.definitions import RULES, source
from replog_operator.kube.kinds import LOG
from tests.cluster import paths
from tests.cluster.accounts import NAME, RBAC, operators_kubeconfig
from tests.cluster.logs import log
from tests.cluster.node import Cluster

REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
VERBS: Final = (
    "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
    "impersonate", "bind", "escalate",
)  # fmt: skip
EVERYBODYS: Final = {
    ("create", "authentication.k8s.io", "selfsubjectreviews"),
    ("create", "authorization.k8s.io", "selfsubjectaccessreviews"),
    ("create", "authorization.k8s.io", "selfsubjectrulesreviews"),
}
"""What Kubernetes lets every account do (the ClusterRole system:basic-user)."""
AT_ONCE: Final = 4


class Right(NamedTuple):
    """A verb on a resource, in a namespace; "" is the whole cluster."""

    verb: str
    group: str
    resource: str
    namespace: str


def resources(cluster: Cluster) -> set[tuple[str, str, bool]]:
    """Group, name with its subresource, and whether it is namespaced: of all that is served."""
    groups = cluster.api.get("/apis")["groups"]
    versions = ["/api/v1", *(f"/apis/{version['groupVersion']}" for group in groups
                             for version in group["versions"])]  # fmt: skip
    found = set()
    for version in versions:
        group = version.split("/")[2] if version != "/api/v1" else ""
        for item in cluster.api.get(version)["resources"]:
            found.add((group, item["name"], item["namespaced"]))
    return found


def every_right(cluster: Cluster, *namespaces: str) -> list[Right]:
    """All there are, in these namespaces and without one."""
    return sorted(
        Right(verb, group, name, where)
        for group, name, namespaced in resources(cluster)
        for verb in VERBS
        for where in ((*namespaces, "") if namespaced else ("",))
    )


def user(namespace: str, account: str) -> str:
    """By which name the API server knows an account."""
    return f"system:serviceaccount:{namespace}:{account}"


def may(cluster: Cluster, account: str, namespace: str, right: Right) -> bool:
    """What the authorizer says."""
    resource, _, sub = right.resource.partition("/")
    asked = {"verb": right.verb, "group": right.group, "resource": resource, "subresource": sub}
    if right.namespace:
        asked["namespace"] = right.namespace
    spec = {
        "user": user(namespace, account),
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}",
                   "system:authenticated"],
        "resourceAttributes": asked,
    }  # fmt: skip
    return bool(cluster.api.create(REVIEWS, {"spec": spec})["status"]["allowed"])


def allowed(cluster: Cluster, account: str, namespace: str, rights: list[Right]) -> set[Right]:
    """Those of these rights that it has."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = threads.map(lambda right: may(cluster, account, namespace, right), rights)
        return {right for right, answer in zip(rights, answers, strict=True) if answer}


def listed(part: str, *namespaces: str) -> Iterator[Right]:
    """What a part of the list gives, in these namespaces."""
    for rule in yaml.safe_load(source(RULES))[part]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    yield from (Right(verb, group, resource, where) for where in namespaces)


def beside_everybodys(rights: set[Right]) -> set[Right]:
    return {right for right in rights if right[:3] not in EVERYBODYS}


@pytest.fixture
def account(cluster: Cluster, namespace: str, tmp_path: Path) -> str:
    """The namespace of an account of that name with the role of the mode namespaced."""
    operators_kubeconfig(cluster, namespace, tmp_path)
    return namespace


@pytest.mark.timeout(300, func_only=True)
def test_in_one_namespace_it_may_do_there_what_is_listed_and_nothing_anywhere_else(
    cluster: Cluster, definitions: None, account: str
) -> None:
    namespace = account
    rights = every_right(cluster, namespace, "default")
    found = beside_everybodys(allowed(cluster, NAME, namespace, rights))
    assert found == {*listed("objects", namespace), *listed("own", namespace)}
    assert len(rights) > 10 * len(found)


@pytest.mark.timeout(300, func_only=True)
def test_in_the_whole_cluster_it_may_do_what_is_listed_and_leases_are_its_own_alone(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    account, rules = "widely", yaml.safe_load(source(RULES))
    cluster.api.create(
        f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": account}}
    )
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": namespace}]
    of = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": namespace}
    role = {"metadata": {"name": namespace}, "rules": rules["objects"] + rules["cluster"]}
    bound = {"metadata": {"name": namespace}, "roleRef": of, "subjects": subjects}
    cluster.api.create(f"{RBAC}/clusterroles", role)
    cluster.api.create(f"{RBAC}/clusterrolebindings", bound)
    try:
        rights = every_right(cluster, "default")
        found = beside_everybodys(allowed(cluster, account, namespace, rights))
    finally:
        cluster.api.delete(f"{RBAC}/clusterrolebindings/{namespace}")
        cluster.api.delete(f"{RBAC}/clusterroles/{namespace}")
    assert found == {*listed("objects", "default", ""), *listed("cluster", "")}


DENIED: Final = (
    ("get", "secrets"),
    ("run", "mine", "--image=any"),
    ("create", "token", "default"),
    ("delete", "rlog", "--all"),
    ("annotate", "rlog", "orders", "mine=1"),
    ("get", "configmaps", "--namespace=default"),
    ("get", "nodes"),
    ("get", "persistentvolumes"),
    ("get", "rlog", "--all-namespaces"),
)


@pytest.mark.parametrize("command", DENIED, ids=" ".join)
def test_what_is_not_listed_is_forbidden_in_earnest(
    cluster: Cluster, definitions: None, account: str, command: tuple[str, ...]
) -> None:
    cluster.api.create(paths.of(f"/apis/{LOG.api_version}", account, LOG.plural), log("orders"))
    done = cluster.kubectl.run(f"--namespace={account}", f"--as={user(account, NAME)}", *command)
    assert done.code != 0 and "is forbidden: User" in done.complaint, done
