"""Append from many tasks, each record exactly once: the front door for programs that write.

Records that wait together share a batch (gatherer.py), batches belong to a producer session
(appender.py), and a session that has ended is followed by another one. What is not acknowledged
is bounded in bytes: a caller past the bound waits, so a slow log slows its writers down.

Decides: when a new session begins, and how much may be unacknowledged.
Must not know: HTTP, sequences, how records share batches.
Read next: gatherer.py, appender.py; docs/client.md has examples.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Self

from replog.client.appender import Appender
from replog.client.client import Client
from replog.client.gatherer import Gatherer
from replog.wire.limits import EXPIRES_AFTER_MOST_MS

UNACKNOWLEDGED_BYTES: Final = 16 * 1024 * 1024
"""Keys and values that may be under way; past it append() waits for room."""

RECORD_BYTES: Final = 32
"""What a record counts beside its key and value, so that empty ones are bounded too."""


class Producer:
    """Use it with `async with`; leaving it waits until all that was taken is acknowledged.

    Any number of tasks may append at once; each task's own records keep their order.
    """

    def __init__(
        self,
        client: Client,
        *,
        unacknowledged_bytes: int = UNACKNOWLEDGED_BYTES,
        expires_after_ms: int = EXPIRES_AFTER_MOST_MS,
    ) -> None:
        """unacknowledged_bytes: at least one record is taken, however large.

        expires_after_ms: for how long a session is remembered without an append.
        """
        if unacknowledged_bytes < 1:
            raise ValueError("unacknowledged_bytes must be 1 or more")
        self._client = client
        self._room = _Room(unacknowledged_bytes)
        self._expires_after_ms = expires_after_ms
        self._beginning: asyncio.Task[tuple[Appender, Gatherer]] | None = None
        self._session: tuple[Appender, Gatherer] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for what is under way; after an error give it up instead (its fate is unknown)."""
        if kind is None:
            await self._room.empty()
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)
        if self._session is not None:
            await self._session[1].__aexit__(kind, error, trace)
            self._session = None

    @property
    def unacknowledged_bytes(self) -> int:
        """What was taken and is not acknowledged."""
        return self._room.taken

    async def append(self, value: bytes | None, *, key: bytes | None = None) -> int:
        """Append one record; returns its offset once it is on the disks of a majority.

        Raises ApiError or Unavailable when it surely was not appended, SessionEnded when it was
        not because one before it failed, OutcomeUnknown when nobody can say. The next append
        begins a new session, so a failure never blocks what follows.
        """
        size = len(value or b"") + len(key or b"") + RECORD_BYTES
        await self._room.take(size)
        try:
            session = self._session
            if session is None or session[0].ended or session[0].may_have_expired:
                session = await self._next_session()
            return await session[1].append(value, key=key)
        finally:
            self._room.give_back(size)

    async def _next_session(self) -> tuple[Appender, Gatherer]:
        """One begins it for all, and all go on in the same moment: their records go together."""
        if self._beginning is None:
            self._beginning = asyncio.create_task(self._begin())
        return await asyncio.shield(self._beginning)

    async def _begin(self) -> tuple[Appender, Gatherer]:
        try:
            appender = await Appender.begin(self._client, expires_after_ms=self._expires_after_ms)
            session = (appender, await Gatherer(appender).__aenter__())
            if self._session is not None:
                await self._session[1].close_when_settled()
            self._session = session
            return session
        finally:
            self._beginning = None


class _Room:
    """Bytes that may be under way; who doesn't fit waits in the order of coming."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()

    async def take(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self._add(size)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = (size, turn)
        self._waiting.append(waiting)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size)
            elif waiting in self._waiting:
                self._waiting.remove(waiting)
                self._let_in()
            raise

    def give_back(self, size: int) -> None:
        self.taken -= size
        self._let_in()
        if not self.taken:
            self._empty.set()

    async def empty(self) -> None:
        """Wait until nothing is taken."""
        await self._empty.wait()

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self._add(size)
                turn.set_result(None)

    def _fits(self, size: int) -> bool:
        return not self.taken or self.taken + size <= self._most

    def _add(self, size: int) -> None:
        self.taken += size
        self._empty.clear()
