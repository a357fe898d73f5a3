"""A client in a pod of its own that appends through the Service while a test does something.

Decides: how it is begun and ended. Must not know: what is done meanwhile.
Read next: load_script.py.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from replog_operator.kube.children.names import endpoint
from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.support.processes import eventually

SCRIPT = Path(__file__).parent / "load_script.py"
CLIENT = "client"
END_S = 60.0
RUN_S = 600.0


class Loaded(NamedTuple):
    """acknowledged: appends, numbered from 0. longest_s: between two of them."""

    acknowledged: int
    longest_s: float


class Load:
    """One run of the client. It begins at once."""

    def __init__(self, cluster: Cluster, namespace: str, log: str) -> None:
        self._cluster = cluster
        self._inside = ("exec", "-i", "-n", namespace, CLIENT, "--")
        command = (*self._inside, "python", "-", endpoint(log, namespace))
        self._threads = ThreadPoolExecutor(1)
        self._done = self._threads.submit(
            cluster.kubectl, *command, said=SCRIPT.read_text(), timeout_s=RUN_S
        )

    def end(self) -> Loaded:
        """Have it stop; what it did. Raises OSError with its complaint."""
        self._cluster.kubectl(*self._inside, "touch", "/tmp/stop")
        said = self._done.result(END_S)
        self._threads.shutdown()
        return Loaded(**json.loads(said))


@contextmanager
def client_pod(cluster: Cluster, namespace: str) -> Iterator[None]:
    """A pod of our image that waits to be told what to run."""
    cluster.kubectl(
        "run", CLIENT, "-n", namespace, "--image", OURS, "--command", "--", "sleep", "infinity"
    )
    path = f"/api/v1/namespaces/{namespace}/pods/{CLIENT}"
    eventually(
        "the client's pod runs",
        lambda: cluster.api.get(path)["status"]["phase"] == "Running",
        END_S,
    )
    yield
    cluster.kubectl("delete", "pod", CLIENT, "-n", namespace, "--now", "--wait=false")
