"""One member's process: started, restarted when it dies, its output kept in a bounded file.

Decides: when a dead process is started again: at once, then after growing pauses; never when its
exit code says that starting again can't help. Must not know: what the members are for.
Read next: supervisor.py.
"""

import asyncio
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

PAUSE_FIRST_S: Final = 0.2
PAUSE_MOST_S: Final = 10.0
"""Between a death and the next start: doubled each time."""
STEADY_S: Final = 10.0
"""A process that lived so long begins again with the first pause."""

LOG_NAME: Final = "node.log"
LOG_BYTES_MAX: Final = 8 * 1024 * 1024
"""Past it the file becomes node.log.1 and is begun anew: two of this size at most."""
LOG_LOOK_S: Final = 5.0

HOPELESS: Final = {2: "its settings are wrong", 3: "its data can't be used"}
"""Exit codes of a node after which starting it again can't help (docs/cli.md)."""

DATA_CODE: Final = 3
LOST_VOTE: Final = b"vote_state_lost"
"""How a node's last line names, beside DATA_CODE, the loss after which a new member takes over."""
LOG_TAIL_BYTES: Final = 16 * 1024

LOOK_S: Final = 0.5
"""Between two looks whether a member that lost its vote may be replaced."""

_PR_SET_PDEATHSIG: Final = 1


class Member:
    """A supervised process. run() keeps it alive until stop() is called."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        replaceable: Callable[[], bool] = lambda: False,
    ) -> None:
        """tell: is told of each start and death; `deaths` counts those in a row.

        replaceable: would a new member be taken in?
        That is asked when this one has lost its vote: an empty directory that nobody takes in would
        be the beginning of another log.
        """
        self.name = name
        self.pid: int | None = None
        self.starts = 0
        self.deaths = 0
        self.hopeless: str | None = None
        self._command = tuple(command)
        self._directory = directory
        self._environment = dict(environment)
        self._tell = tell
        self._replaceable = replaceable
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self._directory / LOG_NAME

    async def run(self) -> None:
        """Keep it running; returns after stop(), or when starting it can't help."""
        loop = asyncio.get_running_loop()
        pause_s = PAUSE_FIRST_S
        while not self._stopping.is_set():
            began_s = loop.time()
            try:
                code = await self._once()
            except (OSError, ValueError) as problem:  # a full disk, a file in the way, a program
                # that can't be named: the others go on
                self.deaths += 1
                self._tell(f"{self.name} can't be started: {problem}; again in {pause_s:.1f} s")
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MOST_S)
                continue
            if self._stopping.is_set():
                return
            if code == DATA_CODE and self._has_lost_its_vote():
                await self._make_way()
                continue
            if code in HOPELESS:
                self.hopeless = HOPELESS[code]
                self._tell(f"{self.name} is given up: {self.hopeless}; see {self.log}")
                return
            if loop.time() - began_s > STEADY_S:
                pause_s, self.deaths = PAUSE_FIRST_S, 0
            self.deaths += 1
            why = f"; see {self.log}" if code > 0 else ""
            self._tell(f"{self.name} {_ended(code)}; starting it again in {pause_s:.1f} s{why}")
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MOST_S)

    def _has_lost_its_vote(self) -> bool:
        """Whether the node said so at its end: it must never vote again under its id."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - LOG_TAIL_BYTES))
                lines = log.read().splitlines()
        except OSError:  # the directory is gone, and with it whatever it said
            return False
        return bool(lines) and LOST_VOTE in lines[-1]

    async def _make_way(self) -> None:
        """Put the directory aside, once a new and empty member would be taken in instead."""
        self._tell(
            f"{self.name} has lost its term and vote, so it may not go on; "
            "a new member takes its place as soon as the others lead the log"
        )
        while not self._replaceable():
            await self._pause(LOOK_S)
            if self._stopping.is_set():
                return
        aside = free_name(self._directory)
        try:
            self._directory.rename(aside)
        except OSError as problem:
            self._tell(f"{self.name} can't be put aside: {problem}")
            await self._pause(PAUSE_MOST_S)
            return
        self._tell(f"{self.name} begins as a new member; what it had is kept in {aside}")

    def begin_stop(self) -> None:
        """Ask it to end (SIGTERM): it hands over, drains and exits."""
        self._stopping.set()
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def _once(self) -> int:
        """Start it and wait for its end; returns its code, negative for a signal."""
        self._directory.mkdir(parents=True, exist_ok=True)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_dies_with(os.getpid()),
            )
        finally:
            os.close(log)
        self._process, self.pid = process, process.pid
        self.starts += 1
        self._tell(f"{self.name} started (process {process.pid})")
        if self._stopping.is_set():
            process.terminate()
        try:
            return await self._watched(process)
        finally:
            self.pid = None

    async def _watched(self, process: asyncio.subprocess.Process) -> int:
        """Wait for its end; look now and then how long the log has become."""
        ended = asyncio.ensure_future(process.wait())
        while not ended.done():
            await asyncio.wait({ended}, timeout=LOG_LOOK_S)
            with suppress(OSError):  # the log is gone, or the disk full: the process matters more
                shorten(self.log)
        return ended.result()

    async def _pause(self, pause_s: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), pause_s)
        except TimeoutError:
            return


def free_name(directory: Path) -> Path:
    """Return a name beside the directory that nothing has: member-0.retired-1, -2, …"""
    number = 1
    while (found := directory.with_name(f"{directory.name}.retired-{number}")).exists():
        number += 1
    return found


def shorten(log: Path) -> None:
    """Begin a log that is too long anew. The writer appends, so it goes on in the emptied file."""
    if log.stat().st_size > LOG_BYTES_MAX:
        shutil.copyfile(log, log.with_name(log.name + ".1"))
        os.truncate(log, 0)


def _ended(code: int) -> str:
    if code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended (exit code {code})"


def _dies_with(parent: int) -> Callable[[], None] | None:
    """What a child does before it becomes the node: on Linux, ask to be killed with its parent.

    So a `kill -9` of the supervisor leaves no node behind that nobody looks after.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def in_child() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return in_child
