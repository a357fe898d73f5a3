"""A member that does nothing for a while (SIGSTOP), and then goes on as if nothing had been.

Decides: which process that is. Must not know: who notices.
Read next: cutting.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster import paths
from tests.cluster.node import Cluster

SCHEME = "containerd://"


@contextmanager
def halted(cluster: Cluster, namespace: str, pod: str) -> Iterator[None]:
    """Within the block; its probes fail soon, and after a minute it would be started again."""
    found = cluster.api.get(paths.pods(namespace, pod))
    (container,) = found["status"]["containerStatuses"]
    task = container["containerID"].removeprefix(SCHEME)
    kill = ("ctr", "-n", "k8s.io", "tasks", "kill", "--signal")
    cluster.sandbox.run(*kill, "SIGSTOP", task)
    try:
        yield
    finally:
        cluster.sandbox.run(*kill, "SIGCONT", task)
