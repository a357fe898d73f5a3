"""Many callers, few batches: what waits while others are under way goes together.

Nobody is made to wait for company: the first record goes at once, and the slower the log, the
larger the batches (design section 8).

Decides: which records share a batch. Must not know: sequences, HTTP.
Read next: appender.py.
"""

import asyncio
import time
from collections import deque
from functools import partial
from types import TracebackType
from typing import Final, NamedTuple, Self

from replog.client.appender import Appender, OutcomeUnknown, SessionEnded
from replog.client.failures import Unavailable
from replog.wire.batches import NewRecord
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended

TOGETHER_BYTES: Final = 512 * 1024
"""A batch is closed when it holds this much; a single larger record goes alone."""

TOGETHER_RECORDS: Final = 10_000
WAITING_MAX: Final = 100_000
"""Records that may wait here; a caller past it waits until there is room."""


class _Waiting(NamedTuple):
    record: NewRecord
    offset: asyncio.Future[int]


class Gatherer:
    """Append single records from many tasks; use it with `async with`, which drains it."""

    def __init__(self, appender: Appender) -> None:
        """The appender must have no other user."""
        self._appender = appender
        self._waiting: deque[_Waiting] = deque()
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Semaphore(WAITING_MAX)
        self._pump: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._pump = asyncio.create_task(self._pumping())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for waiting in self._waiting:
            waiting.offset.cancel()

    async def append(self, value: bytes | None, *, key: bytes | None = None) -> int:
        """Append one record once; returns its offset when it is durable on a majority.

        Raises what Appender.append raises.
        """
        async with self._room:
            offset: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            now_ms = time.time_ns() // 1_000_000
            self._waiting.append(_Waiting(NewRecord(value, key, (), now_ms), offset))
            self._some.set()
            self._idle.clear()
            return await offset

    async def close_when_settled(self) -> None:
        """End once everything that waits was sent or refused; what was sent goes on."""
        await self._idle.wait()
        await self.__aexit__(None, None, None)

    async def _pumping(self) -> None:
        while True:
            await self._some.wait()
            together = self._take()
            try:
                done = await self._appender.send([waiting.record for waiting in together])
            except (ApiError, OutcomeUnknown, SessionEnded, Unavailable) as failure:
                _fail(together, failure)
            else:
                done.add_done_callback(partial(_tell, together))
            if not self._waiting:
                self._idle.set()

    def _take(self) -> list[_Waiting]:
        """The next records, in order, up to the bounds."""
        together: list[_Waiting] = []
        room = TOGETHER_BYTES
        while self._waiting and len(together) < TOGETHER_RECORDS:
            record = self._waiting[0].record
            room -= len(record.value or b"") + len(record.key or b"")
            if room < 0 and together:
                break
            together.append(self._waiting.popleft())
        if not self._waiting:
            self._some.clear()
        return together


def _tell(together: list[_Waiting], found: asyncio.Future[Appended]) -> None:
    failure = found.exception()
    if failure is not None:
        _fail(together, failure)
        return
    for offset, waiting in enumerate(together, found.result().base_offset):
        if not waiting.offset.done():
            waiting.offset.set_result(offset)


def _fail(together: list[_Waiting], failure: BaseException) -> None:
    for waiting in together:
        if not waiting.offset.done():
            waiting.offset.set_exception(failure)
