"""Plays the console blocks of a document against three real members, as a reader would type."""

import os
import re
import signal
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from subprocess import DEVNULL, STDOUT, CompletedProcess, Popen, TimeoutExpired, run

from tests.docs.markdown import Command

SCRIPTS = sysconfig.get_path("scripts")
DEFAULT_PORT = re.compile(r"\b74([01])([1-3])\b")
COMMAND_S_MAX = 30
START_S_MAX = 30
STOP_S_MAX = 20


@dataclass(frozen=True)
class Cluster:
    """Members that run, and the folder that commands are typed in.

    Documents name the default ports; first_client and first_peer are those of member 0 here.
    """

    folder: Path
    first_client: int
    first_peer: int

    @property
    def endpoints(self) -> str:
        return ",".join(f"127.0.0.1:{self.first_client + member}" for member in range(3))

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REPLOG")}
        path = f"{SCRIPTS}{os.pathsep}{kept['PATH']}"
        return kept | {"PATH": path, "REPLOG_ENDPOINTS": self.endpoints, "NO_COLOR": "1"}

    def type(self, command: Command) -> CompletedProcess[str]:
        """Carry out a command in bash, with the default ports replaced by the ones here."""
        return run(
            ["bash", "-euo", "pipefail", "-c", DEFAULT_PORT.sub(self.port, command.text)],
            cwd=self.folder,
            env=self.environment(),
            stdin=DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S_MAX,
            check=False,
        )

    def port(self, found: re.Match[str]) -> str:
        """Return the port here for a default port that a document names."""
        first = self.first_peer if found[1] == "1" else self.first_client
        return str(first + int(found[2]) - 1)


def free_ports(count: int) -> int:
    """Return the first of `count` ports in a row that nobody listens on."""
    start = 20000 + os.getpid() % 900 * 10
    for first in range(start, 30000, 10):
        if all(_is_free(first + further) for further in range(count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row from {start} on")


def _is_free(port: int) -> bool:
    with socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start `replog up` in this folder, wait until it serves, stop it as Ctrl-C would."""
    first = free_ports(10)  # five members, after a `replog scale 5`
    made = Cluster(folder=folder, first_client=first, first_peer=first + 5)
    ports = ["--client-port", str(made.first_client), "--peer-port", str(made.first_peer)]
    with (folder / "up.log").open("w") as log:
        up = Popen(
            [f"{SCRIPTS}/replog", "up", *ports],
            cwd=folder,
            env=made.environment(),
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_written(made, up)
            yield made
        finally:
            _stop(up)


def _wait_until_written(made: Cluster, up: Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S_MAX
    while made.type(Command(0, "replog status", ())).returncode != 0:
        if up.poll() is not None or time.monotonic() > deadline:
            told = (made.folder / "up.log").read_text()
            raise RuntimeError(f"replog up does not serve ({up.poll()}):\n{told}")
        time.sleep(0.2)


def _stop(up: Popen[bytes]) -> None:
    up.send_signal(signal.SIGINT)
    try:
        up.wait(STOP_S_MAX)
    except TimeoutExpired:
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()
        raise
