"""Processes of the operator beside the cluster, in its network, as a person would start them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from tests.cluster.images import OURS
from tests.cluster.node import Cluster
from tests.cluster.versions import ROOT
from tests.support.processes import call, eventually

END_S = 30.0


class Operator:
    """One process. module: what is run; it takes the operator's options.

    options: more of them; of one that is given twice the last counts.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, name: str, directory: Path, *,
        module: str = "tests.cluster.marking", kubeconfig: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}), options: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.name = name
        self._log = directory / f"{name}.log"
        self._command = [
            sys.executable, "-m", module, "--namespace", namespace,
            "--lease-namespace", namespace, "--pod-name", name, "--port", "0",
            "--kubeconfig", str(kubeconfig or cluster.kubeconfig), "--node-image", OURS,
            *options,
        ]  # fmt: skip
        paths = (ROOT / "operator", ROOT / "node", ROOT)
        path = os.pathsep.join(str(part) for part in paths)
        self._environment = {**os.environ, "PYTHONPATH": path, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again after an end; its log goes on."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log
            )

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(END_S)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def ended(self) -> bool:
        """Whether it ran and does no more."""
        return not self.alive

    def memory_bytes(self) -> int:
        """What it has resident."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def cpu_s(self) -> float:
        """What it has taken of processors."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def said(self) -> str:
        """Its log."""
        return self._log.read_text() if self._log.exists() else ""

    def metrics(self) -> str:
        """Its page of metrics."""
        port = eventually("it serves its metrics", self._port, END_S)
        return call("GET", f"127.0.0.1:{port}", "/metrics")[1].decode()

    def _port(self) -> int | None:
        """The one that it has taken, as it says at its start; it may have been started again."""
        said = [json.loads(line) for line in self.said().splitlines() if "operator_started" in line]
        return int(said[-1]["port"]) if said else None

    def kill(self) -> None:
        """`kill -9`, also while it is stopped."""
        if self.alive:
            self.signal(signal.SIGKILL)
            self.wait()


@contextmanager
def operators(*made: Operator) -> Iterator[None]:
    """Start them, and end them at the end of the block."""
    try:
        for operator in made:
            operator.start()
        yield
    finally:
        for operator in made:
            operator.kill()
