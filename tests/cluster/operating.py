"""Parts of the operator's process against a real API server, in the test's own event loop."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from replog_operator.kube.client import Client, configuration
from replog_operator.kube.fence import Epoch, Fence
from replog_operator.kube.reading import LeaseStore, Reader
from replog_operator.kube.writing import Writer
from tests.cluster.node import Cluster

HELD_S = 3600.0


class Parts(NamedTuple):
    """Everything that a pass has of the API server. reached: the failpoints that were passed."""

    client: Client
    reads: Reader
    writes: Writer
    leases: LeaseStore
    fence: Fence
    reached: list[str]


@asynccontextmanager
async def parts(cluster: Cluster) -> AsyncIterator[Parts]:
    """All of them, with the lease taken for held."""
    fence, reached = Fence(), list[str]()
    fence.extend(Epoch("ns/operator", 1, "me"), fence.now_s() + HELD_S)
    found = await configuration(cluster.kubeconfig)
    async with Client(found, "replog-operator/test") as client:
        yield Parts(
            client,
            Reader(client),
            Writer(client, fence, reached.append),
            LeaseStore(client),
            fence,
            reached,
        )
