"""What the design takes for granted of a StatefulSet with `OnDelete` and `Parallel`.

The StatefulSet is the operator's hands: it makes the pod of an ordinal with its claim, and decides
neither when a pod restarts nor when data goes.
"""

from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.api import Refused
from tests.cluster.node import Cluster
from tests.cluster.pausing import (
    CLAIM_TEMPLATE,
    PODS_S,
    pausing,
    template,
    uids,
    wait_for_another,
    wait_for_pods,
    writing,
)
from tests.support.processes import eventually


def revision(cluster: Cluster, namespace: str) -> str | None:
    """The revision of the newest template, once the controller has seen it."""
    found = cluster.api.get(paths.sets(namespace, "app"))
    seen = found["status"].get("observedGeneration") == found["metadata"]["generation"]
    return str(found["status"]["updateRevision"]) if seen else None


def scale(cluster: Cluster, namespace: str, replicas: int) -> None:
    cluster.api.merge(paths.sets(namespace, "app", "scale"), {"spec": {"replicas": replicas}})


def with_claims(cluster: Cluster, namespace: str) -> dict[str, str]:
    """Three pods with a claim each; which ones they are."""
    app = pausing("app", template=writing("app"), volumeClaimTemplates=[CLAIM_TEMPLATE])
    cluster.api.create(paths.sets(namespace), app)
    return wait_for_pods(cluster, namespace)


def claim_uids(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = cluster.api.items(paths.claims(namespace))
    return {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in found}


def shell(cluster: Cluster, namespace: str, pod: str, script: str) -> str:
    return cluster.kubectl("exec", "-n", namespace, pod, "--", "sh", "-ec", script)


def test_another_template_restarts_nothing_and_a_deleted_pod_returns_on_it(
    cluster: Cluster, namespace: str
) -> None:
    cluster.api.create(paths.sets(namespace), pausing("app"))
    before, old = wait_for_pods(cluster, namespace), revision(cluster, namespace)

    changed = {"spec": {"template": template("app", edition="second")}}
    cluster.api.merge(paths.sets(namespace, "app"), changed)
    eventually("the template is seen", lambda: revision(cluster, namespace) not in (None, old), 30)
    assert uids(cluster, namespace) == before

    cluster.api.delete(paths.pods(namespace, "app-1"))
    returned = wait_for_another(cluster, namespace, "app-1", before["app-1"])
    assert returned["metadata"]["labels"]["edition"] == "second"
    assert returned["metadata"]["labels"]["controller-revision-hash"] == revision(
        cluster, namespace
    )
    after = uids(cluster, namespace)
    assert {name: after[name] for name in ("app-0", "app-2")} == {
        name: before[name] for name in ("app-0", "app-2")
    }


def test_a_pod_that_never_starts_keeps_no_other_from_being_made(
    cluster: Cluster, namespace: str
) -> None:
    """With the default policy nothing above an ordinal that isn't ready would be made."""
    broken = template("app")
    broken["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["/absent"]}}
    cluster.api.create(paths.sets(namespace), pausing("app", template=broken))

    def made() -> bool:
        return len(cluster.api.items(paths.pods(namespace))) == 3

    eventually("all three are made", made, PODS_S)


def test_a_deleted_pod_comes_back_to_the_data_of_its_ordinal(
    cluster: Cluster, namespace: str
) -> None:
    before = with_claims(cluster, namespace)
    claims = claim_uids(cluster, namespace)
    shell(cluster, namespace, "app-1", "echo one > /data/mine")

    cluster.api.delete(paths.pods(namespace, "app-1"))
    wait_for_another(cluster, namespace, "app-1", before["app-1"])

    assert shell(cluster, namespace, "app-1", "cat /data/mine") == "one\n"
    assert claim_uids(cluster, namespace) == claims


def test_scaling_down_takes_the_highest_ordinals_and_keeps_their_claims_for_their_return(
    cluster: Cluster, namespace: str
) -> None:
    with_claims(cluster, namespace)
    claims = claim_uids(cluster, namespace)
    shell(cluster, namespace, "app-2", "echo two > /data/mine")

    scale(cluster, namespace, 1)
    eventually(
        "only app-0 is left",
        lambda: (
            [p["metadata"]["name"] for p in cluster.api.items(paths.pods(namespace))] == ["app-0"]
        ),
        PODS_S,
    )
    assert claim_uids(cluster, namespace) == claims

    scale(cluster, namespace, 3)
    wait_for_pods(cluster, namespace)
    assert shell(cluster, namespace, "app-2", "cat /data/mine") == "two\n"


def test_a_deleted_claim_stays_while_its_pod_runs_and_then_the_ordinal_begins_empty(
    cluster: Cluster, namespace: str
) -> None:
    """How one member's disk is replaced: delete the claim, then the pod."""
    before = with_claims(cluster, namespace)
    claims = claim_uids(cluster, namespace)
    shell(cluster, namespace, "app-2", "echo two > /data/mine")

    cluster.api.delete(paths.claims(namespace, "data-app-2"))
    kept: Any = cluster.api.get(paths.claims(namespace, "data-app-2"))
    assert "deletionTimestamp" in kept["metadata"]
    cluster.api.delete(paths.pods(namespace, "app-2"))
    wait_for_another(cluster, namespace, "app-2", before["app-2"])

    assert shell(cluster, namespace, "app-2", "ls /data") == ""
    assert claim_uids(cluster, namespace)["data-app-2"] != claims["data-app-2"]


def test_a_claim_that_is_there_already_is_taken_whatever_its_size(
    cluster: Cluster, namespace: str
) -> None:
    """So the operator makes claims of the wanted size itself."""
    larger = {
        "metadata": {"name": "data-app-0"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}},
    }
    made = cluster.api.create(paths.claims(namespace), larger)
    with_claims(cluster, namespace)
    assert claim_uids(cluster, namespace)["data-app-0"] == made["metadata"]["uid"]


def test_its_claim_template_can_not_be_changed(cluster: Cluster, namespace: str) -> None:
    app = pausing("app", replicas=0, volumeClaimTemplates=[CLAIM_TEMPLATE])
    cluster.api.create(paths.sets(namespace), app)
    larger = {**CLAIM_TEMPLATE["spec"], "resources": {"requests": {"storage": "2Gi"}}}
    changed = [{"metadata": {"name": "data"}, "spec": larger}]
    with pytest.raises(Refused, match="updates to statefulset spec for fields other than"):
        cluster.api.merge(paths.sets(namespace, "app"), {"spec": {"volumeClaimTemplates": changed}})
