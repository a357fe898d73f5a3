"""The directory of `replog up`: one supervisor at a time, one directory a member.

Decides: names within it. Must not know: what the nodes keep in theirs.
Read next: supervisor.py.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LOCK: Final = "supervisor.lock"
MEMBER: Final = "member-"
DIGITS: Final = 1
"""Of a member's number: there are nine at most."""


class DirectoryBusy(Exception):
    """Another supervisor uses the directory."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Hold the directory (made if need be) against other supervisors.

    Raises DirectoryBusy, OSError. The kernel lets go when the process ends, however it does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            other = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
            raise DirectoryBusy(
                f"{directory} is in use by another `replog up` (process {other}): "
                "stop that one, or choose another --data-dir"
            ) from problem
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def member_directory(directory: Path, index: int) -> Path:
    """Where member `index` keeps its data."""
    return directory / f"{MEMBER}{index}"


def aside_of(directory: Path) -> list[Path]:
    """The directories of members that were given up and are kept."""
    return sorted(directory.glob(f"{MEMBER}*.retired-*"))


def ordinals_in(directory: Path) -> list[int]:
    """The members that have a directory; one beyond all numbers that can be is nobody's."""
    names = [path.name.removeprefix(MEMBER) for path in directory.glob(f"{MEMBER}*")]
    plain = [name for name in names if name.isascii() and name.isdigit() and len(name) <= DIGITS]
    return sorted(int(name) for name in plain if name == str(int(name)))


def is_held(directory: Path) -> bool:
    """Whether a supervisor uses the directory just now."""
    try:
        file = os.open(directory / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def existing_members(directory: Path) -> int:
    """One more than the highest member that has a directory; 0 for none."""
    return 1 + max(ordinals_in(directory), default=-1)


def taken(addresses: list[tuple[str, int]]) -> list[str]:
    """Those of the addresses at which something listens already, as host:port."""
    return [f"{host}:{port}" for host, port in addresses if not _is_free(host, port)]


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True
