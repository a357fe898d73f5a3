"""Processes of the other systems: started, waited for, always ended.

Decides: how they end. Must not know: what they are. Read next: etcd.py.
"""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.peers import LeftOut

UP_S = 60.0
TOOL_S = 180.0


@contextmanager
def running(
    commands: Sequence[Sequence[str | Path]], ports: Sequence[int], logs: Path
) -> Iterator[None]:
    """Run these servers until the block ends; it begins once each port takes connections."""
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, command in enumerate(commands):
            with (logs / f"server-{number}.log").open("wb") as log:
                started.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=logs))
        for port in ports:
            _wait_for(port, started, logs)
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def output(command: Sequence[str | Path], **env: str) -> str:
    """What a tool says; raises LeftOut if it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=TOOL_S, env={**os.environ, **env}
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[-300:]
        raise LeftOut(f"{Path(command[0]).name} failed: {said}")
    return done.stdout


def _wait_for(port: int, started: list[subprocess.Popen[bytes]], logs: Path) -> None:
    deadline = time.monotonic() + UP_S
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in started):
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise LeftOut(f"a server did not come up; {logs}/server-0.log tells more")
