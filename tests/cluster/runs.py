"""A directory and a control group for each running cluster, and an end to what dead ones left.

A run holds a lock on its directory. One whose lock is free is dead, however it ended: its directory
and its groups are removed when the next run begins. Groups are the one thing that namespaces don't
take with them.

Decides: which run is dead. Must not know: what a cluster consists of.
Read next: sandbox.py.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.locks import alone
from tests.cluster.versions import CACHE
from tests.support.processes import eventually

RUNS = CACHE / "runs"
HIERARCHIES = Path("/sys/fs/cgroup")
GONE_S = 30
"""How long the kernel may take to let go of the groups of killed processes."""


@contextmanager
def run_directory() -> Iterator[Path]:
    """A directory for this run, with its control group; both are removed after the block."""
    with alone(RUNS / ".lock"):
        _clear_dead()
        directory = _unused()
        held = (directory / "lock").open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        _make_groups(group(directory))
        yield directory
    finally:
        _clear(directory)
        held.close()


def group(directory: Path) -> str:
    """The control group below which the pods of this run are."""
    return f"replog-{directory.name}"


def _unused() -> Path:
    number = 0
    while True:
        directory = RUNS / f"{os.getpid()}-{number}"
        try:
            directory.mkdir()
        except FileExistsError:
            number += 1
        else:
            return directory


def _clear_dead() -> None:
    for directory in (each for each in RUNS.iterdir() if each.is_dir()):
        with (directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue  # it runs
            _clear(directory)


def _clear(directory: Path) -> None:
    eventually("its groups are empty", lambda: _groups_are_gone(group(directory)), GONE_S)
    shutil.rmtree(directory)


def _hierarchies() -> list[Path]:
    """Each tree of control groups: many with version 1, one with version 2."""
    if (HIERARCHIES / "cgroup.controllers").exists():
        return [HIERARCHIES]
    return [each for each in HIERARCHIES.iterdir() if each.is_dir() and not each.is_symlink()]


def _make_groups(name: str) -> None:
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)


def _groups_are_gone(name: str) -> bool:
    """Remove the groups, the deepest first. OSError while a killed process is still in one."""
    for hierarchy in _hierarchies():
        top = hierarchy / name
        if top.exists():
            for folder, _, _ in os.walk(top, topdown=False):
                os.rmdir(folder)
    return True
