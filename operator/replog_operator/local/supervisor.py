"""Keeps the members of a log running on this machine, and ends them in order.

Decides: what is started, watched and ended when. Followers end first and the leader last, so that
it need not hand over to somebody who is about to go.
Must not know: how one process is kept (process.py), how members become a log (bootstrap.py).
Read next: process.py, joining.py.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from replog.cli.exits import EXIT_READER_LEFT
from replog.client import Client
from replog.wire.schemas import ClusterStatus
from replog_operator.local.bootstrap import has_newcomer
from replog_operator.local.directory import member_directory
from replog_operator.local.display import Display, Row
from replog_operator.local.joining import JoiningFailed, join, look
from replog_operator.local.process import Member
from replog_operator.local.settings import (
    DEFAULT_CLIENT_PORT,
    UpSettings,
    node_environment,
)

SHOW_EVERY_S: Final = 1.0
STOP_S: Final = 15.0
"""From SIGTERM to SIGKILL: a node is given 10 s to drain (shutdown_grace_ms)."""

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1


class Supervisor:
    """One log. run() returns when it was asked to stop, or when no member can run."""

    def __init__(self, settings: UpSettings, display: Display) -> None:
        self._settings = settings
        self._display = display
        self._stop = asyncio.Event()
        self._code = EXIT_OK
        environment = node_environment(os.environ)
        self._members = [
            Member(
                f"member-{index}",
                settings.command(
                    index, member_directory(settings.data_dir, index).absolute(), os.environ
                ),
                member_directory(settings.data_dir, index),
                environment,
                display.tell,
                partial(self._lead_without, index),
            )
            for index in range(settings.replicas)
        ]
        self._seen: Sequence[ClusterStatus | None] = [None] * settings.replicas

    async def run(self) -> int:
        """Run until SIGINT or SIGTERM; returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._asked_to_stop)
        runs = [asyncio.create_task(member.run()) for member in self._members]
        beside = [asyncio.create_task(work) for work in (self._join(), self._watch())]
        stop = asyncio.create_task(self._stop.wait())
        all_ended = asyncio.ensure_future(asyncio.gather(*runs))
        either: set[asyncio.Future[Any]] = {stop, all_ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            self._display.tell("no member can run")
            self._code = EXIT_FAILED
        for task in (*beside, stop):
            task.cancel()
        await asyncio.gather(*beside, stop, return_exceptions=True)
        await self._end(runs)
        await all_ended
        return self._code

    def _lead_without(self, index: int) -> bool:
        """Whether another member leads the log and takes appends."""
        others = (status for at, status in enumerate(self._seen) if at != index)
        return any(_leads(status) and status is not None and status.admitting for status in others)

    def _asked_to_stop(self) -> None:
        """The first time: in order. The second time: at once."""
        if self._stop.is_set():
            for member in self._members:
                member.kill()
        self._stop.set()

    async def _join(self) -> None:
        """Make one log of the members, and say what can be done with it."""
        settings = self._settings
        try:
            await join(settings.peer_addresses, settings.token, self._display.tell)
        except JoiningFailed as problem:
            self._display.tell(f"stopping: {problem}")
            self._code = EXIT_FAILED
            self._stop.set()
            return
        self._display.advise(advice(settings))
        await self._join_newcomers()

    async def _join_newcomers(self) -> None:
        """Let a member that has lost its directory be replaced by what it has become."""
        settings = self._settings
        while True:
            await asyncio.sleep(SHOW_EVERY_S)
            if not has_newcomer(self._seen, settings.peer_addresses):
                continue
            try:
                await join(settings.peer_addresses, settings.token, self._display.tell)
            except JoiningFailed as problem:  # the others go on: no reason to end them
                self._display.tell(f"a new member is not taken in: {problem}")

    async def _watch(self) -> None:
        """Look at the members again and again, and show how they are."""
        endpoints = self._settings.client_addresses
        async with Client(endpoints, token=self._settings.token) as client:
            while True:
                self._seen = await look(client, endpoints)
                self._display.show(self._rows())
                if self._display.left:
                    self._code = EXIT_READER_LEFT
                    self._stop.set()
                await asyncio.sleep(SHOW_EVERY_S)

    def _rows(self) -> list[Row]:
        found = zip(self._members, self._settings.client_addresses, self._seen, strict=True)
        return [Row(m.name, endpoint, m.pid, m.starts, status) for m, endpoint, status in found]

    async def _end(self, runs: list[asyncio.Task[None]]) -> None:
        """Followers first, then the leader; who doesn't end in time is killed."""
        self._display.tell("stopping; once more kills")
        followers = [at for at, status in enumerate(self._seen) if not _leads(status)]
        leaders = [at for at in range(len(runs)) if at not in followers]
        for group in (followers, leaders):
            for at in group:
                self._members[at].begin_stop()
            await self._ended([runs[at] for at in group])
            for at in group:
                if not runs[at].done():
                    self._display.tell(f"{self._members[at].name} did not end in time: killed")
                    self._members[at].kill()
        self._display.tell("stopped; the data stays")

    async def _ended(self, runs: list[asyncio.Task[None]]) -> None:
        if runs:
            await asyncio.wait(runs, timeout=STOP_S)


def _leads(status: ClusterStatus | None) -> bool:
    return status is not None and status.role == "leader"


def advice(settings: UpSettings) -> list[str]:
    """The endpoints, and commands to try."""
    endpoints = ",".join(settings.client_addresses)
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
