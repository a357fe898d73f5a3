"""Namespaces of their own for all that a node consists of: mounts, network, processes, names.

Nothing in it can change the machine's mounts, routes, packet filters or kernel settings, and it is
gone with its first process, which dies with the process that made it, also by `kill -9`.

Decides: which namespaces, and what is mounted and connected in them.
Must not know: what runs there.
Read next: runs.py, daemons.py.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import eventually

NODE_ADDRESS = "10.250.0.10"
"""Of the node. The API server refuses to advertise a loopback address."""

SERVICES = "10.96.0.0/16"
PODS = "10.244.0.0/24"
NEEDED = ("unshare", "nsenter", "setpriv", "nice", "ip", "sysctl", "mount", "openssl", "bash")
FIRST = "while :; do sleep 3600 & wait $!; done"
"""What the first process does: a shell that waits reaps orphans."""

OURS = {
    "vm/overcommit_memory": "1",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet would set for the whole machine: it is shown these and writes nothing."""

COMMAND_S = 60
_CLONE_NEWNET = 0x40000000


def missing() -> str:
    """What this machine lacks for namespaces, for people; empty if it lacks nothing."""
    if os.geteuid() != 0:
        return "namespaces need root"
    lacking = [command for command in NEEDED if shutil.which(command) is None]
    if lacking:
        return f"commands are missing: {', '.join(lacking)}"
    tried = subprocess.run(["unshare", "-m", "-n", "-p", "-u", "-i", "-f", "true"], check=False)
    return "namespaces are not permitted" if tried.returncode else ""


class Sandbox:
    """The namespaces, from making until close(). directory: absolute; holds data/ and fake/."""

    def __init__(self, directory: Path, path: str) -> None:
        self.directory = directory
        self.env = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8"}
        self._holder = subprocess.Popen(
            [
                "setpriv", "--pdeathsig", "KILL",
                "unshare", "-m", "-n", "-p", "-u", "-i", "-f", "--kill-child", "--mount-proc",
                "--propagation", "private", "bash", "-c", FIRST,
            ],
            stdin=subprocess.DEVNULL, start_new_session=True, env=self.env,
        )  # fmt: skip
        self.first = eventually("the sandbox has a first process", self._find_first, COMMAND_S)
        self._furnish()

    def _find_first(self) -> int | None:
        """The first process once it is in the new namespaces, as the machine numbers it."""
        children = children_of(self._holder.pid)
        if len(children) != 1:
            return None
        mine, its = (os.readlink(f"/proc/{who}/ns/net") for who in ("self", children[0]))
        return children[0] if mine != its else None

    def _furnish(self) -> None:
        fake, data = self.directory / "fake", self.directory / "data"
        fake.mkdir()
        data.mkdir()
        for place in ("/var/lib/cni", "/var/lib/kubelet"):
            Path(place).mkdir(parents=True, exist_ok=True)
        lines = ["mount --make-rshared /"]
        lines += [
            f"mount -t tmpfs tmpfs {place}"
            for place in ("/run", "/var/lib/cni", "/var/lib/kubelet", "/var/log")
        ]
        for setting, value in OURS.items():
            shown = fake / setting.replace("/", ".")
            shown.write_text(f"{value}\n")
            lines.append(f"mount --bind {shown} /proc/sys/{setting}")
        lines += [
            f"mount -t tmpfs -o size=8g,mode=755 tmpfs {data}",
            "mkdir -p /run/lock /run/netns",
            "hostname node1",
            "ip link set lo up",
            "sysctl -qw net.ipv4.ip_forward=1",
            "ip link add node0 type bridge",
            f"ip address add {NODE_ADDRESS}/24 dev node0",
            "ip link set node0 up",
            f"ip route add {SERVICES} dev node0",
        ]
        self.run("sh", "-ec", "\n".join(lines))

    def inside(self, *command: str) -> list[str]:
        """This command as one that runs in the sandbox, at `/`."""
        return ["nsenter", "-t", str(self.first), "-m", "-n", "-p", "-u", "-i", "--", *command]

    def run(self, *command: str, said: str = "", timeout_s: float = COMMAND_S) -> str:
        """Run a command inside; its output. Raises OSError with what it complained about."""
        done = subprocess.run(
            self.inside(*command), input=said, capture_output=True, text=True, timeout=timeout_s,
            env=self.env,
        )  # fmt: skip
        if done.returncode:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def spawn(self, log: Path, *command: str, more: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start a command inside, in a session of its own; what it says is appended to log."""
        with log.open("ab") as said:
            return subprocess.Popen(
                self.inside("setsid", "--wait", *command), stdin=subprocess.DEVNULL, stdout=said,
                stderr=said, env={**self.env, **more},
            )  # fmt: skip

    @contextmanager
    def network(self) -> Iterator[None]:
        """The calling thread, and what it starts, is in the sandbox's network within the block.

        So nothing is ever sent to a private address outside of it.
        """
        with open("/proc/thread-self/ns/net") as before, open(f"/proc/{self.first}/ns/net") as ours:
            _enter(ours.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def close(self) -> None:
        """End every process in it, and all that it holds."""
        for process in children_of(self._holder.pid):
            os.kill(process, signal.SIGKILL)
        self._holder.kill()
        self._holder.wait(COMMAND_S)
        eventually(
            "the sandbox is gone", lambda: not Path(f"/proc/{self.first}").exists(), COMMAND_S
        )


def children_of(process: int) -> list[int]:
    """The processes that this one has started and that still run."""
    try:
        return [
            int(each)
            for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()
        ]
    except FileNotFoundError:
        return []


def _enter(namespace: int) -> None:
    """setns(2), which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
