"""Records are decoded at once where that is quick, else in a thread beside the loop.

Elections and heartbeats share the loop, so a million empty records, or a compressed batch, must not
hold it. It is one thread, because more would take the interpreter from the loop.

Decides: what is decoded where; and that a producer's batches don't overtake each other here.
Must not know: what bodies and pages are (records_in.py, records_out.py).
Read next: records_in.py.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from replog.wire.batches import CheckedBatch
from replog_node.model.entries import Entry
from replog_node.web.records_in import Headers, batch_of, is_quick
from replog_node.web.records_out import Page


class Decoding:
    """One thread, made when it is first needed, and a queue that `requests_max` bounds."""

    __slots__ = ("_pool", "_waiting")

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="replog-decode")
        self._waiting = 0

    @property
    def busy(self) -> bool:
        """Whether something is being decoded in the thread, which nothing may overtake."""
        return self._waiting > 0

    async def batch(self, content_type: str, headers: Headers, body: bytes) -> CheckedBatch:
        """Return the batch of a body; raises what `batch_of` raises."""
        if not self._waiting and is_quick(content_type, body):
            return batch_of(content_type, headers, body)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, batch_of, content_type, headers, body)
        finally:
            self._waiting -= 1

    async def take(self, page: Page, entry: Entry) -> None:
        """Let the page take what belongs to it of the entry."""
        if page.is_quick(entry):
            page.take(entry)
        else:
            await asyncio.get_running_loop().run_in_executor(self._pool, page.take, entry)

    def close(self) -> None:
        """End the thread; what waits for it is dropped, because its listener is gone."""
        self._pool.shutdown(wait=False, cancel_futures=True)
