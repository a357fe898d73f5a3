"""Read record by record, from anywhere, for as long as wanted; resumed at any member.

A consumer's whole state is its position, one number: keep it where the work's results are kept,
and a restart goes on exactly there.

Decides: what the position is, and what happens when it was trimmed away.
Must not know: HTTP, batches.
Read next: reader.py; docs/client.md has examples.
"""

from collections.abc import AsyncIterator
from typing import Final, Literal, Self

from replog.client.client import Client
from replog.client.reader import Page, read
from replog.wire.batches import StoredRecord
from replog.wire.problems import ApiError

TRIMMED: Final = "offset_trimmed"


class Consumer:
    """An async iterator of records. It may be iterated again: it goes on where it was."""

    def __init__(
        self,
        client: Client,
        start: int | str = "earliest",
        *,
        follow: bool = True,
        linearizable: bool = True,
        when_trimmed: Literal["raise", "skip"] = "raise",
    ) -> None:
        """Read from `start` (an offset, earliest, latest, tail:N, time:MS) on.

        follow: wait for more at the end, else stop there. linearizable: see all that was
        acknowledged before; otherwise what the member knows. when_trimmed: whether a position
        below the log start raises ApiError offset_trimmed, or goes on at the log start.
        """
        self._client = client
        self._start = str(start)
        self._follow = follow
        self._linearizable = linearizable
        self._skip = when_trimmed == "skip"
        self.position: int | None = start if isinstance(start, int) else None

    def __aiter__(self) -> Self:
        self._records = self._all()
        return self

    async def __anext__(self) -> StoredRecord:
        """The next record. `position` is then one past it: where to go on after a restart.

        Raises ApiError, Unavailable, PageDamaged (reader.read); asking again goes on.
        """
        try:
            return await anext(self._records)
        except StopAsyncIteration:
            raise
        except BaseException:  # a generator that raised is over
            self._records = self._all()
            raise

    async def _all(self) -> AsyncIterator[StoredRecord]:
        while True:
            try:
                async for page in self._pages():
                    for record in page.records:
                        self.position = record.offset + 1
                        yield record
                    self.position = max(self.position or 0, page.next_offset)
                return
            except ApiError as refusal:
                log_start = refusal.extra.get("log_start_offset")
                if not (self._skip and refusal.code == TRIMMED and isinstance(log_start, int)):
                    raise
                self.position = log_start

    def _pages(self) -> AsyncIterator[Page]:
        start = self._start if self.position is None else str(self.position)
        return read(self._client, start=start, follow=self._follow, linearizable=self._linearizable)
