"""Small file systems of their own for members, which can be filled: ext4 on loop devices.

Needs root and mkfs.ext4; where either is missing the test is left out and says so (CI doesn't
allow that). Every mount and every file goes when the block ends.

Decides: how such a file system is made and filled. Must not know: what lies there.
Read next: ../integration/test_full_disks.py.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MIB = 1024 * 1024


class SmallFilesystem:
    """A mounted one. `path` is an empty directory of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    @property
    def free_bytes(self) -> int:
        """What a process may still allocate."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Let another file take every block that is free."""
        with self._filler.open("ab") as file:
            for size in (4 * MIB, 256 * 1024, 4096):
                self._take(file.fileno(), size)

    @staticmethod
    def _take(descriptor: int, size: int) -> None:
        while True:
            at = os.fstat(descriptor).st_size
            try:
                os.posix_fallocate(descriptor, at, size)
            except OSError:
                return

    def free(self) -> None:
        """Give that back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def small_filesystems(
    directory: Path, count: int, size_bytes: int
) -> Iterator[list[SmallFilesystem]]:
    """Mount so many, each of this size."""
    _need_what_it_takes()
    mounted: list[SmallFilesystem] = []
    try:
        for number in range(count):
            image, path = directory / f"image-{number}", directory / f"disk-{number}"
            path.mkdir()
            with image.open("wb") as file:
                file.truncate(size_bytes)
            _run("mkfs.ext4", "-q", "-m", "0", str(image))
            _run("mount", "-o", "loop", str(image), str(path))
            mounted.append(SmallFilesystem(path))
        yield mounted
    finally:
        for each in mounted:
            _run("umount", "--lazy", str(each.path))


def _need_what_it_takes() -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    for command in ("mkfs.ext4", "mount", "umount"):
        if shutil.which(command) is None:
            pytest.skip(f"there is no {command} to make a small file system with")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)
