"""Append exactly once: a producer session, and each batch again until its fate is known.

Up to five batches are under way at a time, as many as a node remembers of a session. A batch is
repeated byte for byte, at whatever member answers, so a lost answer neither loses nor doubles it;
one that overtakes another is refused by its sequence and comes again.

Decides: sequences, and what is under way. Must not know: HTTP, where records come from.
Read next: gatherer.py (many callers, few batches), client.py; the node's side is
replog_node/state/producers.py.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Self

from replog.client.client import Client
from replog.client.transport import Unavailable
from replog.wire.batches import CheckedBatch, NewRecord, build_batch, build_values
from replog.wire.limits import IN_FLIGHT_MAX, SEQUENCES
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerSession


class OutcomeUnknown(Exception):
    """A batch may or may not have been appended, and the session can't go on. Read to find out."""


class SessionEnded(Exception):
    """An earlier batch of the session failed, so this one was not sent and can't be applied."""


class _Flight(NamedTuple):
    """A batch under way: the call, and what its caller waits for."""

    call: asyncio.Task[Appended]
    done: asyncio.Future[Appended]


class Appender:
    """A session. After a failure of anything that was sent it is over: begin another one."""

    def __init__(self, client: Client, session: ProducerSession) -> None:
        """Use begin()."""
        self._client = client
        self._session = session
        self._sequence = 0
        self._turn = asyncio.Lock()
        self._flights: deque[_Flight] = deque()
        self._failure: Exception | None = None
        self._used_s = time.monotonic()

    @classmethod
    async def begin(cls, client: Client) -> Self:
        """Allocate a session."""
        return cls(client, await client.allocate_producer())

    @property
    def may_have_expired(self) -> bool:
        """Whether it was unused for so long that another one had better be begun."""
        return time.monotonic() - self._used_s > self._session.expires_after_ms / 2000

    async def append(
        self, records: Sequence[NewRecord], *, timeout_s: float | None = None, gzip: bool = False
    ) -> Appended:
        """Append these records as one batch: all or none, once, durable on a majority on return.

        Calls are carried out in the order in which they are made. timeout_s: the client's, when
        left out. Raises ApiError (batch_invalid before anything was sent), OutcomeUnknown,
        SessionEnded, Unavailable.
        """
        return await (await self.send(records, timeout_s=timeout_s, gzip=gzip))

    async def append_value(self, value: bytes, *, key: bytes | None = None) -> Appended:
        """Append one record, stamped with this moment."""
        return await self.append([NewRecord(value, key, (), _now_ms())])

    async def send(
        self, records: Sequence[NewRecord], *, timeout_s: float | None = None, gzip: bool = False
    ) -> asyncio.Future[Appended]:
        """Begin to append: returns once it is under way, with what append() waits for."""
        async with self._turn:
            await self._room()
            batch = build_batch(
                records,
                producer_id=self._session.producer_id,
                producer_epoch=self._session.epoch,
                base_sequence=self._sequence,
                gzip=gzip,
            )
            return self._begin(batch, timeout_s)

    async def send_values(
        self,
        values: Sequence[bytes],
        *,
        key: bytes | None = None,
        timeout_s: float | None = None,
        gzip: bool = False,
    ) -> asyncio.Future[Appended]:
        """As send(), for values that share key and moment; the fastest way for many records."""
        async with self._turn:
            await self._room()
            batch = build_values(
                values,
                key=key,
                timestamp_ms=_now_ms(),
                producer_id=self._session.producer_id,
                producer_epoch=self._session.epoch,
                base_sequence=self._sequence,
                gzip=gzip,
            )
            return self._begin(batch, timeout_s)

    async def settle(self) -> None:
        """Wait until nothing is under way. Raises what ended the session, if anything has."""
        while self._flights:
            await asyncio.wait({self._flights[0].done})
            self._forget_done()
        if self._failure is not None:
            raise self._failure

    async def _room(self) -> None:
        """Wait until another batch may be sent: the window moves when the oldest is answered."""
        self._forget_done()
        while len(self._flights) >= IN_FLIGHT_MAX:
            await asyncio.wait({self._flights[0].done})
            self._forget_done()
        if self._failure is not None:
            raise SessionEnded(f"the session has ended: {self._failure}") from self._failure

    def _forget_done(self) -> None:
        while self._flights and self._flights[0].done.done():
            self._flights.popleft()

    def _begin(self, batch: CheckedBatch, timeout_s: float | None) -> asyncio.Future[Appended]:
        self._sequence = (self._sequence + batch.count) % SEQUENCES
        self._used_s = time.monotonic()
        call = asyncio.create_task(self._client.append(batch, timeout_s=timeout_s))
        flight = _Flight(call, asyncio.get_running_loop().create_future())
        self._flights.append(flight)
        call.add_done_callback(lambda _: self._landed(flight))
        return flight.done

    def _landed(self, flight: _Flight) -> None:
        """Tell the caller; after a failure nothing that came later can be applied as it is."""
        if flight.done.done():
            return
        failure: BaseException | None
        if flight.call.cancelled():
            failure = OutcomeUnknown("the call was given up")
        else:
            failure = flight.call.exception()
        if failure is None:
            flight.done.set_result(flight.call.result())
            return
        self._end(_told(failure))

    def _end(self, failure: Exception) -> None:
        """End the session: all that is under way fails with it."""
        self._failure = failure
        for flight in self._flights:
            if not flight.done.done():
                flight.done.set_exception(failure)
                flight.done.exception()  # the session keeps it: a caller that left misses nothing
                flight.call.cancel()


def _told(failure: BaseException) -> Exception:
    """What the caller is told: whether it surely was not appended, or isn't known."""
    if isinstance(failure, ApiError | Unavailable):
        return failure if failure.outcome == "none" else OutcomeUnknown(str(failure))
    if isinstance(failure, Exception):
        return failure
    return OutcomeUnknown(f"the call was given up: {failure!r}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
