"""A running cluster of one node, or its API server alone.

Decides: what is started in which order, and when it is ready. Must not know: what tests do with it.
Read next: sandbox.py, daemons.py.
"""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import binaries, certificates, daemons, images, sandbox
from tests.cluster.api import Api
from tests.cluster.daemons import Daemon
from tests.cluster.kubectl import Program
from tests.cluster.runs import run_directory
from tests.cluster.sandbox import Sandbox
from tests.support.processes import call, eventually

READY_S = 120
"""How long any part may take to become ready, on a machine that is busy with other tests."""

IMPORT_S = 300
NEEDED = ("containerd", "runc", "ctr", "nft", "iptables")
NODE = "/api/v1/nodes/node1"


class Cluster:
    """What runs in one sandbox. Ask it from within `network()`."""

    def __init__(self, directory: Path, room: Sandbox, programs: Path) -> None:
        self.directory = directory
        self.sandbox = room
        self.network = room.network
        self.programs = programs
        self.kubeconfig = certificates.kubeconfig(directory / "pki", "admin")
        self.api = Api(directory / "pki")
        self.kubectl = Program(programs / "kubectl", self.kubeconfig)
        self.helm = Program(programs / "helm", self.kubeconfig)
        self.daemons: dict[str, Daemon] = {}

    def start(self, commands: Mapping[str, Callable[[Path], list[str]]]) -> None:
        """Start these daemons; none waits for another."""
        for name, command in commands.items():
            self.daemons[name] = Daemon(self.sandbox, name, command(self.directory))
            self.daemons[name].start()

    def wait_for_api(self) -> None:
        """Until the API server answers, and a namespace gets what pods in it need."""
        eventually("the API server is ready", self._is_ready, READY_S)
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        eventually("the service account is there", lambda: self.api.found(account), READY_S)

    def _is_ready(self) -> bool:
        return self.api.call("GET", "/readyz").status == 200

    def wait_for_node(self) -> None:
        """Until pods can run, and names are resolved."""
        eventually("the node is ready", self._node_is_ready, READY_S)
        eventually("the name server is ready", _names_are_resolved, READY_S)

    def _node_is_ready(self) -> bool:
        conditions = self.api.get(NODE)["status"].get("conditions", [])
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    def load(self, archive: Path) -> None:
        """Take the images of an OCI archive into the node's store."""
        self.sandbox.run(
            "ctr", "-n", "k8s.io", "images", "import", str(archive), timeout_s=IMPORT_S
        )

    def close(self) -> None:
        """End it all."""
        self.sandbox.close()
        for daemon in self.daemons.values():
            daemon.kill()

    def logs(self) -> str:
        """The ends of all daemons' logs, for a failure."""
        return "\n".join(f"--- {name}:\n{each.said()}" for name, each in self.daemons.items())


def _names_are_resolved() -> bool:
    return call("GET", "127.0.0.1:8181", "/ready")[0] == 200


def missing() -> str:
    """What this machine lacks for a whole node, for people; empty if it lacks nothing."""
    lacking = [each for each in NEEDED if shutil.which(each) is None]
    if not Path("/usr/lib/cni/bridge").exists():
        lacking.append("/usr/lib/cni/bridge")
    told = f"missing: {', '.join(lacking)}" if lacking else ""
    return sandbox.missing() or told or images.missing() or binaries.missing()


@contextmanager
def api_server() -> Iterator[Cluster]:
    """An API server with its controllers, and no node: objects, not pods. Gone after the block."""
    programs = binaries.ensure(*binaries.API)
    with _furnished(programs) as cluster:
        yield cluster


@contextmanager
def whole_node() -> Iterator[Cluster]:
    """A node that runs pods from our images. Gone after the block."""
    programs, archives = binaries.ensure(), images.ensure()
    with _furnished(programs) as cluster:
        with cluster.network(), _explained(cluster):
            _complete(cluster, archives)
        yield cluster


@contextmanager
def _furnished(programs: Path) -> Iterator[Cluster]:
    with run_directory() as directory:
        certificates.make(directory / "pki")
        daemons.write_files(directory)
        (directory / "log").mkdir()
        path = f"{programs}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
        cluster = Cluster(directory, Sandbox(directory, path), programs)
        try:
            with cluster.network(), _explained(cluster):
                cluster.start(daemons.API)
                cluster.wait_for_api()
            yield cluster
        finally:
            cluster.close()


def _complete(cluster: Cluster, archives: list[Path]) -> None:
    objects = cluster.directory / "files" / "objects.yaml"
    cluster.kubectl("apply", "-f", str(objects))
    rest = dict(daemons.NODE)
    cluster.start({"containerd": rest.pop("containerd")})
    kubelet = rest.pop("kubelet")
    cluster.start(rest)
    version = ("ctr", "version")
    eventually("containerd answers", lambda: cluster.sandbox.run(*version), READY_S)
    for archive in archives:
        cluster.load(archive)
    cluster.start({"kubelet": kubelet})
    cluster.wait_for_node()


@contextmanager
def _explained(cluster: Cluster) -> Iterator[None]:
    """What the daemons said is shown if it doesn't start."""
    try:
        yield
    except (AssertionError, OSError):
        sys.stderr.write(cluster.logs())
        raise
