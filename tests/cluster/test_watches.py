"""What wakes the operator, through whatever happens to the API server (kube/watch.py)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from replog_operator.kube.children.names import labels
from replog_operator.kube.watch import CHILDREN, OURS, Watch
from replog_operator.kube.workqueue import Key
from tests.cluster.logs import log, pod
from tests.cluster.node import Cluster

KOPFS = "kopf.zalando.org/KopfFinalizerMarker"


class Looks:
    """The keys that were asked for, in order."""

    def __init__(self) -> None:
        self.keys: list[Key] = []

    async def wait_for(self, key: Key, timeout_s: float = 60.0) -> None:
        """Until the key was asked for; what was asked for before is forgotten then."""
        async with asyncio.timeout(timeout_s):
            while key not in self.keys:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # what comes with it
        self.keys.clear()


@asynccontextmanager
async def watching(cluster: Cluster, *namespaces: str) -> AsyncIterator[Looks]:
    """A watch within the block, which must not end by itself."""
    looks = Looks()
    task = asyncio.create_task(Watch(namespaces, cluster.kubeconfig, looks.keys.append).run())
    try:
        yield looks
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def logs(namespace: str) -> str:
    """Path of the logs."""
    return f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs"


def pods(namespace: str) -> str:
    """Path of the pods."""
    return f"/api/v1/namespaces/{namespace}/pods"


@pytest.mark.asyncio
async def test_a_log_and_what_carries_its_label_wake_it_and_nothing_else_does(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    async with watching(cluster, namespace) as looks:
        cluster.api.create(logs(namespace), log("orders"))
        await looks.wait_for(Key(namespace, "orders"))
        cluster.api.create(pods(namespace), pod("other"))
        await asyncio.sleep(1.0)
        assert looks.keys == []
        cluster.api.create(pods(namespace), pod("orders-0", labels=labels("orders")))
        await looks.wait_for(Key(namespace, "orders"))
        cluster.api.delete(f"{logs(namespace)}/orders")
        await looks.wait_for(Key(namespace, "orders"))


@pytest.mark.asyncio
async def test_nothing_is_written_on_what_is_watched_and_no_finalizer_is_taken_off(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    theirs = pod("orders-0", labels=labels("orders"), finalizers=[KOPFS])
    before = cluster.api.create(pods(namespace), theirs)
    resource = cluster.api.create(logs(namespace), log("orders"))
    async with watching(cluster, namespace) as looks:
        await looks.wait_for(Key(namespace, "orders"))
        cluster.api.merge(f"{pods(namespace)}/orders-0", {"metadata": {"annotations": {"a": "1"}}})
        await looks.wait_for(Key(namespace, "orders"))
        cluster.api.delete(f"{pods(namespace)}/orders-0")
        await looks.wait_for(Key(namespace, "orders"))
    stored = cluster.api.get(f"{pods(namespace)}/orders-0")
    assert stored["metadata"]["finalizers"] == [KOPFS]
    assert stored["metadata"]["annotations"] == {"a": "1"}
    assert before["metadata"]["uid"] == stored["metadata"]["uid"]
    after = cluster.api.get(f"{logs(namespace)}/orders")
    assert after["metadata"]["resourceVersion"] == resource["metadata"]["resourceVersion"]
    cluster.api.merge(f"{pods(namespace)}/orders-0", {"metadata": {"finalizers": None}})


@pytest.mark.asyncio
async def test_it_goes_on_after_the_api_server_was_killed_and_has_forgotten_old_versions(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    async with watching(cluster, namespace) as looks:
        cluster.api.create(logs(namespace), log("before"))
        await looks.wait_for(Key(namespace, "before"))
        server = cluster.daemons["kube-apiserver"]
        await asyncio.to_thread(server.kill)
        server.start()
        await asyncio.to_thread(cluster.wait_for_api)
        cluster.api.create(logs(namespace), log("after"))
        await looks.wait_for(Key(namespace, "after"))
        cluster.api.create(pods(namespace), pod("after-0", labels=labels("after")))
        await looks.wait_for(Key(namespace, "after"))


@pytest.mark.asyncio
async def test_the_whole_cluster_can_be_watched(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    async with watching(cluster) as looks:
        cluster.api.create(logs(namespace), log("orders"))
        await looks.wait_for(Key(namespace, "orders"))


def test_every_kind_that_is_watched_is_served_by_the_api_server(
    cluster: Cluster, definitions: None
) -> None:
    for kind in (*OURS, *CHILDREN):
        root = "/api" if "/" not in kind.api_version else "/apis"
        found = cluster.api.get(f"{root}/{kind.api_version}")["resources"]
        assert kind.plural in [each["name"] for each in found]
