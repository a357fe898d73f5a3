"""Network policies are enforced, so that what a test shows of one is true.

The bridge between pods knows nothing of them: `netpol.py` does it.
"""

from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.cluster.pausing import wait_for_pods
from tests.support.processes import eventually

ENFORCED_S = 30
SERVING = """
import http.server, threading
for port in (8001, 8002):
    serve = http.server.ThreadingHTTPServer(('', port), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=serve.serve_forever).start()
"""
ASKING = "import sys, socket; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)"


def pod(name: str) -> dict[str, Any]:
    """A pod that listens at 8001, named `open`, and at 8002."""
    return {
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "node",
                    "image": OURS,
                    "command": ["python", "-c", SERVING],
                    "ports": [{"name": "open", "containerPort": 8001}, {"containerPort": 8002}],
                    "readinessProbe": {"tcpSocket": {"port": 8002}, "periodSeconds": 1},
                }
            ],
        },
    }


class Pods:
    """Pods named server, friend and stranger, and whether one reaches another."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        for name in ("server", "friend", "stranger"):
            cluster.api.create(paths.pods(namespace), pod(name))
        wait_for_pods(cluster, namespace)

    def address(self, name: str) -> str:
        found = self._cluster.api.get(paths.pods(self._namespace, name))
        return str(found["status"]["podIP"])

    def reaches(self, sender: str, receiver: str, port: int) -> bool:
        done = self._cluster.kubectl.run(
            "exec", "-n", self._namespace, sender, "--",
            "python", "-c", ASKING, self.address(receiver), str(port),
        )  # fmt: skip
        return done.code == 0

    def allow(self, **spec: Any) -> None:
        """A policy for the server."""
        body = {
            "metadata": {"name": "server"},
            "spec": {"podSelector": {"matchLabels": {"app": "server"}}, **spec},
        }
        path = paths.of(paths.NETWORKING, self._namespace, "networkpolicies")
        self._cluster.api.create(path, body)


@pytest.fixture
def pods(cluster: Cluster, namespace: str) -> Pods:
    return Pods(cluster, namespace)


FROM_FRIEND = {"podSelector": {"matchLabels": {"app": "friend"}}}


def test_without_a_policy_everybody_reaches_everybody(pods: Pods) -> None:
    assert pods.reaches("stranger", "server", 8001)


@pytest.mark.parametrize("port", [8001, "open"])
def test_only_whom_a_policy_names_reaches_the_port_that_it_names(
    pods: Pods, port: int | str
) -> None:
    pods.allow(
        policyTypes=["Ingress"], ingress=[{"from": [FROM_FRIEND], "ports": [{"port": port}]}]
    )
    eventually(
        "strangers are kept out", lambda: not pods.reaches("stranger", "server", 8001), ENFORCED_S
    )

    assert pods.reaches("friend", "server", 8001)
    assert not pods.reaches("friend", "server", 8002)
    assert pods.reaches("friend", "stranger", 8002)


def test_who_may_send_nowhere_reaches_nobody_and_is_reached(pods: Pods) -> None:
    pods.allow(policyTypes=["Egress"], egress=[])
    eventually(
        "the server is shut in", lambda: not pods.reaches("server", "friend", 8001), ENFORCED_S
    )

    assert pods.reaches("friend", "server", 8001)
