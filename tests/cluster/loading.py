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
PLACE = "/tmp/load"
RUN_S = 600.0
TRANSFER_S = 1.0
"""Whoever leads is gone as planned: for so long nobody's append may wait."""


class Gap(NamedTuple):
    """A time without an acknowledged append. began_s: since 1970, by the clock of the machine."""

    began_s: float
    lasted_s: float


class Loaded(NamedTuple):
    """acknowledged: appends, numbered from 0. gaps: those that were not short, in their order."""

    acknowledged: int
    gaps: tuple[Gap, ...]

    @property
    def longest_s(self) -> float:
        """Of all gaps; 0 if all were short."""
        return max((gap.lasted_s for gap in self.gaps), default=0.0)

    def longest_within(self, since_s: float, until_s: float) -> float:
        """Of those that touch this time, in seconds since 1970; 0 if all were short."""
        touching = [
            g for g in self.gaps if g.began_s + g.lasted_s > since_s and g.began_s < until_s
        ]
        return max((gap.lasted_s for gap in touching), default=0.0)

    def told(self) -> str:
        """All gaps, for people, the longest first."""
        all_s = sorted((gap.lasted_s for gap in self.gaps), reverse=True)
        return f"{', '.join(f'{each_s:.2f}' for each_s in all_s) or 'none that is not short'} s"


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
        found = json.loads(said)
        return Loaded(found["acknowledged"], tuple(Gap(*each) for each in found["gaps"]))


class LastingLoad:
    """The same, begun in the pod and left there: so it outlives the API server."""

    def __init__(self, cluster: Cluster, namespace: str, log: str) -> None:
        self._cluster = cluster
        self._inside = ("exec", "-i", "-n", namespace, CLIENT, "--")
        run = f"setsid python {PLACE}.py {endpoint(log, namespace)} > {PLACE}.json 2> {PLACE}.err"
        begin = f"cat > {PLACE}.py; {run} < /dev/null &"
        cluster.kubectl(*self._inside, "sh", "-c", begin, said=SCRIPT.read_text())

    def end(self) -> Loaded:
        """Have it stop; what it did. Raises AssertionError with its complaint."""
        self._cluster.kubectl(*self._inside, "touch", "/tmp/stop")
        try:
            said = eventually("the load ends", lambda: self._file("json"), END_S)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self._file('err')}") from problem
        found = json.loads(said)
        return Loaded(found["acknowledged"], tuple(Gap(*each) for each in found["gaps"]))

    def _file(self, kind: str) -> str:
        return self._cluster.kubectl(*self._inside, "cat", f"{PLACE}.{kind}")


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
