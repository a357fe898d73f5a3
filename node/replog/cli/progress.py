"""A progress bar on stderr, for people only: nothing is shown where stderr is no terminal.

Decides: how it looks. Must not know: what progresses.
Read next: append.py.
"""

from types import TracebackType
from typing import Self

import rich.progress
from rich.console import Console

SHOWN_AFTER_BYTES = 4 * 1024 * 1024
"""Shorter work is over before anybody looks."""


class Progress:
    """Counts bytes; the bar appears once the work proves to be long."""

    def __init__(self, what: str, total_bytes: int | None) -> None:
        self._console = Console(stderr=True)
        self._what = what
        self._total = total_bytes
        self._done = 0
        self._bar: rich.progress.Progress | None = None
        self._task: rich.progress.TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, size_bytes: int) -> None:
        """So much more is done."""
        self._done += size_bytes
        if self._bar is None and self._console.is_terminal and self._done > SHOWN_AFTER_BYTES:
            self._begin()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self._done)

    def _begin(self) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.DownloadColumn(binary_units=True),
            rich.progress.TransferSpeedColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task(self._what, total=self._total)
        self._bar.start()
