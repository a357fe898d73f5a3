"""Recordings of the flight recorder as files: kept when a node ends by a failure, and run again.

Decides: their names, how many stay, that a disk with little room gets none, and how a step reads
as a line. Must not know: what a recording holds.
Read next: ../driver/flight.py, ../driver/replay.py, ../app.py.
"""

import asyncio
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, Final

from replog.logs import Log
from replog_node.driver.flight import RECORDING_BYTES_MAX, RecordingUnsound, unpack
from replog_node.driver.replay import Outcome, replay
from replog_node.raft.render import render_effect, render_event

FILES_MAX: Final = 4
"""Recordings in a data directory; the oldest is removed for the next."""

WRITE_S: Final = 5.0
"""A disk that takes longer doesn't hold up the end of the node."""

LOOK_S: Final = 0.02

_LOG: Final = Log("replog_node.flight")
_NAME: Final = re.compile(r"flight-\d{10}\.bin")
_TEMPORARY: Final = ".tmp"
"""How the name ends while it is written; a start removes what ends so (storage/checked.py)."""
_UUID: Final = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
"""A member; its first letters tell it from the others, as in `replog status`."""


async def leave(
    directory: Path,
    incarnation: int,
    recording: bytes,
    *,
    leave_bytes: int,
    within_s: float = WRITE_S,
) -> None:
    """Keep a recording, or don't, within that time; the log says which. Raises nothing."""

    def write() -> None:
        try:
            path = keep(directory, incarnation, recording, leave_bytes=leave_bytes)
        except OSError as problem:
            _LOG.warning("flight_lost", detail=str(problem))
            return
        if path is None:
            _LOG.warning("flight_lost", detail="the disk is nearly full")
        else:
            _LOG.info("flight_kept", file=str(path))

    thread = Thread(target=write, name="flight", daemon=True)  # it may hang for good
    thread.start()
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while thread.is_alive() and loop.time() < end_s:
        await asyncio.sleep(LOOK_S)
    if thread.is_alive():
        _LOG.warning("flight_lost", detail=f"the disk took longer than {within_s:g} s")


def keep(directory: Path, incarnation: int, recording: bytes, *, leave_bytes: int) -> Path | None:
    """Write a recording of this run into the data directory, durably; where it is.

    leave_bytes: None is returned, and nothing written, where less would stay free than that.
    Raises OSError.
    """
    found = os.statvfs(directory)
    if found.f_bavail * found.f_frsize < leave_bytes + len(recording):
        return None
    path = directory / f"flight-{incarnation:010d}.bin"
    kept = sorted(each for each in directory.iterdir() if _NAME.fullmatch(each.name))
    for old in [each for each in kept if each != path][: -(FILES_MAX - 1)]:
        old.unlink()
    unfinished = path.with_name(path.name + _TEMPORARY)
    with unfinished.open("wb") as file:
        file.write(recording)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return path


def replay_path(path: str, *, to_the_end: bool = False) -> Iterator[dict[str, Any]]:
    """Run the recording in a file again; one object a step, up to the first that differs.

    to_the_end: go on behind it (driver/replay.py).

    Each has `step` (its number, from 1), `line` (how it reads), `difference` (null, or what is
    different). For `replog debug replay`, by an entry point. Raises OSError, and ValueError for
    what is no recording.
    """
    for outcome in replay(unpack(_read(Path(path))), to_the_end=to_the_end):
        yield {
            "step": outcome.number,
            "line": line_of(outcome),
            "difference": _shortened(outcome.difference),
        }


def _read(path: Path) -> bytes:
    """The file's bytes. A pipe isn't waited for, a device isn't read: neither has a size."""
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise RecordingUnsound("it is no regular file: write it to one first")
        if found.st_size > RECORDING_BYTES_MAX:
            raise RecordingUnsound(f"it is larger than {RECORDING_BYTES_MAX} bytes")
        return file.read(RECORDING_BYTES_MAX)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # else a pipe is opened when somebody writes to it


def line_of(outcome: Outcome) -> str:
    """`a tick 1700000000000 ms ⇒ a is candidate t2; a → b RequestVote t2 …`, of this run."""
    said = [render_effect(outcome.member, effect) for effect in outcome.effects]
    if outcome.raised is not None:
        said.append(f"{outcome.member} ends: {outcome.raised}")
    told = render_event(outcome.member, outcome.step.event)
    return _shortened(" ⇒ ".join(filter(None, (told, "; ".join(said))))) or told


def _shortened(text: str | None) -> str | None:
    """With the first letters of each member's id."""
    return None if text is None else _UUID.sub(r"\1", text)
