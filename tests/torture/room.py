"""A room of its own for a run: namespaces for processes, network and mounts.

Whatever is made in it (members, links, packet filters, mounted file systems) is gone with its first
process, however that ends: the kernel clears up, also after `kill -9`.
Files on the machine's own disk are not: see folder.py.

Decides: which namespaces. Must not know: what happens in them.
Read next: network.py, folder.py.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.support.processes import ROOT

NEEDED = ("unshare", "nsenter", "ip", "tc", "nft", "mkfs.ext4", "mount", "umount")
"""Commands without which there is no torture."""


def missing() -> str:
    """What this machine lacks, for people; empty if it lacks nothing."""
    if os.geteuid() != 0:
        return "namespaces and file systems need root"
    lacking = [command for command in NEEDED if shutil.which(command) is None]
    return f"commands are missing: {', '.join(lacking)}" if lacking else ""


def command(arguments: Sequence[str]) -> list[str]:
    """The command of a run in a room of its own, with these arguments of tests.torture."""
    return [
        "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable, "-m", "tests.torture", "--in-its-room", *arguments,
    ]  # fmt: skip


def furnish() -> None:
    """Prepare the room that this process is the first one of."""
    if os.getpid() != 1:
        raise AssertionError("this isn't a room of its own: see room.command()")
    run("mount", "-t", "tmpfs", "none", "/run")
    run("ip", "link", "set", "lo", "up")
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # nothing leaves the room
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT / "node", ROOT)))


def run(*command: str, said: str = "") -> str:
    """Run a command; its output. Raises with what it complained about."""
    done = subprocess.run(command, input=said, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
