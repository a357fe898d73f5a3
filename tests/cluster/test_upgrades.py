"""Definitions are upgraded under logs that there are, by Helm, and are never taken from under them.

An older chart is made of this one, by another name for a field.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.delivered import CHARTS, ROOT
from tests.cluster.logs import define
from tests.cluster.node import Cluster
from tests.support.processes import eventually

DEFINITIONS = ("crd/replicatedlogs.replog.dev", "crd/replicatedlogtasks.replog.dev")
CHART = str(CHARTS / "replicated-log-crds")
KNOWN_S = 30


@pytest.fixture(autouse=True)
def bare(cluster: Cluster) -> Iterator[None]:
    """No definitions at first; as they should be, at last."""
    cluster.kubectl("delete", *DEFINITIONS, "--ignore-not-found")
    yield
    cluster.kubectl("delete", *DEFINITIONS, "--ignore-not-found")
    define(cluster)


def older(at: Path) -> str:
    """The chart, of a time at which nobody could hibernate a log."""
    chart = shutil.copytree(CHART, at / "older")
    definition = chart / "templates" / "replicatedlogs.yaml"
    known = definition.read_text().replace("self.hibernate", "self.slumber")  # rules name it, too
    definition.write_text(known.replace("hibernate:", "slumber:"))
    return str(chart)


def test_a_newer_chart_upgrades_the_definitions_under_a_log(
    cluster: Cluster, namespace: str, tmp_path: Path
) -> None:
    here = ("-n", namespace)
    sample = ROOT / "manifests" / "samples" / "one.yaml"
    change = ("rlog/orders", *here, "--type=merge", "-p", '{"spec":{"hibernate":true}}')

    def spec() -> str:
        cluster.kubectl.run("patch", *change)
        return cluster.kubectl("get", "rlog/orders", *here, "-o", "jsonpath={.spec}")

    cluster.helm("install", "definitions", older(tmp_path), *here)
    eventually(
        "a log is taken",
        lambda: cluster.kubectl.run("apply", *here, "-f", str(sample)).code == 0,
        KNOWN_S,
    )
    assert "hibernate" not in spec()
    cluster.helm("upgrade", "definitions", CHART, *here)

    eventually("the new field is known", lambda: '"hibernate":true' in spec(), KNOWN_S)


def test_definitions_and_logs_stay_when_their_chart_is_uninstalled(
    cluster: Cluster, namespace: str
) -> None:
    cluster.helm("install", "definitions", CHART, "-n", namespace)

    cluster.helm("uninstall", "definitions", "-n", namespace)

    assert len(cluster.kubectl("get", *DEFINITIONS, "-o", "name").split()) == len(DEFINITIONS)


def test_helm_takes_over_what_kubectl_installed_when_it_is_told_to(
    cluster: Cluster, namespace: str
) -> None:
    define(cluster)
    install = ("install", "definitions", CHART, "-n", namespace)

    refused = cluster.helm.run(*install)
    cluster.helm(*install, "--take-ownership", "--force-conflicts")

    assert refused.code != 0
    assert "invalid ownership metadata" in refused.complaint
