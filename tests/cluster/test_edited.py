"""A StatefulSet that somebody edits by hand becomes what it was, and no pod is restarted by it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.loading import CLIENT
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster

BY_HAND = {
    "an image": ("set", "image", f"statefulset/{LOG}", "node=somebody/else:1"),
    "a strategy": (
        "patch", "statefulset", LOG, "--type=merge",
        '--patch={"spec":{"updateStrategy":{"type":"RollingUpdate"}}}',
    ),
    "a probe": (
        "patch", "statefulset", LOG, "--type=json",
        '--patch=[{"op":"remove","path":"/spec/template/spec/containers/0/livenessProbe"}]',
    ),
}  # fmt: skip


@pytest.mark.timeout(300, func_only=True)
def test_what_is_edited_by_hand_comes_back_and_what_is_added_is_rolled_out(
    cluster: Cluster, log: ManagedLog
) -> None:
    log.append(CLIENT, "one\n")
    log.wait("this template is noted as good", lambda: log.condition("Updated") == "True")
    path = paths.of("/apis/apps/v1", log.namespace, "statefulsets")
    spec = spec_of(cluster, f"{path}/{LOG}")
    pods = {name: pod["metadata"]["uid"] for name, pod in log.pods().items()}

    for what, command in BY_HAND.items():
        log.kubectl(*command)
        log.wait(f"{what} is as it was", lambda: spec_of(cluster, f"{path}/{LOG}") == spec)
    log.wait_until_ready(3)
    assert {name: pod["metadata"]["uid"] for name, pod in log.pods().items()} == pods

    log.kubectl("rollout", "restart", f"statefulset/{LOG}")
    log.wait("all are restarted, one by one", all_others(log, pods))
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["one"]


def spec_of(cluster: Cluster, path: str) -> Any:
    """What a StatefulSet should be."""
    return cluster.api.get(path)["spec"]


def all_others(log: ManagedLog, pods: dict[str, str]) -> Callable[[], bool]:
    """Whether each pod is another one by now, and well."""

    def renewed() -> bool:
        found = {name: pod["metadata"]["uid"] for name, pod in log.pods().items()}
        replaced = all(found.get(name) not in (None, uid) for name, uid in pods.items())
        return replaced and log.condition("Updated") == "True"

    return renewed
