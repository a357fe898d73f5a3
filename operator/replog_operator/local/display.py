"""What a person sees of `replog up`: a table that lives, or one line for each thing that happens.

Decides: how it looks. Must not know: how members are kept running.
Read next: supervisor.py.
"""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from replog.wire.schemas import ClusterStatus


class Row(NamedTuple):
    """One member. pid: None while no process runs. status: None without an answer."""

    name: str
    endpoint: str
    pid: int | None
    starts: int
    status: ClusterStatus | None


class _Output(Console):
    """A console whose reader may leave, as `head` does; rich would end the program there."""

    left = False

    def on_broken_pipe(self) -> None:
        self.quiet = self.left = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Display:
    """Lines go to standard output; the table only where that is a terminal."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or _Output(highlight=False, soft_wrap=True)
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def left(self) -> bool:
        """Whether whoever read the output is gone."""
        return isinstance(self._console, _Output) and self._console.left

    def tell(self, text: str) -> None:
        """One thing that happened, with its time."""
        with suppress(OSError):  # a full disk behind the output: the members matter more
            self._console.print(Text(f"{time.strftime('%H:%M:%S')} {text}"))

    def advise(self, lines: Sequence[str]) -> None:
        """What to do next."""
        for line in lines:
            self._console.print(Text(line))

    def show(self, rows: Sequence[Row]) -> None:
        """How the members are now."""
        if self._live is not None:
            hint = Text("Ctrl-C stops all members; the data stays", style="dim")
            self._live.update(Group(_table(rows), hint), refresh=True)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("member", "endpoint", "process", "starts", "role", "term", "committed", "last"):
        table.add_column(column)
    for row in rows:
        table.add_row(row.name, row.endpoint, str(row.pid or "–"), str(row.starts), *_known(row))
    return table


def _known(row: Row) -> tuple[str, str, str, str]:
    status = row.status
    if status is None:
        return ("starting" if row.pid else "down", "–", "–", "–")
    role = status.role if status.state == "member" else status.state
    return role, str(status.term), str(status.commit_offset), str(status.last_offset)
