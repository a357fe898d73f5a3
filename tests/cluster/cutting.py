"""A pod that no other pod reaches any more, nor it them, or that sends slowly.

The node's own probes still reach one that is cut off.

Decides: which packets are lost, also those of connections that are open, and how fast others go.
Must not know: who notices.
Read next: netpol.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import paths
from tests.cluster.node import Cluster

RULES = """\
table inet cut {{
  chain between_pods {{
    type filter hook forward priority 20
    ip saddr {address} drop
    ip daddr {address} drop
  }}
}}
"""


@contextmanager
def cut_off(cluster: Cluster, namespace: str, pod: str) -> Iterator[None]:
    """Within the block; one pod at a time."""
    address = cluster.api.get(paths.pods(namespace, pod))["status"]["podIP"]
    cluster.sandbox.run("nft", "-f", "-", said=RULES.format(address=address))
    try:
        yield
    finally:
        cluster.sandbox.run("nft", "delete", "table", "inet", "cut")


SLOW = ("tbf", "rate", "48mbit", "burst", "64kb", "latency", "400ms")
"""6 MB a second: a heartbeat is not late, and what fills a log is under way for a while."""


@contextmanager
def slowed(cluster: Cluster, namespace: str, pod: str) -> Iterator[None]:
    """Within the block whatever the pod sends goes slowly."""
    address = cluster.api.get(paths.pods(namespace, pod))["status"]["podIP"]
    room = _room_of(cluster, address)
    cluster.sandbox.run("tc", "-n", room, "qdisc", "add", "dev", "eth0", "root", *SLOW)
    try:
        yield
    finally:
        cluster.sandbox.run("tc", "-n", room, "qdisc", "delete", "dev", "eth0", "root")


def _room_of(cluster: Cluster, address: str) -> str:
    """The network namespace of the pod with this address."""
    for line in cluster.sandbox.run("ip", "netns", "list").splitlines():
        room = line.split()[0]
        if f" {address}/" in cluster.sandbox.run("ip", "-n", room, "-4", "address"):
            return room
    raise LookupError(f"no pod has the address {address}")
