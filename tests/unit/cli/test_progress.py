"""The bar on stderr (replog/cli/progress.py), on a real terminal and beside one."""

import os
import pty
import subprocess
import sys

WORK = """
from replog.cli.progress import Progress
with Progress("copied", None) as progress:
    for _ in range(6):
        progress.advance(%d)
"""


def shown(step_bytes: int, *, terminal: bool) -> bytes:
    """What six such steps show on stderr."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm"}
    command = [sys.executable, "-c", WORK % step_bytes]
    ended = subprocess.run(
        command, stderr=slave if terminal else subprocess.PIPE, env=env, check=True
    )
    os.set_blocking(master, False)
    os.close(slave)
    try:
        return os.read(master, 65536) if terminal else ended.stderr
    except OSError:  # nothing was written, and nobody holds the other end any more
        return b""
    finally:
        os.close(master)


def test_long_work_shows_a_bar_on_a_terminal() -> None:
    assert b"copied" in shown(1 << 20, terminal=True)


def test_short_work_and_work_without_a_terminal_show_nothing() -> None:
    assert shown(1000, terminal=True) == b""
    assert shown(1 << 20, terminal=False) == b""
