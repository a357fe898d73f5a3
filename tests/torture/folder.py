"""A run's folder among the temporary files: whose it is while the run lives, and what stays.

The kernel clears up a room whose first process was killed (room.py), but not files: the images of
the members' disks, some hundred MiB. So a run locks its folder before it puts anything in, and the
next run removes what nobody has locked. The kernel lets go of the lock, however the process ends.

Decides: names, what is kept. Must not know: what is in the logs.
Read next: __main__.py.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "replog-torture-"
KEPT = "-logs"
"""How the name of what is kept ends; no other name does."""

LOGS = "logs"
"""The part of a folder that is kept when something is wrong."""


@contextmanager
def claimed() -> Iterator[Path]:
    """A new folder, locked until the end of the block or of the process; it isn't removed."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)


def clear_up(folder: Path, *, keep: bool) -> Path | None:
    """Remove everything, or all but the members' logs and the history; where those are now."""
    kept = None
    if keep and (folder / LOGS).is_dir():
        kept = folder.with_name(folder.name + KEPT)
        shutil.move(folder / LOGS, kept)
    shutil.rmtree(folder)
    return kept


def sweep() -> list[Path]:
    """Clear up after this user's runs that were killed; where their logs are now."""
    found = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    kept = [_swept(folder) for folder in sorted(found) if not folder.name.endswith(KEPT)]
    return [logs for logs in kept if logs is not None]


def _swept(folder: Path) -> Path | None:
    """An empty one stays: it may be a run's that hasn't locked it yet."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:  # no directory, or gone by now
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(lock).st_uid != os.geteuid() or not any(folder.iterdir()):
            return None
        return clear_up(folder, keep=True)
    except (BlockingIOError, FileNotFoundError):  # its run lives, or another sweep was faster
        return None
    finally:
        os.close(lock)
