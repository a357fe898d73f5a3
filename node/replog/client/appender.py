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
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

from replog.client.client import Client
from replog.client.failures import Unavailable
from replog.wire.batches import CheckedBatch, NewRecord, build_batch, build_values
from replog.wire.codes import NONE
from replog.wire.limits import EXPIRES_AFTER_MOST_MS, IN_FLIGHT_MAX, SEQUENCES, UNUSED_MS
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerSession

USED_BEFORE: Final = "sequence_conflict"


class OutcomeUnknown(Exception):
    """A batch may or may not have been appended, and the session can't go on. Read to find out."""


class SessionEnded(Exception):
    """An earlier batch of the session failed, so this one was not and will not be appended."""


class _Flight(NamedTuple):
    """A batch under way: its place in the session, the call, and what its caller waits for."""

    number: int
    call: asyncio.Task[Appended]
    done: asyncio.Future[Appended]


class Appender:
    """A session. After a failure of anything that was sent it is over: begin another one."""

    def __init__(
        self,
        client: Client,
        session: ProducerSession,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Use begin()."""
        self._monotonic_s = monotonic_s
        self._client = client
        self._session = session
        self._sequence = 0
        self._turn = asyncio.Lock()
        self._flights: deque[_Flight] = deque()
        self._sent = 0
        self._failure: Exception | None = None
        self._failed = 0
        self._used_s = monotonic_s()

    @classmethod
    async def begin(cls, client: Client, *, expires_after_ms: int = EXPIRES_AFTER_MOST_MS) -> Self:
        """Allocate a session that is remembered for so long without an append (1 min…24 h).

        The log remembers a bounded number: many short-lived appenders ask for a short time, but
        for more than that for which a batch is retried.
        """
        return cls(client, await client.allocate_producer(expires_after_ms=expires_after_ms))

    @property
    def ended(self) -> bool:
        """Whether a batch failed, so that nothing more can be appended in this session."""
        return self._failure is not None

    @property
    def may_have_expired(self) -> bool:
        """Whether it was unused for so long that another one had better be begun."""
        after_ms = self._session.expires_after_ms
        if not self._sent:
            after_ms = min(after_ms, UNUSED_MS)
        return self._monotonic_s() - self._used_s > after_ms / 2000

    async def append(
        self, records: Sequence[NewRecord], *, timeout_s: float | None = None, gzip: bool = False
    ) -> Appended:
        """Append these records as one batch: all or none, once, durable on a majority on return.

        Calls are carried out in the order in which they are made; one that its caller leaves goes
        on. timeout_s: the client's, when left out. Raises ApiError (batch_invalid before anything
        was sent), OutcomeUnknown, SessionEnded, Unavailable.
        """
        return await asyncio.shield(await self.send(records, timeout_s=timeout_s, gzip=gzip))

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
        """Wait until nothing is under way.

        Raises what ended the session, if anything has: the failure of the earliest batch that has
        one, so that an outcome of "none" holds for all that was not acknowledged.
        """
        while self._flights:
            await asyncio.wait({self._flights[0].done})
            self._forget_done()
        if self._failure is not None:
            raise self._failure

    async def _room(self) -> None:
        """Wait until another batch may be sent: the window moves when the oldest is answered."""
        self._forget_done()
        while self._failure is None and len(self._flights) >= IN_FLIGHT_MAX:
            await asyncio.wait({self._flights[0].done})
            self._forget_done()
        if self._failure is not None:
            raise SessionEnded(f"the session has ended: {self._failure}") from self._failure
        if not self._sent and self.may_have_expired:
            await self._replace()

    async def _replace(self) -> None:
        """Allocate another session; nothing was sent in this one, so nothing can come twice."""
        expires_after_ms = self._session.expires_after_ms
        self._session = await self._client.allocate_producer(expires_after_ms=expires_after_ms)
        self._used_s = self._monotonic_s()

    def _forget_done(self) -> None:
        while self._flights and self._flights[0].done.done():
            self._flights.popleft()

    def _begin(self, batch: CheckedBatch, timeout_s: float | None) -> asyncio.Future[Appended]:
        self._sequence = (self._sequence + batch.count) % SEQUENCES
        self._used_s = self._monotonic_s()
        self._sent += 1
        call = asyncio.create_task(self._client.append(batch, timeout_s=timeout_s))
        flight = _Flight(self._sent, call, asyncio.get_running_loop().create_future())
        self._flights.append(flight)
        call.add_done_callback(lambda _: self._landed(flight))
        return flight.done

    def _landed(self, flight: _Flight) -> None:
        """Tell the caller, unless it was told when the session ended, or has left."""
        failure = _failure_of(flight.call)
        if failure is not None:
            self._end(flight, failure)
        elif not flight.done.done():
            flight.done.set_result(flight.call.result())

    def _end(self, flight: _Flight, failure: Exception) -> None:
        """End the session: what came before goes on, nothing that came later can."""
        _fail(flight, failure)
        if self._failure is not None and flight.number >= self._failed:
            return
        self._failure, self._failed = failure, flight.number
        for later in self._flights:
            if later.number > flight.number and not later.call.done():
                _fail(later, _told_later(failure))
                later.call.cancel()


def _fail(flight: _Flight, failure: Exception) -> None:
    """Tell the caller; it may have left, and the session knows of it without that."""
    if not flight.done.done():
        flight.done.set_exception(failure)
        flight.done.exception()


def _failure_of(call: asyncio.Task[Appended]) -> Exception | None:
    """What the caller is told of a call that is done: None when it was appended."""
    if call.cancelled():
        return OutcomeUnknown("the call was given up")
    failure = call.exception()
    return None if failure is None else _told(failure)


def _told_later(failure: Exception) -> Exception:
    """What the callers of later batches are told, which need the one that failed before them.

    A sequence that somebody else has used may be the gap before the next one, filled.
    """
    surely = isinstance(failure, ApiError | Unavailable) and failure.outcome == NONE
    if surely and not (isinstance(failure, ApiError) and failure.code == USED_BEFORE):
        return SessionEnded(f"a batch before this one failed: {failure}")
    return OutcomeUnknown(f"a batch before this one failed: {failure}")


def _told(failure: BaseException) -> Exception:
    """What the caller is told: whether it surely was not appended, or isn't known."""
    if isinstance(failure, ApiError | Unavailable):
        return failure if failure.outcome == NONE else OutcomeUnknown(str(failure))
    if isinstance(failure, Exception):
        return failure
    return OutcomeUnknown(f"the call was given up: {failure!r}")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
