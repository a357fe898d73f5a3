"""The API server is upstream's own, and asks for what an operator is held to."""

from tests.cluster import versions
from tests.cluster.api import Api
from tests.cluster.node import Cluster


def test_it_is_the_version_that_is_pinned(cluster: Cluster) -> None:
    assert cluster.api.get("/version")["gitVersion"] == versions.pinned("k8s.io/kubernetes")


def test_who_has_no_role_is_refused(cluster: Cluster) -> None:
    nobody = Api(cluster.directory / "pki", "coredns")
    answer = nobody.call("GET", "/api/v1/nodes")
    assert answer.status == 403
    assert 'User "coredns" cannot list resource "nodes"' in answer.message
