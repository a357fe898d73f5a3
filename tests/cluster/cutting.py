"""Pods that no other pod reaches any more, nor they them, or that send slowly.

The node's own probes still reach one that is cut off.

Decides: which packets are lost, also those of connections that are open, and how fast others go.
Must not know: who notices.
Read next: netpol.py.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from replog_operator.kube.children.names import PEER_PORT
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


FROM_OTHERS = """\
table inet cut {{
  set away {{ type ipv4_addr; elements = {{ {addresses} }}; }}
  chain between_pods {{
    type filter hook forward priority 20
    ip saddr @away ip daddr != @away drop
    ip daddr @away ip saddr != @away drop
  }}
  chain from_the_node {{
    type filter hook output priority 20
    ip daddr @away tcp dport {port} drop
  }}
}}
"""


@contextmanager
def cut_off_together(cluster: Cluster, namespace: str, pods: Sequence[str]) -> Iterator[None]:
    """Within the block they reach each other, and no other pod; the operator reaches none."""
    found = (cluster.api.get(paths.pods(namespace, pod)) for pod in pods)
    addresses = ", ".join(pod["status"]["podIP"] for pod in found)
    rules = FROM_OTHERS.format(addresses=addresses, port=PEER_PORT)
    cluster.sandbox.run("nft", "-f", "-", said=rules)
    try:
        yield
    finally:
        cluster.sandbox.run("nft", "delete", "table", "inet", "cut")


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
