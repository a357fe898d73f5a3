"""A node's pod is as confined on a real cluster as the builder says, and works all the same."""

import pytest

from tests.cluster.members import LOG, Members
from tests.cluster.node import Cluster

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
TOUCH = "for at in /data /tmp /etc /opt; do touch $at/x 2>/dev/null && echo $at; done; id -u"


def test_a_node_writes_nowhere_but_to_its_volume_and_tmp_and_has_no_token(
    cluster: Cluster, namespace: str
) -> None:
    cluster.api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": RESTRICTED}})
    members = Members(cluster, namespace)
    members.make()
    members.wait_until_they_answer()
    inside = ("exec", "-n", namespace, f"{LOG}-0", "--")

    assert cluster.kubectl(*inside, "sh", "-c", TOUCH) == "/data\n/tmp\n65532\n"
    with pytest.raises(OSError, match="No such file"):
        cluster.kubectl(*inside, "ls", "/var/run/secrets")
