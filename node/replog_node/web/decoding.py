"""Bodies of appends become batches: small ones at once, others beside the loop, all in their order.

Decides: what is decoded where. Elections and heartbeats share the loop, so a body of a million
empty records must not hold it; and a producer's batches must not overtake each other here.
Must not know: what a body means (records_in.py).
Read next: records_in.py.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from replog.wire.batches import CheckedBatch
from replog_node.web.records_in import Headers, batch_of, is_quick


class Decoding:
    """One thread, made when it is first needed, and a queue that `requests_max` bounds."""

    __slots__ = ("_pool", "_waiting")

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="replog-decode")
        self._waiting = 0

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

    def close(self) -> None:
        """End the thread; what waits for it is dropped, because its listener is gone."""
        self._pool.shutdown(wait=False, cancel_futures=True)
