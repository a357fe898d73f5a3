"""Read single records from many tasks: what waits together is read together, each call by itself
as linearizable as if it had been alone.

A page is asked for only after the calls that it answers have begun, so it sees everything that was
acknowledged before each of them.

Decides: which calls share a page. Must not know: HTTP, what records mean.
Read next: reader.py; gatherer.py does the same for appends.
"""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from replog.client.client import Client
from replog.client.failures import Unavailable
from replog.client.reader import PageDamaged, sound_page
from replog.wire.batches import StoredRecord, records_of
from replog.wire.problems import ApiError

PAGES_MAX: Final = 4
"""Pages that are asked for at once; calls past them wait, and share the next."""

APART_MAX: Final = 64
"""Offsets further apart than this are read by pages of their own: less is sent than skipped."""

SPAN_MAX: Final = 4096
"""The most offsets that one page is asked for."""

WAITING_MAX: Final = 100_000
"""Calls that may wait here; one past it waits until there is room."""

_Waiting = dict[int, list["asyncio.Future[StoredRecord | None]"]]


class Getter:
    """Use it with `async with`; any number of tasks may call at once."""

    def __init__(self, client: Client, *, linearizable: bool = True) -> None:
        """linearizable: whether a call sees all that was acknowledged before it began."""
        self._client = client
        self._linearizable = linearizable
        self._waiting: _Waiting = {}
        self._room = asyncio.Semaphore(WAITING_MAX)
        self._pages: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what is under way."""
        for page in self._pages:
            page.cancel()
        await asyncio.gather(*self._pages, return_exceptions=True)
        for waiting in self._waiting.values():
            for answer in waiting:
                answer.cancel()
        self._waiting.clear()

    async def get(self, offset: int) -> StoredRecord | None:
        """The record at an offset; None where the log holds one of its own, which nobody reads.

        Raises ApiError (offset_out_of_range, offset_trimmed among others), Unavailable,
        PageDamaged.
        """
        async with self._room:
            return await self._asked(offset)

    def _asked(self, offset: int) -> "asyncio.Future[StoredRecord | None]":
        """Wait for the next page that can hold it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[StoredRecord | None] = loop.create_future()
        if not self._waiting and len(self._pages) < PAGES_MAX:
            loop.call_soon(self._begin)
        self._waiting.setdefault(offset, []).append(answer)
        return answer

    def _begin(self) -> None:
        """Ask for pages for all that waits, as far as there may be more."""
        if not self._waiting or len(self._pages) >= PAGES_MAX:
            return
        runs = _runs(sorted(self._waiting))
        while len(self._pages) < PAGES_MAX and (run := next(runs, None)) is not None:
            wanted = {offset: self._waiting.pop(offset) for offset in run}
            page = asyncio.create_task(self._page(wanted))
            self._pages.add(page)
            page.add_done_callback(self._ended)

    def _ended(self, page: "asyncio.Task[None]") -> None:
        self._pages.discard(page)
        if not page.cancelled():
            self._begin()

    async def _page(self, wanted: _Waiting) -> None:
        """Ask until each of these calls has its answer."""
        try:
            while wanted:
                first = min(wanted)
                try:
                    await self._ask(wanted, first, max(wanted))
                except (ApiError, PageDamaged) as failure:
                    _fail(wanted.pop(first), failure)
                except Unavailable as failure:  # nobody answered: the others' pages fare no better
                    while wanted:
                        _fail(wanted.pop(min(wanted)), failure)
        finally:
            for waiting in wanted.values():  # given up
                for answer in waiting:
                    answer.cancel()

    async def _ask(self, wanted: _Waiting, first: int, last: int) -> None:
        """Answer what one page from `first` on can."""
        answer, batches = await sound_page(
            self._client,
            str(first),
            limit=last - first + 1,
            wait_s=0.0,
            linearizable=self._linearizable,
        )
        for batch in batches:
            for record in records_of(batch):
                if record.offset in wanted:
                    _tell(wanted.pop(record.offset), record)
        end = int(answer.headers["Replog-Next-Offset"])
        if end <= first:
            raise ApiError("offset_out_of_range", f"the log ends at {end}", end_offset=end)
        for offset in [offset for offset in wanted if offset < end]:
            _tell(wanted.pop(offset), None)


def _runs(offsets: list[int]) -> Iterator[list[int]]:
    """Offsets, ascending, in runs that are worth a page each."""
    run: list[int] = []
    for offset in offsets:
        if run and (offset - run[-1] > APART_MAX or offset - run[0] >= SPAN_MAX):
            yield run
            run = []
        run.append(offset)
    if run:
        yield run


def _tell(waiting: "list[asyncio.Future[StoredRecord | None]]", found: StoredRecord | None) -> None:
    for answer in waiting:
        if not answer.done():
            answer.set_result(found)


def _fail(waiting: "list[asyncio.Future[StoredRecord | None]]", failure: Exception) -> None:
    for answer in waiting:
        if not answer.done():
            answer.set_exception(failure)
