"""A real API server takes every document of the charts and manifests, to the last field.

Real Helm renders them, for several values. Nothing is kept: the server decodes, validates and
admits as ever, in a dry run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import delivered
from tests.cluster.delivered import CHARTS, CLUSTER_SCOPED, LOG, OPERATOR, VALUES
from tests.cluster.node import Cluster

FILES = sorted(VALUES.glob("*.yaml"))
FOLDERS = ("manifests", "manifests/namespaced")
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
NAMESPACES = ("shop", "bank", "replog-system")

REFUSED = (
    (OPERATOR, "mode=everywhere", "at '/mode': value must be one of"),
    (OPERATOR, "namespaces={shop}", "at '/namespaces': maxItems"),
    (OPERATOR, "replicas=0", "at '/replicas': minimum"),
    (OPERATOR, "logLevel=loud", "at '/logLevel': value must be one of"),
    (OPERATOR, "image.name=x", "additional properties 'name' not allowed"),
    (OPERATOR, "monitoring.enabled=perhaps", "at '/monitoring/enabled': got string"),
    (OPERATOR, "monitoring.alerts=true", "additional properties 'alerts' not allowed"),
    (OPERATOR, "monitoring.runbooks=docs/", "at '/monitoring/runbooks'"),
    (LOG, "spec.replicas=3", "at '/spec/storage': missing property 'className'"),
    (LOG, "spec.storage.className=a,spec.replicaz=3", "'replicaz' not allowed"),
    (LOG, "spec.storage.className=a,spec.replicas=three", "at '/spec/replicas': got string"),
    (LOG, "spec.storage.className=a,spec.storage.retention=Keep", "value must be one of"),
    (LOG, "spec.storage.className=a,spec.log.retentionAge=7", "at '/spec/log/retentionAge'"),
    (LOG, "spec.storage.className=a,name=Orders", "at '/name'"),
    (LOG, r"spec.storage.className=a,labels.app\.kubernetes\.io/name=x", "invalid propertyName"),
    ("replicated-log-crds", "keep=false", "additional properties 'keep' not allowed"),
)


@pytest.fixture(scope="module", autouse=True)
def places(cluster: Cluster, definitions: None) -> Iterator[None]:
    """The namespaces that the values name."""
    with cluster.network():
        for name in NAMESPACES:
            labelled = {"metadata": {"name": name, "labels": RESTRICTED}}
            cluster.api.create("/api/v1/namespaces", labelled)
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", "shop")
        yield
        for name in NAMESPACES:
            cluster.api.delete(f"/api/v1/namespaces/{name}")


def chart_of(values: Path) -> str:
    """The chart that these values are for, by their name."""
    return OPERATOR if values.name.startswith("operator") else LOG


def everything(cluster: Cluster) -> Iterator[tuple[str, list[Any]]]:
    """All that can be installed, by a name."""
    for values in FILES:
        yield values.name, delivered.templated(cluster, chart_of(values), values, "shop")
    for folder in FOLDERS:
        yield folder, delivered.kustomized(cluster, folder)


@pytest.mark.parametrize("values", FILES, ids=lambda values: values.stem)
def test_helm_finds_no_fault(cluster: Cluster, values: Path) -> None:
    chart = str(CHARTS / chart_of(values))

    said = cluster.helm("lint", "--strict", chart, "--values", str(values))

    assert "1 chart(s) linted, 0 chart(s) failed" in said


@pytest.mark.parametrize("values", FILES, ids=lambda values: values.stem)
def test_every_document_of_a_chart_is_taken(cluster: Cluster, values: Path) -> None:
    found = delivered.templated(cluster, chart_of(values), values, "shop")

    assert [said for each in found if (said := delivered.refusal(cluster, each))] == []
    assert len(found) >= 2


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_manifest_is_taken(cluster: Cluster, folder: str) -> None:
    found = delivered.kustomized(cluster, folder)

    assert [said for each in found if (said := delivered.refusal(cluster, each))] == []


@pytest.mark.parametrize("size", ["one", "three", "five"])
def test_every_sample_is_taken(cluster: Cluster, size: str) -> None:
    sample = delivered.ROOT / "manifests" / "samples" / f"{size}.yaml"

    said = cluster.kubectl("apply", "--dry-run=server", "-n", "shop", "-f", str(sample))

    assert "created (server dry run)" in said


def test_every_pod_is_admitted_where_pod_security_is_restricted(cluster: Cluster) -> None:
    told = {}
    for name, found in everything(cluster):
        for pod in delivered.pods(found, "shop"):
            told[name] = delivered.refusal(cluster, pod)
            pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
            assert "restricted" in delivered.refusal(cluster, pod)

    assert told == dict.fromkeys(told, "")
    assert len(told) == len(FILES) + len(FOLDERS)


def test_who_serves_namespaces_asks_for_nothing_of_the_whole_cluster(cluster: Cluster) -> None:
    namespaced = VALUES / "operator-two-namespaces.yaml"
    chart = delivered.templated(cluster, OPERATOR, namespaced, "shop")
    manifests = delivered.kustomized(cluster, "manifests/namespaced")

    roles = [each for each in chart if each["kind"] == "Role"]
    assert {each["kind"] for each in chart} & set(CLUSTER_SCOPED) == set()
    assert {each["kind"] for each in manifests} & set(CLUSTER_SCOPED) == {"Namespace"}
    assert {each["metadata"]["namespace"] for each in roles} == {"shop", "bank"}


def test_charts_and_manifests_give_the_operator_the_same_rights(cluster: Cluster) -> None:
    values = VALUES / "operator-default.yaml"
    chart = delivered.templated(cluster, OPERATOR, values, "shop")

    assert rights(chart) == rights(delivered.kustomized(cluster, "manifests"))


def rights(found: list[Any]) -> list[Any]:
    """The rules of all roles, whatever those are called."""
    roles = [each["rules"] for each in found if each["kind"] in ("Role", "ClusterRole")]
    return sorted(roles, key=str)


@pytest.mark.parametrize(("chart", "setting", "says"), REFUSED)
def test_values_that_make_no_sense_are_refused_before_anything_is_sent(
    cluster: Cluster, chart: str, setting: str, says: str
) -> None:
    done = cluster.helm.run("template", "orders", str(CHARTS / chart), "--set", setting)

    assert done.code != 0
    assert says in done.complaint


def test_notes_tell_commands_for_the_log_that_was_made(cluster: Cluster) -> None:
    told = cluster.helm(
        "install", "orders", str(CHARTS / LOG), "--dry-run=client", "--namespace", "shop",
        "--set", "name=ledger,spec.storage.className=standard",
    )  # fmt: skip

    assert "kubectl exec -i ledger-0 --namespace shop -- replog append" in told
    assert "replog read --endpoint ledger:7401" in told
    assert "There is no client authentication yet" in told
