"""One cluster for all tests of this folder, which run in its network.

A test has the time limit of any other; the start of the cluster has limits of its own.
"""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.loading import client_pod
from tests.cluster.logs import define
from tests.cluster.managed import ManagedLog
from tests.cluster.node import Cluster, missing, whole_node
from tests.cluster.operators import Operator, operators
from tests.support.processes import eventually

HERE = Path(__file__).parent
TEST_S = 120
ACCOUNT_S = 60
NAMED = 55
"""So many signs of a test's name fit into a namespace's, with a number behind."""
NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test's limit must not count the start, which may have to build it all."""
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TEST_S, func_only=True))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster. Whatever is made in it must have a name of its own."""
    if lacking := missing():
        pytest.skip(f"no cluster: {lacking}")
    with whole_node() as running:
        yield running


@pytest.fixture(autouse=True)
def _in_its_network(cluster: Cluster) -> Iterator[None]:
    """Nothing that a test sends leaves the cluster."""
    with cluster.network():
        yield


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for this test; its end is begun afterwards, and not waited for."""
    plain = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())
    name = f"{plain[:NAMED].strip('-')}-{next(NUMBERS)}"
    with cluster.network():
        cluster.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
        eventually("pods may be made in it", lambda: cluster.api.found(account), ACCOUNT_S)
        yield name
        cluster.api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def definitions(cluster: Cluster) -> None:
    """The custom resource definitions are in the cluster, for all tests."""
    with cluster.network():
        define(cluster)


@pytest.fixture
def acting(
    cluster: Cluster, namespace: str, definitions: None, tmp_path: Path
) -> Iterator[Operator]:
    """The operator, which runs."""
    operator = Operator(cluster, namespace, "one", tmp_path, module="replog_operator")
    with operators(operator):
        yield operator


@pytest.fixture
def unmade(cluster: Cluster, namespace: str, acting: Operator) -> Iterator[ManagedLog]:
    """The operator runs and a client waits; there is no log yet."""
    with client_pod(cluster, namespace):
        yield ManagedLog(cluster, namespace, acting.said)


@pytest.fixture
def log(unmade: ManagedLog) -> ManagedLog:
    """Three members that are ready."""
    unmade.apply("three")
    unmade.wait_until_ready(3)
    return unmade
