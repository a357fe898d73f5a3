"""A volume with an end: a file system of its own in a file, which can grow while it is mounted.

What a cloud's disk and its driver do: attach, mount, resize while in use, detach. It needs the
mounts of the node that the kubelet sees, so it is called within the node's namespaces. XFS, since
ext4 grows in use only for who holds CAP_SYS_RESOURCE, which a machine of CI may lack.

Decides: where the file is, and that a file system has all of it. Must not know: claims.
Read next: provisioner.py.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

NEEDED: Final = ("mkfs.xfs", "xfs_growfs", "losetup", "mount", "umount")
UNITS: Final = {"": 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def bytes_of(quantity: str) -> int:
    """Of a size as claims write it; whole numbers with a binary unit are enough here."""
    number, unit = re.fullmatch(r"(\d+)(|Ki|Mi|Gi)", quantity).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def attach(directory: Path, size_bytes: int) -> None:
    """Mount a new file system of this size there; one that is mounted stays as it is."""
    if directory.is_mount():
        return
    file = _file(directory)
    with file.open("wb") as made:
        made.truncate(size_bytes)
    _run("mkfs.xfs", "-q", str(file))
    _run("mount", "-o", "loop", str(file), str(directory))


def resize(directory: Path, size_bytes: int) -> None:
    """Let the mounted file system have so much."""
    file = _file(directory)
    os.truncate(file, size_bytes)
    device = _run("losetup", "--noheadings", "--output", "NAME", "--associated", str(file)).strip()
    _run("losetup", "--set-capacity", device)
    _run("xfs_growfs", str(directory))


def detach(directory: Path) -> None:
    """Give it all back. A directory that is no mount is left."""
    if directory.is_mount():
        _run("umount", "--lazy", str(directory))
    _file(directory).unlink(missing_ok=True)


def _file(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.xfs")


def _run(*command: str) -> str:
    """Raises OSError with what it complained of."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
