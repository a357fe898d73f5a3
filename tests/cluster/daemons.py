"""The programs that a node consists of: their command lines, and a process for each.

Decides: with which flags each is started. Must not know: when, and in which order.
Read next: node.py, files/.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from string import Template

from tests.cluster import certificates
from tests.cluster.runs import group
from tests.cluster.sandbox import NODE_ADDRESS, PODS, SERVICES, Sandbox, children_of
from tests.cluster.versions import HERE, ROOT

ETCD = "http://127.0.0.1:2379"
STOP_S = 30


class Daemon:
    """One program in the sandbox; it may be started again after an end."""

    def __init__(self, sandbox: Sandbox, name: str, command: list[str]) -> None:
        self.name = name
        self.log = sandbox.directory / "log" / f"{name}.log"
        self._sandbox = sandbox
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        self._process = self._sandbox.spawn(self.log, *self._command, more=PYTHON)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to it, and to nothing that it has started.

        nsenter, which started it, stops when it does, and must go on when it does, or ends.
        """
        for process in self._program():
            os.kill(process, number)
        if number in (signal.SIGCONT, signal.SIGKILL) and self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_S)

    def _program(self) -> list[int]:
        """The program itself: the one child of nsenter."""
        if self._process is None or self._process.poll() is not None:
            return []
        return children_of(self._process.pid)

    def said(self, lines: int = 20) -> str:
        """The end of its log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


PYTHON = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
"""For those of our own."""


def write_files(directory: Path) -> None:
    """Fill in files/ for this run."""
    values = {
        "directory": str(directory),
        "node": NODE_ADDRESS,
        "pods": PODS,
        "group": group(directory),
    }
    for source in (HERE / "files").rglob("*"):
        if source.is_file():
            written = directory / "files" / source.relative_to(HERE / "files")
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(Template(source.read_text()).substitute(values))


def etcd(directory: Path) -> list[str]:
    """It keeps its promises over kill -9, not over a power loss: quick, and enough here."""
    return [
        "etcd", f"--data-dir={directory}/data/etcd", "--name=default", "--unsafe-no-fsync",
        "--log-level=warn", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--initial-advertise-peer-urls=http://127.0.0.1:2380",
        "--initial-cluster=default=http://127.0.0.1:2380",
    ]  # fmt: skip


def api_server(directory: Path) -> list[str]:
    pki = directory / "pki"
    return [
        "kube-apiserver", f"--etcd-servers={ETCD}", f"--bind-address={NODE_ADDRESS}",
        f"--advertise-address={NODE_ADDRESS}", "--secure-port=6443",
        f"--client-ca-file={pki}/ca.crt", f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/sa.pub",
        f"--service-account-signing-key-file={pki}/sa.key",
        f"--service-cluster-ip-range={SERVICES}", "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
        f"--audit-policy-file={directory}/files/audit.yaml", f"--audit-log-path={audit(directory)}",
        "--audit-log-maxsize=1000", "--audit-log-maxbackup=1",
    ]  # fmt: skip


def audit(directory: Path) -> Path:
    """The file in which each write to the API server is a line."""
    return directory / "log" / "audit.log"


def controller_manager(directory: Path) -> list[str]:
    pki = directory / "pki"
    return [
        "kube-controller-manager",
        f"--kubeconfig={certificates.kubeconfig(pki, 'controller-manager')}",
        "--bind-address=127.0.0.1", f"--service-account-private-key-file={pki}/sa.key",
        f"--root-ca-file={pki}/ca.crt", "--use-service-account-credentials=true",
        "--allocate-node-cidrs=false", "--leader-elect=false", "--controllers=*",
        f"--flex-volume-plugin-dir={directory}/data/kubelet-plugins",
    ]  # fmt: skip


def scheduler(directory: Path) -> list[str]:
    kubeconfig = certificates.kubeconfig(directory / "pki", "scheduler")
    return [
        "kube-scheduler", f"--kubeconfig={kubeconfig}", "--bind-address=127.0.0.1",
        "--leader-elect=false",
    ]  # fmt: skip


def proxy(directory: Path) -> list[str]:
    return ["kube-proxy", f"--config={directory}/files/proxy.yaml"]


def coredns(directory: Path) -> list[str]:
    return ["coredns", "-conf", f"{directory}/files/Corefile"]


def containerd(directory: Path) -> list[str]:
    return ["containerd", "-c", f"{directory}/files/containerd.toml"]


def kubelet(directory: Path) -> list[str]:
    data = directory / "data"
    return [
        "kubelet", f"--config={directory}/files/kubelet.yaml",
        f"--kubeconfig={certificates.kubeconfig(directory / 'pki', 'kubelet')}",
        f"--root-dir={data}/kubelet", f"--cert-dir={data}/kubelet/pki",
        "--hostname-override=node1", f"--node-ip={NODE_ADDRESS}",
    ]  # fmt: skip


def provisioner(directory: Path) -> list[str]:
    return [sys.executable, "-m", "tests.cluster.provisioner", str(directory)]


def policies(directory: Path) -> list[str]:
    return [sys.executable, "-m", "tests.cluster.netpol", str(directory)]


API: dict[str, Callable[[Path], list[str]]] = {
    "etcd": etcd,
    "kube-apiserver": api_server,
    "kube-controller-manager": controller_manager,
}
"""An API server without a node, in the order of the start."""

NODE: dict[str, Callable[[Path], list[str]]] = {
    "containerd": containerd,
    "kube-scheduler": scheduler,
    "kube-proxy": proxy,
    "coredns": coredns,
    "provisioner": provisioner,
    "netpol": policies,
    "kubelet": kubelet,
}
"""What makes it a whole node."""
