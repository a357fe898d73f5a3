"""The charts' own tests pass: an operator of one namespace, with Roles alone, makes a log there."""

import pytest

from tests.cluster.delivered import CHARTS, LOG, OPERATOR
from tests.cluster.images import OURS
from tests.cluster.node import Cluster

REPOSITORY, TAG = OURS.rsplit(":", 1)
OPERATOR_VALUES = f"mode=namespaced,image.repository={REPOSITORY},image.tag={TAG}"
LOG_VALUES = (
    f"spec.replicas=1,spec.storage.className=directory,spec.storage.size=1Gi,test.image={OURS}"
)


@pytest.mark.timeout(360, func_only=True)
def test_an_operator_of_one_namespace_makes_a_log_there(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    here = ("-n", namespace)
    cluster.helm("install", "op", str(CHARTS / OPERATOR), *here, "--set", OPERATOR_VALUES, "--wait")
    cluster.helm("install", "ledger", str(CHARTS / LOG), *here, "--set", LOG_VALUES)
    cluster.kubectl("wait", "rlog/ledger", "--for=condition=Ready", "--timeout=90s", *here)

    assert "Succeeded" in cluster.helm("test", "op", *here)
    assert "Succeeded" in cluster.helm("test", "ledger", *here)
    cluster.helm("uninstall", "ledger", *here, "--wait")
    assert cluster.kubectl("get", "pvc", "-o", "name", *here).strip() == (
        "persistentvolumeclaim/data-ledger-0"
    )
