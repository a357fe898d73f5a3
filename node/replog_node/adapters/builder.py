"""Snapshots are built by a helper process, so that nobody waits for the fold.

`python -m replog_node.adapters.builder DIRECTORY TERM OFFSET` builds one in a member's directory,
beside that member, and says the name of its temporary file. It runs only when nobody else wants the
processor, from its first instruction on (else starting Python three times at once would be felt),
and it ends with the member.

Decides: how the helper is run, and when it is given up. Must not know: what a snapshot is.
Read next: ../driver/building.py, snapshot_io.py.
"""

import ctypes
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from replog_node.model.positions import Offset, Position, Term

TIMEOUT_S: Final = 600.0
"""A build that takes longer is given up; it folds what has come since the last snapshot."""

_SAID_MAX: Final = 64 * 1024
"""More than this isn't read of what the helper says."""

_TOLD_MAX: Final = 500
_NICENESS: Final = 19
_PR_SET_PDEATHSIG: Final = 1


class BuildFailed(Exception):
    """The helper built nothing; the text says what it said. The next try may succeed."""


class HelperProcess:
    """Builds one snapshot at a time; call it from a thread that may wait."""

    def __init__(self, directory: Path, timeout_s: float = TIMEOUT_S) -> None:
        self._directory = directory
        self._timeout_s = timeout_s
        self._process: int | None = None
        self._ended = False
        self._lock = Lock()

    def __call__(self, up_to: Position) -> str:
        """Build the snapshot at this position; its temporary name. Raises BuildFailed."""
        reading, writing = os.pipe()
        try:
            self._start(up_to, writing)
        except OSError as problem:
            os.close(reading)
            raise BuildFailed(str(problem)) from problem
        finally:
            os.close(writing)
        said = _all_of(reading, self._timeout_s)
        os.close(reading)
        code = self._wait(kill=said is None)
        if said is None:
            raise BuildFailed(f"it took more than {self._timeout_s:.0f} s")
        text = said.decode(errors="replace").strip()
        if code != 0:
            raise BuildFailed(f"exit code {code}: {text[-_TOLD_MAX:]}")
        return text.rpartition("\n")[2]

    def end(self) -> None:
        """End a helper that runs, and every later one at once. Any thread may call this."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                os.kill(self._process, signal.SIGKILL)

    def _start(self, up_to: Position, writing: int) -> None:
        command = [
            *_ASIDE, sys.executable, "-m", __name__, str(self._directory), str(up_to.term),
            str(up_to.offset),
        ]  # fmt: skip
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1), (os.POSIX_SPAWN_DUP2, writing, 2)]
        with self._lock:
            if self._ended:
                raise OSError("the member stops")
            self._process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)

    def _wait(self, *, kill: bool) -> int:
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            raise BuildFailed("there is no helper")
        if kill:
            os.kill(process, signal.SIGKILL)
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _aside() -> list[str]:
    """How to start somebody who gets only the processor time that nobody else wants."""
    found = shutil.which("chrt")  # of util-linux
    return [] if found is None else [found, "--idle", "0"]


_ASIDE: Final = _aside()


def _all_of(reading: int, timeout_s: float) -> bytes | None:
    """What comes until the other side closes; None if that takes too long."""
    said, until_s = b"", time.monotonic() + timeout_s
    while True:
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not select.select([reading], [], [], left_s)[0]:
            return None
        piece = os.read(reading, _SAID_MAX)
        if not piece:
            return said
        said = (said + piece)[-_SAID_MAX:]


def main(arguments: Sequence[str]) -> None:
    """The helper: see above."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(_NICENESS)
    from replog_node.driver.building import build_snapshot
    from replog_node.storage.disk_os import OsDiskBeside

    directory, term, offset = arguments
    disk = OsDiskBeside(Path(directory))
    try:
        name = build_snapshot(disk, Position(Term(int(term)), Offset(int(offset))))
    finally:
        disk.close()
    sys.stdout.write(f"\n{name}")  # a line of its own: whatever was said before is a warning


if __name__ == "__main__":
    main(sys.argv[1:])
