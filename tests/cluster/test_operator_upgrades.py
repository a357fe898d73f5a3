"""An operator that is replaced by another one, with other settings, leaves the members alone."""

import signal
from pathlib import Path
from typing import Any

import pytest

from replog_operator.kube.children.names import TEMPLATE
from replog_operator.kube.process import EXIT_STOPPED
from tests.cluster import paths
from tests.cluster.images import NEWER, OURS
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators

OPERATOR = "replog_operator"
OTHERWISE = (
    "--node-image", NEWER, "--pod-labels", "app.kubernetes.io/name=other", "--workers", "1",
    "--max-concurrent-rolls", "3", "--log-format", "plain", "--log-level", "debug",
)  # fmt: skip
"""Every setting that another version may come with. The image is that of logs which name none."""


@pytest.mark.timeout(400, func_only=True)
def test_no_pod_is_replaced_or_restarted_and_a_log_keeps_the_image_that_it_began_with(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    first = Operator(cluster, namespace, "first", tmp_path, module=OPERATOR)
    second = Operator(cluster, namespace, "second", tmp_path, module=OPERATOR, options=OTHERWISE)
    log = ManagedLog(cluster, namespace, second.said)
    with operators(first):
        log.apply("three", image=None)
        log.wait_until_ready(3)
        log.wait("its template is noted as good", lambda: log.condition("Updated") == "True")
        before = pods(log)
        first.signal(signal.SIGTERM)
        assert first.wait() == EXIT_STOPPED
    with operators(second):
        log.wait("the other one acts", lambda: "other" in admitted(cluster, namespace))
        log.scale(5)
        log.wait_until_ready(5)
    after = pods(log)

    assert {name: after[name] for name in before} == before
    assert {image for _, _, image, _ in after.values()} == {OURS}
    assert len({template for _, template, _, _ in after.values()}) == 1
    assert log.condition("Updated") == "True"


def pods(log: ManagedLog) -> dict[str, tuple[str, str, str, int]]:
    """The uid, template and image of each member's pod, and how often it was restarted."""
    return {name: _pod(pod) for name, pod in log.pods().items()}


def _pod(pod: Any) -> tuple[str, str, str, int]:
    metadata, (status,) = pod["metadata"], pod["status"]["containerStatuses"]
    image = pod["spec"]["containers"][0]["image"]
    return metadata["uid"], metadata["annotations"][TEMPLATE], image, status["restartCount"]


def admitted(cluster: Cluster, namespace: str) -> str:
    """Who may reach the members, which follows from a setting of the operator."""
    policy = cluster.api.get(paths.of(paths.NETWORKING, namespace, "networkpolicies", LOG))
    return str(policy["spec"]["ingress"])
