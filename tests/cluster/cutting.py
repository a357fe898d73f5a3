"""A pod that no other pod reaches any more, nor it them; the node's own probes still do.

Decides: which packets are lost, also those of connections that are open.
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
