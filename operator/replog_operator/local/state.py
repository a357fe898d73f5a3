"""The notes of `replog up` between two runs, and at any moment of one: `platform.json`.

Every change is one whole file, written beside, synced and renamed; so it may be cut off anywhere.

Decides: how they are kept. Must not know: what changes them (hands.py), what follows from them.
Read next: notes.py, hands.py.
"""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from replog_operator.local.notes import State
from replog_operator.planner.size import ORDINALS_MAX

STATE_NAME: Final = "platform.json"
STATE_BYTES_MAX: Final = 1024 * 1024
"""A longer file is nobody's we know: 9 members with all notes take a few KiB."""


class StateUnusable(Exception):
    """The file can't be read; the message says why and what to do."""


class StateNotSaved(OSError):
    """A change of the notes could not be written; the message says what is so now, what to do."""


def new_uid() -> str:
    """An id for whatever is new."""
    return str(uuid.uuid4())


class StateFile:
    """The state, held by the one supervisor of a directory."""

    def __init__(
        self, directory: Path, state: State, reach: Callable[[str], None] = lambda _: None
    ) -> None:
        """state: as it is on the disk, or the first one. reach: failpoints."""
        self._directory = directory
        self.reach = reach
        self.now = state

    def save(self, state: State) -> None:
        """Be this from now on, durably; the same as now is written only if the file is gone.

        Raises StateNotSaved: what is so in this process is as it was before.
        """
        path = self._directory / STATE_NAME
        if state == self.now and path.exists():
            return
        self.reach("before-state")
        kept = _pruned(state)
        try:
            write_durably(path, msgspec.json.format(msgspec.json.encode(kept)))
        except OSError as problem:
            raise StateNotSaved(
                f"{path} can't be written: {problem.strerror or problem}; the step that it was for "
                "is not taken, members run on as they are, and it is tried again: make room, or "
                "let it be written"
            ) from problem
        self.now = kept
        self.reach("after-state")


def load(directory: Path) -> State | None:
    """What the directory remembers; None if it is new, or of a version that remembered nothing.

    Raises StateUnusable.
    """
    path = directory / STATE_NAME
    try:
        if path.stat().st_size > STATE_BYTES_MAX:
            raise StateUnusable(f"{path} is longer than {STATE_BYTES_MAX} bytes: {_MOVE_IT}")
        state = msgspec.json.decode(path.read_bytes(), type=State)
        if fault := _fault(state):
            raise StateUnusable(f"{path} makes no sense: {fault}; {_MOVE_IT}")
        return state
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError) as problem:
        raise StateUnusable(f"{path} can't be used: {problem}; {_MOVE_IT}") from problem


_MOVE_IT: Final = "move it away, and the members' directories are adopted as they are"


def _fault(state: State) -> str:
    """What can't be; "" if all may."""
    workload = state.workload
    ordinals = [*state.claims, *state.processes]
    if workload is not None and not 0 <= workload.replicas <= ORDINALS_MAX:
        return f"{workload.replicas} processes"
    if workload is not None and not {
        workload.template,
        workload.good_template or workload.template,
    } <= set(state.templates):
        return "a template is missing"
    if not all(0 <= ordinal < ORDINALS_MAX for ordinal in ordinals):
        return f"a member of ordinal {max(ordinals, key=abs)}"
    if "\0" in state.resource + state.token_file:
        return "a path that can't be"
    return ""


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file as a whole: after a crash it is the old one or the new one. Raises OSError."""
    beside = path.with_name(f"{path.name}.new")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _mode(path))
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make names within it durable. Raises OSError."""
    file = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0o644


def _pruned(state: State) -> State:
    """Without templates that nothing can come back to."""
    workload = state.workload
    if workload is None:
        return state
    wanted = {workload.template, workload.good_template}
    wanted |= {process.template for process in state.processes.values()}
    kept = {name: template for name, template in state.templates.items() if name in wanted}
    return msgspec.structs.replace(state, templates=kept)
