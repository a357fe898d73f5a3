"""Runs a local log: its passes, what a person sees of it, and its end in order.

Decides: what ends when. Followers end first and the leader last, so that it need not hand over to
somebody who is about to go. Must not know: what a pass does (reconcile.py).
Read next: reconcile.py, processes.py, display.py.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any, Final

from replog.cli.exits import EXIT_READER_LEFT
from replog_operator.local.display import Display, Row
from replog_operator.local.followed import Followed
from replog_operator.local.gather import LocalNodes
from replog_operator.local.processes import STOP_S, Processes, Slot
from replog_operator.local.reconcile import Reconciler
from replog_operator.local.settings import (
    DEFAULT_CLIENT_PORT,
    UpSettings,
    node_environment,
)
from replog_operator.local.state import StateFile

SHOW_EVERY_S: Final = 1.0

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1

NEVER: Final = frozenset({"ClusterIDMismatch", "TwinMembers"})
"""Waits that only a person can end, and that a log which never was ready ends with."""

TWIN: Final = (
    "stopping: another `replog up` has taken this log over, so a copy of the directory runs; "
    "the same members must not run twice. If none does, move platform.json away"
)


class Supervisor:
    """One log. run() returns when it was asked to stop, or when no member can run."""

    def __init__(
        self,
        file: StateFile,
        followed: Followed,
        settings: UpSettings,
        display: Display,
        *,
        fresh: bool,
    ) -> None:
        """fresh: nothing was remembered, so a log that is there may know a higher epoch."""
        reach = file.reach
        self._fresh = fresh
        self._settings = settings
        self._display = display
        self._stop = asyncio.Event()
        self._code = EXIT_OK
        self._was_ready = False
        self._nodes = LocalNodes(settings.token, reach)
        self._processes = Processes(
            file, settings, node_environment(os.environ), display.tell, self._lead_without, reach
        )
        self._passes = Reconciler(
            file, followed, settings, self._nodes, self._processes, display.tell, fresh=fresh
        )

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        async with self._nodes:
            self._passes.begin()
            works = [asyncio.create_task(work) for work in (self._passes.run(), self._watch())]
            stop = asyncio.create_task(self._stop.wait())
            either: list[asyncio.Task[Any]] = [stop, *works]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            for task in either:
                task.cancel()
            ended = await asyncio.gather(*either, return_exceptions=True)
            await self._end()
            for problem in ended:
                if isinstance(problem, Exception):
                    raise problem
        return self._code

    def _lead_without(self, ordinal: int) -> bool:
        """Whether another member leads the log and takes appends."""
        others = (status for at, status in self._passes.answers.items() if at != ordinal)
        return any(status.role == "leader" and status.admitting for status in others)

    def _asked_to_stop(self) -> None:
        """The first time: in order. The second time: at once."""
        if self._stop.is_set():
            for slot in self._processes.slots.values():
                slot.member.kill()
        self._stop.set()

    async def _watch(self) -> None:
        """Show how the members are, again and again, and see when there is no use in going on."""
        while True:
            self._display.show(self._rows())
            if self._display.left:
                self._fail("", EXIT_READER_LEFT)
            elif self._passes.settled_at and not self._was_ready:
                self._was_ready = True
                self._display.advise(advice(self._settings, self._passes.settled_at))
            elif "NewerOperator" in self._passes.waits and not self._fresh:
                self._fail(TWIN, EXIT_FAILED)
            elif not self._was_ready and self._passes.waits & NEVER:
                self._fail("stopping: only a person can go on from here", EXIT_FAILED)
            elif self._is_hopeless():
                self._fail("no member can run", EXIT_FAILED)
            await asyncio.sleep(SHOW_EVERY_S)

    def _is_hopeless(self) -> bool:
        slots = self._processes.slots.values()
        return bool(slots) and all(slot.member.hopeless is not None for slot in slots)

    def _fail(self, why: str, code: int) -> None:
        if why:
            self._display.tell(why)
        self._code = code
        self._stop.set()

    def _rows(self) -> list[Row]:
        answers = self._passes.answers
        return [
            Row(
                slot.member.name, self._settings.client_address(ordinal), slot.member.pid,
                slot.member.starts, answers.get(ordinal),
            )
            for ordinal, slot in sorted(self._processes.slots.items())
        ]  # fmt: skip

    async def _end(self) -> None:
        """Followers first, then the leader; who doesn't end in time is killed."""
        self._display.tell("stopping; once more kills")
        slots = self._processes.slots
        leader = self._passes.said.leader
        last = [slots[leader]] if leader in slots else []
        for group in ([slot for slot in slots.values() if slot not in last], last):
            await self._end_of(group)
        self._display.tell("stopped; the data stays")

    async def _end_of(self, group: Sequence[Slot]) -> None:
        for slot in group:
            slot.member.begin_stop()
        runs = [slot.run for slot in group]
        if runs:
            await asyncio.wait(runs, timeout=STOP_S)
        for slot in group:
            if not slot.run.done():
                self._display.tell(f"{slot.member.name} did not end in time: killed")
                slot.member.kill()
        await asyncio.gather(*runs)


def advice(settings: UpSettings, replicas: int) -> list[str]:
    """The endpoints, and commands to try."""
    endpoints = ",".join(map(settings.client_address, range(replicas)))
    usual = settings.client_port == DEFAULT_CLIENT_PORT
    return [
        "",
        f"  endpoints  {endpoints}",
        *([] if usual else [f"  first      export REPLOG_ENDPOINTS={endpoints}"]),
        "  append     echo hello | replog append",
        "  read       replog read",
        "  look       replog status",
        "",
    ]
