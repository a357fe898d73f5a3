"""Files and standard input as values: what is there is read, cut into lines, and handed on.

A thread reads, because a file can't be waited for; it is a daemon that holds no lock, so that
Ctrl-C ends the program even while a terminal is being read.

Decides: where a record ends, and how much is read ahead.
Must not know: batches, the cluster.
Read next: append.py.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from replog.cli.exits import EXIT_REFUSED, Failure
from replog.wire.limits import BATCH_BYTES_MAX

CHUNK_BYTES: Final = 512 * 1024
"""What is read at once. The lines that are there go together, so a slow pipe isn't held back."""

CHUNKS_AHEAD: Final = 4
"""Chunks that may wait while batches are under way; past it reading pauses."""

RECORD_BYTES_MAX: Final = BATCH_BYTES_MAX - 64 * 1024
"""A longer line or file can't be one record: a batch holds it with its key and its header."""


class Values(NamedTuple):
    """Values in order. unterminated: nothing came after the last one."""

    values: list[bytes]
    unterminated: bool
    end: bytes

    @property
    def size_bytes(self) -> int:
        """As they lay in the input."""
        ends = len(self.values) - self.unterminated
        return sum(map(len, self.values)) + ends * len(self.end)


class Source:
    """The content of some files, one after the other; `-` is standard input."""

    def __init__(self, names: Sequence[str], *, whole: bool, end: bytes) -> None:
        """whole: each file is one value. end: what ends a value otherwise, one byte."""
        self._names = names
        self._whole = whole
        self._end = end

    @property
    def size_bytes(self) -> int | None:
        """Of all together; None if one of them is no plain file."""
        total = 0
        for name in self._names:
            try:
                found = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
            except OSError:
                return None
            if not found.st_size:
                return None
            total += found.st_size
        return total

    async def values(self) -> AsyncIterator[Values]:
        """Yield what comes, as it comes. Raises Failure for a record too large, OSError."""
        ahead: asyncio.Queue[Values | Exception | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        room, ended = threading.Semaphore(CHUNKS_AHEAD), threading.Event()

        def hand_on(found: Values | Exception | None) -> None:
            room.acquire()
            if ended.is_set():
                raise RuntimeError("nobody wants more")
            loop.call_soon_threadsafe(ahead.put_nowait, found)

        arguments = (hand_on,)
        threading.Thread(
            target=self._read_all, args=arguments, name="replog-input", daemon=True
        ).start()
        try:
            while (found := await ahead.get()) is not None:
                room.release()
                if isinstance(found, Exception):
                    raise found
                yield found
        finally:
            ended.set()
            room.release()

    def _read_all(self, hand_on: Callable[[Values | Exception | None], None]) -> None:
        """The thread: read until the end or the first fault, and hand on either."""
        try:
            try:
                for name in self._names:
                    for found in self._of(name):
                        hand_on(found)
                hand_on(None)
            except (OSError, Failure) as problem:
                hand_on(problem)
        except RuntimeError:
            return  # the loop has ended or ends, after Ctrl-C: nobody wants more

    def _of(self, name: str) -> Iterator[Values]:
        file = sys.stdin.fileno() if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield from self._one(file, name) if self._whole else self._lines(file, name)
        finally:
            if name != "-":
                os.close(file)

    def _one(self, file: int, name: str) -> Iterator[Values]:
        parts: list[bytes] = []
        size = 0
        while chunk := os.read(file, CHUNK_BYTES):
            parts.append(chunk)
            size += len(chunk)
            _check(size, name)
        yield Values([b"".join(parts)], True, self._end)

    def _lines(self, file: int, name: str) -> Iterator[Values]:
        rest: list[bytes] = []
        rest_bytes = 0
        while chunk := os.read(file, CHUNK_BYTES):
            values = chunk.split(self._end)
            rest.append(values[0])
            rest_bytes += len(values[0])
            _check(rest_bytes, name)
            if len(values) == 1:
                continue
            values[0] = b"".join(rest)
            last = values.pop()
            rest, rest_bytes = [last], len(last)
            yield Values(values, False, self._end)
        if rest_bytes:
            yield Values([b"".join(rest)], True, self._end)


def _check(size: int, name: str) -> None:
    if size > RECORD_BYTES_MAX:
        raise Failure(
            f"{name}: a record exceeds {RECORD_BYTES_MAX} bytes; it and what follows is not sent",
            EXIT_REFUSED,
        )
