"""Snapshots are built by a helper process, so that nobody waits for the fold.

`python -m replog_node.adapters.builder DIRECTORY TERM OFFSET` builds one in a member's directory,
beside that member, and prints the name of its temporary file. It runs with the lowest priority and
ends with the member.

Decides: how the helper is run, and when it is given up. Must not know: what a snapshot is.
Read next: ../driver/building.py, snapshot_io.py.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from replog_node.model.positions import Offset, Position, Term

NICENESS: Final = 19
TIMEOUT_S: Final = 600.0
"""A build that takes longer is given up; it folds what has come since the last snapshot."""

_SAID_MAX: Final = 500
_PR_SET_PDEATHSIG: Final = 1


class BuildFailed(Exception):
    """The helper built nothing; the text says what it said. The next try may succeed."""


class HelperProcess:
    """Builds one snapshot at a time; call it from a thread that may wait."""

    def __init__(self, directory: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False

    def __call__(self, up_to: Position) -> str:
        """Build the snapshot at this position; its temporary name. Raises BuildFailed."""
        command = [
            sys.executable, "-m", __name__, str(self._directory), str(up_to.term),
            str(up_to.offset),
        ]  # fmt: skip
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            if self._ended:
                self._process.kill()
            out, said = self._process.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired as problem:
            self.end()
            raise BuildFailed(f"it took more than {self._timeout_s:.0f} s") from problem
        except OSError as problem:
            raise BuildFailed(str(problem)) from problem
        if self._process.returncode != 0:
            told = said.decode(errors="replace").strip()[-_SAID_MAX:]
            raise BuildFailed(f"exit code {self._process.returncode}: {told}")
        return out.decode().strip()

    def end(self) -> None:
        """End a helper that runs, and every later one at once. Any thread may call this."""
        self._ended = True
        if self._process is not None and self._process.poll() is None:
            self._process.kill()


def main(arguments: Sequence[str]) -> None:
    """The helper: see above."""
    _die_with_the_member()
    os.nice(NICENESS)
    from replog_node.driver.building import build_snapshot
    from replog_node.storage.disk_os import OsDiskBeside

    directory, term, offset = arguments
    disk = OsDiskBeside(Path(directory))
    try:
        name = build_snapshot(disk, Position(Term(int(term)), Offset(int(offset))))
    finally:
        disk.close()
    sys.stdout.write(name)


def _die_with_the_member() -> None:
    """Linux only; elsewhere the helper ends when it is done."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
