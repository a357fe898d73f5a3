"""Pods run, are found by name, and keep their volumes."""

import json

from tests.cluster.images import OURS
from tests.cluster.node import Cluster

POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "one"},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "containers": [{"name": "node", "image": OURS, "command": ["sleep", "infinity"]}],
    },
}


def test_a_pod_of_our_image_runs_as_nobody_and_finds_the_api_server_by_its_name(
    cluster: Cluster, namespace: str
) -> None:
    cluster.kubectl("apply", "-n", namespace, "-f", "-", said=json.dumps(POD))
    cluster.kubectl("wait", "--for=condition=Ready", "pod/one", "-n", namespace, "--timeout=90s")
    inside = ("exec", "-n", namespace, "one", "--")
    assert cluster.kubectl(*inside, "id", "-u") == "65532\n"
    asked = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    assert cluster.kubectl(*inside, "python", "-c", asked) == "10.96.0.1\n"
