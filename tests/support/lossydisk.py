"""A disk for real node processes that can lose power: what isn't synced is in memory only.

`kill -9` leaves the page cache alone, so it can't show a missing fsync. Here unsynced bytes, file
lengths and names stay in the process; a sync moves them to the real files. When the process gets
SIGUSR1 (start_watching), a random part of what is unsynced, in sectors of 512 bytes, is moved
there, a JSON line about it is appended to the report, and the process kills itself. Killing it in
any other way loses everything unsynced.

Environment: REPLOG_LOSSY_REPORT, the report's path (else <data directory>.lossy.jsonl beside it);
REPLOG_LOSSY_SEED, of the choice; REPLOG_LOSSY_SYNC_MS, how long every sync takes, in which power
may fail; REPLOG_LOSSY_LEAVE_OUT, names of Sync, by commas, that do nothing.
A file without a durable name has its synced bytes in the subdirectory `nameless`.

Decides: the fault model, the same as simdisk.py's. Must not know: what the bytes mean.
Read next: lossy_node.py.
"""

import json
import os
import shutil
import signal
import threading
import time
from itertools import count
from pathlib import Path
from random import Random

import msgspec

from replog_node.storage.disk import DiskError, Sync
from replog_node.storage.disk_os import OsDisk
from tests.support.simdisk import Change, Length, Link, Renaming, Unlink, Write, parts_of

KEPT_SHARE = 0.5
"""How likely each unsynced sector, length or name survives."""


def block_signal() -> None:
    """Keep SIGUSR1 for the watching thread; threads begun afterwards inherit that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


class Report(msgspec.Struct):
    """One power loss. torn: writes of which a part was kept; names: changes of the directory."""

    dropped_bytes: int = 0
    kept_bytes: int = 0
    torn: int = 0
    dropped_names: int = 0
    kept_names: int = 0


class LossyInode:
    """A file, whatever its name: the real file holds what is durable, `unsynced` the rest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self.unsynced: list[Write | Length] = []

    def size(self) -> int:
        size = os.fstat(self.descriptor).st_size
        for change in self.unsynced:
            size = _size_after(size, change)
        return size

    def read(self, at: int, length: int) -> bytes:
        """Return what the process sees: the durable bytes under the unsynced changes."""
        seen = bytearray(max(0, min(length, self.size() - at)))
        durable = os.pread(self.descriptor, len(seen), at)
        seen[: len(durable)] = durable
        for change in self.unsynced:
            _lay_over(seen, at, change)
        return bytes(seen)

    def sync(self) -> None:
        for change in self.unsynced:
            self._apply(change)
        self.unsynced.clear()

    def lose(self, random: Random, report: Report) -> None:
        for change in self.unsynced:
            parts = parts_of(change)
            kept = [part for part in parts if random.random() < KEPT_SHARE]
            for part in kept:
                self._apply(part)
            kept_bytes = sum(len(part.data) for part in kept if isinstance(part, Write))
            report.kept_bytes += kept_bytes
            if isinstance(change, Write):
                report.dropped_bytes += len(change.data) - kept_bytes
                report.torn += 0 < len(kept) < len(parts)
        self.unsynced.clear()

    def _apply(self, change: Write | Length) -> None:
        if isinstance(change, Write):
            done = 0
            while done < len(change.data):
                rest = memoryview(change.data)[done:]
                done += os.pwrite(self.descriptor, rest, change.at + done)
        elif change.size > os.fstat(self.descriptor).st_size:
            # With the space: where the disk is full later, a node may still write there.
            os.posix_fallocate(self.descriptor, 0, change.size)
        else:
            os.ftruncate(self.descriptor, change.size)


def _size_after(size: int, change: Write | Length) -> int:
    return change.size if isinstance(change, Length) else max(size, change.at + len(change.data))


def _lay_over(seen: bytearray, start: int, change: Write | Length) -> None:
    """Change those bytes of `seen`, which begins at byte `start` of the file."""
    if isinstance(change, Length):
        gone = max(0, change.size - start)
        seen[gone:] = bytes(max(0, len(seen) - gone))
        return
    first = max(start, change.at)
    last = min(start + len(seen), change.at + len(change.data))
    if first < last:
        seen[first - start : last - start] = change.data[first - change.at : last - change.at]


class LossyDisk:
    """The data directory `directory` (Disk port), held like OsDisk holds it."""

    def __init__(self, directory: Path) -> None:
        self._held = OsDisk(directory)
        self._directory = directory
        self._nameless = directory / "nameless"
        shutil.rmtree(self._nameless, ignore_errors=True)
        self._nameless.mkdir()
        self._numbers = count()
        self.lock = threading.RLock()
        self._files = {name: LossyInode(directory / name) for name in self._held.names()}
        self._inodes = list(self._files.values())
        self._unsynced: list[Change[LossyInode]] = []
        self._sync_s = int(os.environ.get("REPLOG_LOSSY_SYNC_MS", "0")) / 1000
        left_out = os.environ.get("REPLOG_LOSSY_LEAVE_OUT", "")
        self._left_out = frozenset(Sync[name] for name in left_out.split(",") if name)

    # --- losing power ----------------------------------------------------------------------------

    def start_watching(self) -> None:
        """Lose power on SIGUSR1, which all threads must have blocked (block_signal)."""
        threading.Thread(target=self._watch, name="lossy-disk", daemon=True).start()

    def _watch(self) -> None:
        signal.sigwait([signal.SIGUSR1])
        seed = os.environ.get("REPLOG_LOSSY_SEED")
        with self.lock:
            report = self.lose_power(Random(seed))
            default = self._directory.with_name(f"{self._directory.name}.lossy.jsonl")
            with open(os.environ.get("REPLOG_LOSSY_REPORT", default), "a") as file:
                file.write(json.dumps(msgspec.to_builtins(report)) + "\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def lose_power(self, random: Random) -> Report:
        """Bring a random part of what is unsynced to the real files; the disk is of no use then."""
        report = Report()
        with self.lock:
            for change in self._unsynced:
                if random.random() < KEPT_SHARE:
                    self._make_durable(change)
                    report.kept_names += 1
                else:
                    report.dropped_names += 1
            for inode in self._inodes:
                inode.lose(random, report)
        return report

    def wait_for_sync(self, why: Sync) -> bool:
        """Take as long as a sync takes, unlocked; return whether it is to be done."""
        time.sleep(self._sync_s)
        return why not in self._left_out

    # --- the Disk port ---------------------------------------------------------------------------

    def names(self) -> tuple[str, ...]:
        with self.lock:
            return tuple(sorted(self._files))

    def create(self, name: str, size: int) -> "LossyFile":
        with self.lock:
            inode = self._files.get(name)
            if inode is None:
                inode = LossyInode(self._nameless / str(next(self._numbers)))
                self._inodes.append(inode)
                self._files[name] = inode
                self._unsynced.append(Link(name, inode))
            else:
                inode.unsynced.append(Length(0))
            if size:
                inode.unsynced.append(Length(size))
            return LossyFile(self, inode)

    def open(self, name: str) -> "LossyFile":
        with self.lock:
            return LossyFile(self, self._existing(name))

    def rename(self, old: str, new: str) -> None:
        with self.lock:
            inode = self._existing(old)
            self._files[new] = self._files.pop(old)
            self._unsynced.append(Renaming(old, new, inode))

    def remove(self, name: str) -> None:
        with self.lock:
            self._existing(name)
            del self._files[name]
            self._unsynced.append(Unlink(name))

    def sync_directory(self, why: Sync) -> None:
        if self.wait_for_sync(why):
            with self.lock:
                for change in self._unsynced:
                    self._make_durable(change)
                self._unsynced.clear()

    def free_bytes(self) -> int:
        return self._held.free_bytes()

    def close(self) -> None:
        with self.lock:
            for inode in self._inodes:
                os.close(inode.descriptor)
            self._held.close()

    def _existing(self, name: str) -> LossyInode:
        inode = self._files.get(name)
        if inode is None:
            raise DiskError(f"open {name}: no such file", missing=True)
        return inode

    def _make_durable(self, change: Change[LossyInode]) -> None:
        """Carry out one change of a name: atomic, so that being killed between two is harmless."""
        match change:
            case Unlink(name):
                (self._directory / name).unlink(missing_ok=True)
            case Link(name, inode) | Renaming(_, name, inode):
                os.rename(inode.path, self._directory / name)
                inode.path = self._directory / name


class LossyFile:
    """An open file of a LossyDisk."""

    def __init__(self, disk: LossyDisk, inode: LossyInode) -> None:
        self._disk = disk
        self._inode = inode

    def write(self, at: int, data: bytes) -> None:
        with self._disk.lock:
            self._inode.unsynced.append(Write(at, bytes(data)))

    def read(self, at: int, length: int) -> bytes:
        with self._disk.lock:
            return self._inode.read(at, length)

    def truncate(self, size: int) -> None:
        with self._disk.lock:
            self._inode.unsynced.append(Length(size))

    def allocate(self, size: int) -> None:
        with self._disk.lock:
            if size > self._inode.size():
                self._inode.unsynced.append(Length(size))

    def release(self, at: int) -> None:
        """Nothing is given back."""

    def size(self) -> int:
        with self._disk.lock:
            return self._inode.size()

    def sync(self, why: Sync) -> None:
        if self._disk.wait_for_sync(why):
            with self._disk.lock:
                self._inode.sync()

    def close(self) -> None:
        """Nothing to give back: the disk keeps its descriptors."""
