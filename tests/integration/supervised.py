"""`replog up` as a user starts it, for tests: its members' processes, and the command line.

Decides: ports, and how members' process ids are learnt (from what `up` says).
Must not know: what tests want to show.
Read next: ../support/processes.py.
"""

import os
import re
import signal
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from socket import socket
from typing import Any

from tests.support.processes import FAST, ask, eventually

REPLOG = f"{sysconfig.get_path('scripts')}/replog"
STARTED = re.compile(r"member-(\d) started \(process (\d+)\)")
STOP_S = 30


def ports_in_a_row(count: int) -> int:
    """Return the first of so many ports, next to each other and free just now."""
    random = SystemRandom()
    while True:
        first = random.randrange(20_000, 30_000 - count)
        if all(map(_free, range(first, first + count))):
            return first


def _free(port: int) -> bool:
    with socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Up:
    """A running `replog up` of three members."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = ports_in_a_row(6)
        self.clients = [f"127.0.0.1:{first + place}" for place in range(3)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REPLOG")}
        self.environment = {**kept, **FAST, "REPLOG_ENDPOINTS": ",".join(self.clients)}
        self.said = folder / "up.log"
        with self.said.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    REPLOG, "up", "--data-dir", str(folder / "data"),
                    "--client-port", str(first), "--peer-port", str(first + 3),
                ],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def status(self, place: int) -> Any:
        """What member `place` knows of the cluster."""
        return ask("GET", self.clients[place], "/v1/cluster", timeout_s=3)

    def leader(self) -> tuple[int, Any]:
        """The place and status of the member that leads, once somebody does."""

        def look() -> tuple[int, Any] | None:
            for place in range(3):
                try:
                    status = self.status(place)
                except OSError:
                    continue
                if status["role"] == "leader":
                    return place, status
            return None

        return eventually("somebody leads", look)

    def complete(self) -> None:
        """Wait until all three members are voters."""

        def look() -> bool:
            status = self.leader()[1]
            return not status["joint"] and len(status["members"]) == 3 and all(
                member["role"] == "voter" for member in status["members"]
            )  # fmt: skip

        eventually("three members vote", look)

    def pids(self) -> dict[int, int]:
        """The process of each member; of one that was started again, the newest."""
        found = STARTED.findall(self.said.read_text())
        return {int(place): int(pid) for place, pid in found}

    def close(self) -> None:
        """End it as Ctrl-C does; its members end with it."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_S)
        finally:
            self.process.kill()  # members die with it
            self.process.wait()


@contextmanager
def running(folder: Path) -> Iterator[Up]:
    """`replog up`, its three members complete; ended with the block."""
    up = Up(folder)
    try:
        up.complete()
        yield up
    except BaseException as problem:
        problem.add_note(up.said.read_text())
        raise
    finally:
        up.close()
