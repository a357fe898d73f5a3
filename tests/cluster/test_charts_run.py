"""The charts' own tests pass: an operator of one namespace, with Roles alone, makes a log there."""

import pytest

from replog_operator.kube.children.names import CLIENT_PORT, PEER_PORT
from tests.cluster import paths
from tests.cluster.delivered import CHARTS, LOG, OPERATOR
from tests.cluster.images import OURS
from tests.cluster.loading import CLIENT, client_pod
from tests.cluster.node import Cluster

ASKING = "import sys, socket; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"
REPOSITORY, TAG = OURS.rsplit(":", 1)
OPERATOR_VALUES = f"mode=namespaced,image.repository={REPOSITORY},image.tag={TAG}"
LOG_VALUES = (
    f"spec.replicas=1,spec.storage.className=directory,spec.storage.size=1Gi,test.image={OURS}"
)


def reaches(cluster: Cluster, namespace: str, port: int) -> bool:
    """Whether a pod beside the operator's reaches this port of the member."""
    address = cluster.api.get(paths.pods(namespace, "ledger-0"))["status"]["podIP"]
    asking = ("exec", "-n", namespace, CLIENT, "--", "python", "-c", ASKING, address, str(port))
    return cluster.kubectl.run(*asking).code == 0


@pytest.mark.timeout(360, func_only=True)
def test_an_operator_of_one_namespace_makes_a_log_there(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    here = ("-n", namespace)
    cluster.helm("install", "op", str(CHARTS / OPERATOR), *here, "--set", OPERATOR_VALUES, "--wait")
    cluster.helm("install", "ledger", str(CHARTS / LOG), *here, "--set", LOG_VALUES)
    cluster.kubectl("wait", "rlog/ledger", "--for=condition=Ready", "--timeout=90s", *here)

    with client_pod(cluster, namespace):
        assert reaches(cluster, namespace, CLIENT_PORT)
        assert not reaches(cluster, namespace, PEER_PORT), "only the operator does, and members"

    assert "Succeeded" in cluster.helm("test", "op", *here)
    assert "Succeeded" in cluster.helm("test", "ledger", *here)
    cluster.helm("uninstall", "ledger", *here, "--wait")
    assert cluster.kubectl("get", "pvc", "-o", "name", *here).strip() == (
        "persistentvolumeclaim/data-ledger-0"
    )
