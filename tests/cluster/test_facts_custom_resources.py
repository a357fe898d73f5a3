"""What the design takes for granted of a custom resource with CEL rules and a scale subresource."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.api import Answer
from tests.cluster.node import Cluster
from tests.support.processes import eventually

GROUP = "facts.replog.test"
PLURAL = "flocks"
ESTABLISHED_S = 60
ODD = "the count must be odd"
FIXED = "the kind can't change"

SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["count"],
    "x-kubernetes-validations": [
        {"rule": "self.count % 2 == 1", "message": ODD},
        {"rule": "self.kind == oldSelf.kind", "message": FIXED},
    ],
    "properties": {
        "count": {"type": "integer", "maximum": 9},
        "kind": {"type": "string", "default": "sheep"},
    },
}
SCALE = {"specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count"}
FLOCKS: dict[str, Any] = {
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "flock", "kind": "Flock", "listKind": "FlockList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": SPEC,
                    "status": {"type": "object", "properties": {"count": {"type": "integer"}}},
                }}},
                "subresources": {
                    "status": {},
                    "scale": SCALE,
                },
            }
        ],
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def flocks(cluster: Cluster) -> Iterator[str]:
    """The kind is known; the group under which it is."""
    group = f"/apis/{GROUP}/v1"
    with cluster.network():
        cluster.api.create(paths.EXTENSIONS, FLOCKS)
        eventually("the kind is served", lambda: cluster.api.found(group), ESTABLISHED_S)
    yield group
    with cluster.network():
        cluster.api.delete(f"{paths.EXTENSIONS}/{PLURAL}.{GROUP}")


@pytest.fixture
def flock(cluster: Cluster, namespace: str, flocks: str) -> str:
    """Where a flock of three is."""
    three = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Flock",
        "metadata": {"name": "f"},
        "spec": {"count": 3},
    }
    path = paths.of(flocks, namespace, PLURAL)
    eventually("a flock is taken", lambda: cluster.api.create(path, three), ESTABLISHED_S)
    return f"{path}/f"


def patched(cluster: Cluster, path: str, spec: dict[str, Any]) -> Answer:
    return cluster.api.call("PATCH", path, {"spec": spec}, kind="application/merge-patch+json")


def test_a_rule_refuses_an_edit_with_its_sentence(cluster: Cluster, flock: str) -> None:
    answer = patched(cluster, flock, {"count": 4})

    assert answer.status == 422
    assert ODD in answer.message


def test_the_same_rule_refuses_a_scale_with_its_sentence(cluster: Cluster, flock: str) -> None:
    answer = patched(cluster, f"{flock}/scale", {"replicas": 4})

    assert answer.status == 422
    assert ODD in answer.message
    assert cluster.api.get(flock)["spec"]["count"] == 3


def test_kubectl_scale_shows_the_sentence_too(cluster: Cluster, namespace: str, flock: str) -> None:
    done = cluster.kubectl.run("scale", f"{PLURAL}.{GROUP}/f", "--replicas=4", "-n", namespace)

    assert done.code == 1
    assert ODD in done.complaint


def test_a_scale_that_the_rules_allow_edits_the_spec(cluster: Cluster, flock: str) -> None:
    assert patched(cluster, f"{flock}/scale", {"replicas": 5}).status == 200

    assert cluster.api.get(flock)["spec"]["count"] == 5


def test_the_limits_of_the_schema_hold_for_a_scale_too(cluster: Cluster, flock: str) -> None:
    assert patched(cluster, f"{flock}/scale", {"replicas": 11}).status == 422


def test_a_rule_over_old_and_new_makes_a_field_unchangeable(cluster: Cluster, flock: str) -> None:
    answer = patched(cluster, flock, {"kind": "goats"})

    assert answer.status == 422
    assert FIXED in answer.message


def test_a_write_of_the_status_changes_no_generation_and_no_spec(
    cluster: Cluster, flock: str
) -> None:
    before = cluster.api.get(flock)
    cluster.api.merge(f"{flock}/status", {"spec": {"count": 7}, "status": {"count": 3}})

    after = cluster.api.get(flock)
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert (after["spec"], after["status"]) == (before["spec"], {"count": 3})
