"""Append exactly once: a producer session, and the same batch again until its fate is known.

One batch is under way at a time, so records keep their order; what comes meanwhile waits and goes
together, so the slower the log, the larger the batches (design section 8).

Decides: sequences. Must not know: HTTP, where records come from.
Read next: client.py; the node's side is replog_node/state/producers.py.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

from replog.client.client import Client
from replog.client.transport import Unavailable
from replog.wire.batches import NewRecord, build_batch
from replog.wire.limits import SEQUENCES
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerSession


class OutcomeUnknown(Exception):
    """A batch may or may not have been appended, and the session can't go on. Read to find out."""


class Appender:
    """A session. After an exception other than batch_invalid it must not be used again."""

    def __init__(self, client: Client, session: ProducerSession) -> None:
        """Use begin()."""
        self._client = client
        self._session = session
        self._sequence = 0
        self._turn = asyncio.Lock()

    @classmethod
    async def begin(cls, client: Client) -> Self:
        """Allocate a session."""
        return cls(client, await client.allocate_producer())

    async def append(
        self, records: Sequence[NewRecord], *, timeout_s: float | None = None, gzip: bool = False
    ) -> Appended:
        """Append these records as one batch: all or none, once. Calls are carried out in order.

        Raises ApiError (batch_invalid before anything was sent), OutcomeUnknown.
        """
        async with self._turn:
            session = self._session
            batch = build_batch(
                records,
                producer_id=session.producer_id,
                producer_epoch=session.epoch,
                base_sequence=self._sequence,
                gzip=gzip,
            )
            try:
                appended = await self._client.append(batch, timeout_s=timeout_s)
            except Unavailable as failure:
                raise OutcomeUnknown(failure.detail) from failure
            except ApiError as refusal:
                if refusal.outcome == "none" and refusal.code != "producer_unknown":
                    raise
                raise OutcomeUnknown(str(refusal)) from refusal
            self._sequence = (self._sequence + batch.count) % SEQUENCES
            return appended

    async def append_value(self, value: bytes, *, key: bytes | None = None) -> Appended:
        """Append one record, stamped with this moment."""
        now_ms = time.time_ns() // 1_000_000
        return await self.append([NewRecord(value, key, (), now_ms)])
