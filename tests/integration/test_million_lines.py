"""A million lines of real text through the command line, the leader killed on the way."""

import filecmp
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from itertools import cycle
from pathlib import Path

import pytest

from tests.integration.supervised import REPLOG, Up, running
from tests.support.processes import Refused, eventually

LINES = 1_000_000
KILL_AT = LINES * 2 // 5


def lines_in(text: bytes) -> int:
    """Count records: what ends with a newline, and a rest without one."""
    return text.count(b"\n") + (text != b"" and not text.endswith(b"\n"))


def real_text(folder: Path, count: int) -> tuple[list[Path], int]:
    """Python's own source files, again and again, until there are so many lines of them.

    Among them one with carriage returns, and one without a final newline.
    """
    here = Path(os.__file__)
    crlf, cut = folder / "crlf.py", folder / "cut.py"
    crlf.write_bytes(here.read_bytes().replace(b"\n", b"\r\n"))
    cut.write_bytes(here.read_bytes().rstrip(b"\n"))
    sources = [crlf, cut, *sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py"))]
    chosen: list[Path] = []
    lines = 0
    for source in cycle(sources):
        if lines >= count:
            return chosen, lines
        chosen.append(source)
        lines += lines_in(source.read_bytes())
    raise AssertionError("an installation without source files")


def kill_the_leader_after(up: Up, records: int, writer: "subprocess.Popen[bytes]") -> int:
    """`kill -9` the leader once so many records are committed; returns how many were."""

    def committed_enough() -> bool:
        assert writer.poll() is None, "the input was too short to kill anybody in the middle"
        return bool(up.leader()[1]["commit_offset"] >= records)

    eventually("the middle is reached", committed_enough, timeout_s=60)
    killed, before = up.leader()
    os.kill(up.pids()[killed], signal.SIGKILL)

    def another_leads() -> bool:
        for place in {0, 1, 2} - {killed}:
            status = up.status(place)
            if status["term"] > before["term"] and status["leader"] not in (None, before["member"]):
                return True
        return False

    eventually("another member leads in a newer term", another_leads)
    return int(before["commit_offset"])


@pytest.mark.timeout(180)
def test_a_million_lines_come_back_byte_for_byte_although_the_leader_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, lines = real_text(tmp_path, LINES)
    sent, read = tmp_path / "sent", tmp_path / "read"
    with sent.open("wb") as out:
        for file in files:
            out.write(file.read_bytes())
    began_s = time.monotonic()
    with running(tmp_path) as up:
        members = up.pids()
        with subprocess.Popen(
            [REPLOG, "append", "--output", "json", *map(str, files)],
            env=up.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as writer:  # fmt: skip
            try:
                before = kill_the_leader_after(up, KILL_AT, writer)
                told, complaints = writer.communicate(timeout=120)
            finally:
                writer.kill()
        assert writer.returncode == 0, complaints.decode()
        total = json.loads(told)
        appended_s = time.monotonic() - began_s
        with read.open("wb") as out:
            subprocess.run([REPLOG, "read"], env=up.environment, stdout=out, check=True)
        eventually("the killed member is started again", lambda: len(alive(up)) == 3)
        assert up.pids() != members
    assert total["records"] == lines >= LINES
    assert KILL_AT <= before < total["last_offset"] - LINES // 10  # it fell into the middle
    assert filecmp.cmp(read, sent, shallow=False)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{lines} lines, {sent.stat().st_size} bytes, leader killed at {before}, "
            f"{total['duplicates']} batches met twice; appended after {appended_s:.1f} s, "
            f"read and compared after {time.monotonic() - began_s:.1f} s\n"
        )


def alive(up: Up) -> list[int]:
    """The members that answer."""
    found = []
    for place in range(3):
        try:
            up.status(place)
        except (OSError, Refused):
            continue
        found.append(place)
    return found
