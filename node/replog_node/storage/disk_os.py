"""The real disk: a directory of the operating system. The only module of storage that opens files.

Decides: which system calls make the port's promises true, and that one process holds a directory.
Must not know: what the bytes mean.
Read next: disk.py, store.py.
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from replog_node.storage.checked import TEMPORARY
from replog_node.storage.disk import DiskError, Sync
from replog_node.storage.reserve import SNAPSHOT_SPARE_NAME

LOCK_NAME: Final = "LOCK"
_FILE_MODE: Final = 0o640
_DIRECTORY_MODE: Final = 0o750
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_LIBC.fallocate64.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
_PUNCH: Final = 0x03
"""FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class DirectoryHeld(DiskError):
    """Another process holds the data directory."""


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Turn what the operating system raises into a DiskError that says what was tried."""
    try:
        yield
    except OSError as problem:
        full, missing = problem.errno in _FULL, problem.errno == errno.ENOENT
        raise DiskError(f"{what}: {problem.strerror}", full=full, missing=missing) from problem


class OsFile:
    """A file by its descriptor. Positional calls only, so readers and the writer don't meet."""

    def __init__(self, descriptor: int, path: str) -> None:
        """Take over an open descriptor."""
        self._descriptor = descriptor
        self._path = path

    def write(self, at: int, data: bytes) -> None:
        """Write all of it (File.write); the system may take less than offered at a time."""
        with _reported(f"write {self._path}"):
            done = os.pwrite(self._descriptor, data, at)
            while done < len(data):
                done += os.pwrite(self._descriptor, memoryview(data)[done:], at + done)

    def read(self, at: int, length: int) -> bytes:
        """Read up to `length` bytes (File.read)."""
        with _reported(f"read {self._path}"):
            data = os.pread(self._descriptor, length, at)
            while 0 < len(data) < length:
                more = os.pread(self._descriptor, length - len(data), at + len(data))
                if not more:
                    break
                data += more
            return data

    def truncate(self, size: int) -> None:
        """Set the length (File.truncate)."""
        with _reported(f"truncate {self._path}"):
            os.ftruncate(self._descriptor, size)

    def allocate(self, size: int) -> None:
        """Reserve space (File.allocate)."""
        with _reported(f"allocate {self._path}"):
            os.posix_fallocate(self._descriptor, 0, size)

    def release(self, at: int) -> None:
        """Punch a hole up to the end (File.release); Linux only."""
        with _reported(f"release space of {self._path}"):
            length = os.fstat(self._descriptor).st_size - at
            if length > 0 and _LIBC.fallocate64(self._descriptor, _PUNCH, at, length):
                raise OSError(ctypes.get_errno(), "punching a hole failed")

    def size(self) -> int:
        """The length (File.size)."""
        with _reported(f"stat {self._path}"):
            return os.fstat(self._descriptor).st_size

    def sync(self, why: Sync) -> None:
        """Make it durable (File.sync): data, and the metadata without which it can't be read."""
        with _reported(f"sync {self._path} for {why}"):
            os.fdatasync(self._descriptor)
            if not os.fstat(self._descriptor).st_nlink:
                # Somebody removed it under us: what is synced is gone when the process ends.
                raise FileNotFoundError(errno.ENOENT, "the file was removed from its directory")

    def close(self) -> None:
        """Close the descriptor (File.close)."""
        with _reported(f"close {self._path}"):
            os.close(self._descriptor)


class OsDisk:
    """A directory, created if need be, and locked until it is closed or the process ends.

    Raises DirectoryHeld when another process has it, DiskError when it can't be used.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Take the directory."""
        self._path = os.path.abspath(directory)
        with _reported(f"open {self._path}"):
            _make_durably(self._path)
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        self._lock = self._take_lock()

    def _take_lock(self) -> int:
        """Take the lock: the system lets go of it when the process ends, however it ends."""
        with _reported(f"lock {self._path}"):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            lock = os.open(self._in(LOCK_NAME), flags, _FILE_MODE)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as problem:
                os.close(lock)
                os.close(self._descriptor)
                if isinstance(problem, BlockingIOError):
                    raise DirectoryHeld(f"{self._path} is held by another process") from problem
                raise
        return lock

    def names(self) -> tuple[str, ...]:
        """The files but the lock (Disk.names)."""
        with _reported(f"list {self._path}"), os.scandir(self._path) as found:
            return tuple(sorted(e.name for e in found if e.is_file() and e.name != LOCK_NAME))

    def create(self, name: str, size: int) -> OsFile:
        """Make a file with its space reserved (Disk.create)."""
        path = self._in(name)
        with _reported(f"create {path}"):
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            descriptor = os.open(path, flags, _FILE_MODE)
            try:
                if size:
                    os.posix_fallocate(descriptor, 0, size)
            except OSError:
                os.close(descriptor)
                with suppress(OSError):
                    os.unlink(path)  # its part of the space is given back
                raise
            return OsFile(descriptor, path)

    def open(self, name: str) -> OsFile:
        """Open a file (Disk.open)."""
        path = self._in(name)
        with _reported(f"open {path}"):
            return OsFile(os.open(path, os.O_RDWR | os.O_CLOEXEC), path)

    def rename(self, old: str, new: str) -> None:
        """Rename within the directory (Disk.rename)."""
        with _reported(f"rename {self._in(old)} to {new}"):
            os.rename(self._in(old), self._in(new))

    def remove(self, name: str) -> None:
        """Remove a name (Disk.remove)."""
        with _reported(f"remove {self._in(name)}"):
            os.unlink(self._in(name))

    def sync_directory(self, why: Sync) -> None:
        """Make names durable (Disk.sync_directory)."""
        with _reported(f"sync {self._path} for {why}"):
            os.fsync(self._descriptor)

    def free_bytes(self) -> int:
        """Free space for this user (Disk.free_bytes)."""
        with _reported(f"measure {self._path}"):
            found = os.fstatvfs(self._descriptor)
            return found.f_bavail * found.f_frsize

    def close(self) -> None:
        """Let go of directory and lock (Disk.close)."""
        with _reported(f"close {self._path}"):
            os.close(self._descriptor)
            os.close(self._lock)

    def _in(self, name: str) -> str:
        return os.path.join(self._path, name)


class OsDiskBeside(OsDisk):
    """A directory that another process may hold: read, and changed in nothing that it looks at.

    The one thing that can be made is a temporary file, for its holder to take or to remove at its
    next start; on a full disk, of the spare that the holder keeps for it. Anything else raises
    DiskError.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Open an existing directory; raises DiskError."""
        self._path = os.path.abspath(directory)
        with _reported(f"open {self._path}"):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)

    def create(self, name: str, size: int) -> OsFile:
        """Make a temporary file (Disk.create)."""
        if not name.endswith(TEMPORARY):
            raise self._refused(f"create {name}")
        return super().create(name, size)

    def open(self, name: str) -> OsFile:
        """Open a file to read, a temporary one to write, too (Disk.open)."""
        if name.endswith(TEMPORARY):
            return super().open(name)
        path = self._in(name)
        with _reported(f"open {path}"):
            return OsFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC), path)

    def rename(self, old: str, new: str) -> None:
        """Make the spare a temporary file; otherwise refused."""
        if old != SNAPSHOT_SPARE_NAME or not new.endswith(TEMPORARY):
            raise self._refused(f"rename {old} to {new}")
        super().rename(old, new)

    def remove(self, name: str) -> None:
        """Remove a temporary file; otherwise refused."""
        if not name.endswith(TEMPORARY):
            raise self._refused(f"remove {name}")
        super().remove(name)

    def sync_directory(self, why: Sync) -> None:
        """Refused."""
        raise self._refused(f"sync for {why}")

    def close(self) -> None:
        """Let go of the directory (Disk.close)."""
        with _reported(f"close {self._path}"):
            os.close(self._descriptor)

    def _refused(self, what: str) -> DiskError:
        return DiskError(f"{what}: {self._path} is held by another process, and only read here")


def _make_durably(directory: str) -> None:
    """Make the directory, and its parents if need be: a lost directory is a lost log.

    Its name is synced even if it was there: who made it may have died before that.
    """
    parent = os.path.dirname(directory)
    if not os.path.exists(directory):
        _make_durably(parent)
        with suppress(FileExistsError):
            os.mkdir(directory, _DIRECTORY_MODE)
    with suppress(PermissionError):  # whoever may not read the parent didn't make the directory
        _sync_names(parent)


def _sync_names(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
