"""`python -m tests.support.stalling_node …`: a real node whose disk hangs while a file exists.

Takes the arguments of `python -m replog_node`. While the file <data directory>.stalled exists
beside the data directory, no sync returns; reads and unsynced writes go on, as they do on a disk
whose queue is stuck. If the file holds a number, each sync takes so many milliseconds longer.
Must not know: what the node does.
Read next: replog_node/storage/disk_os.py.
"""

import math
import sys
import time
from pathlib import Path

from replog_node.app import run
from replog_node.storage.disk import Sync
from replog_node.storage.disk_os import OsDisk, OsFile

LOOK_S = 0.01


def wait_while(stall: Path) -> None:
    """Return when the disk doesn't hang, or has been slow for as long as it is."""
    began_s = time.monotonic()
    while (longer_s := _longer_s(stall)) > time.monotonic() - began_s:
        time.sleep(min(LOOK_S, longer_s))


def _longer_s(stall: Path) -> float:
    """How much longer than it would a sync takes now."""
    try:
        text = stall.read_text()
    except FileNotFoundError:
        return 0.0
    return int(text) / 1000 if text else math.inf


def stall_file(directory: Path) -> Path:
    """The file that lets the disk of this data directory hang while it exists."""
    return directory.with_name(f"{directory.name}.stalled")


class StallingFile(OsFile):
    """A file of such a disk."""

    stall: Path

    def sync(self, why: Sync) -> None:
        wait_while(self.stall)
        super().sync(why)


class StallingDisk(OsDisk):
    """The data directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._stall = stall_file(directory)

    def create(self, name: str, size: int) -> OsFile:
        return self._stalling(super().create(name, size))

    def open(self, name: str) -> OsFile:
        return self._stalling(super().open(name))

    def sync_directory(self, why: Sync) -> None:
        wait_while(self._stall)
        super().sync_directory(why)

    def _stalling(self, file: OsFile) -> OsFile:
        file.__class__ = type("Stalling", (StallingFile,), {"stall": self._stall})
        return file


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], open_disk=StallingDisk))
