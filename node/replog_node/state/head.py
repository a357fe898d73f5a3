"""Head state: what the leader knows beyond what is applied, so that it can decide at append.

An overlay over the applied state with the leader's own unapplied entries. It is the leader's alone
and dropped when it stops leading: then the next leader's log decides.

Decides: whether a batch is new, a repeat, or refused; which id a new producer gets.
Must not know: how an entry is built and committed.
Read next: producers.py, ../driver/appends.py.
"""

import msgspec

from replog.wire.batches import CheckedBatch, Stamp
from replog.wire.limits import EXPIRES_AFTER_MOST_MS
from replog.wire.problems import ApiError
from replog.wire.schemas import ProducerResolved
from replog_node.model.controls import ProducerAllocated, ProducerFenced
from replog_node.model.positions import Offset
from replog_node.state.applied import AppliedState
from replog_node.state.producers import (
    EPOCH_MAX,
    SESSIONS_MAX,
    RememberedBatch,
    Session,
    begun,
    fenced,
    judge,
    with_batch,
)


class Fresh(msgspec.Struct, frozen=True):
    """The batch is the next one: append it at the base that was given."""


class Duplicate(msgspec.Struct, frozen=True):
    """The batch was appended before. pending: the original is not applied yet."""

    base: Offset
    last: Offset
    pending: bool


class Allocation(msgspec.Struct, frozen=True):
    """A session. known_since: the offset of the record that made it; None: append `record`."""

    record: ProducerAllocated
    known_since: Offset | None


class Fence(msgspec.Struct, frozen=True):
    """What became of an epoch. known_since: the offset of the record that fenced it; None: append
    one."""

    answer: ProducerResolved
    known_since: Offset | None


FRESH = Fresh()


class HeadState:
    """The leader's overlay. Bounded by its unapplied entries (DriverLimits.pending_*)."""

    def __init__(self, applied: AppliedState, sessions_max: int = SESSIONS_MAX) -> None:
        self._applied = applied
        self._sessions_max = sessions_max
        self._sessions: dict[int, tuple[Session, Offset]] = {}
        self._requests: dict[str, int] = {}
        self._next_producer_id = 0
        self._last_record = Offset(-1)

    @property
    def overlay(self) -> int:
        """How many sessions are known beyond what is applied."""
        return len(self._sessions)

    def admit(self, batch: CheckedBatch, base: Offset, log_time_ms: int) -> Fresh | Duplicate:
        """Decide about a batch that would be appended at `base`; fresh ones are remembered.

        log_time_ms: of the last entry in the leader's log. A repeat is a repeat whatever its
        condition says: it was met. Raises ApiError (producers.judge), last_record_mismatch.
        """
        if batch.producer_id < 0:
            self._check_condition(batch)
            self._last_record = Offset(base + batch.count - 1)
            return FRESH
        session = self._session(batch.producer_id)
        original = judge(session, batch, log_time_ms)
        if original is not None:
            last = Offset(original.base + original.count - 1)
            return Duplicate(original.base, last, pending=last > self._applied.offset)
        self._check_condition(batch)
        self._last_record = Offset(base + batch.count - 1)
        if session is not None:
            stamp = Stamp(
                batch.producer_id, batch.producer_epoch, batch.base_sequence, batch.count,
                batch.crc, base,
            )  # fmt: skip
            last = Offset(base + batch.count - 1)
            ahead = with_batch(session, stamp, base, max(log_time_ms, session.last_append_ms))
            self._sessions[batch.producer_id] = (ahead, last)
        return FRESH

    @property
    def last_record(self) -> Offset:
        """The last data record that is appended, applied or not; -1 without one."""
        return max(self._last_record, self._applied.last_record)

    def _check_condition(self, batch: CheckedBatch) -> None:
        """Raise last_record_mismatch unless the batch's condition holds (control records apart)."""
        wanted, found = batch.if_last_record, self.last_record
        if wanted is not None and wanted != found:
            raise ApiError(
                "last_record_mismatch",
                f"the last record is {found if found >= 0 else 'none'}, not "
                f"{wanted if wanted >= 0 else 'none'}",
                last_record=found if found >= 0 else None,
            )

    def allocate(self, request: str, expires_after_ms: int = EXPIRES_AFTER_MOST_MS) -> Allocation:
        """A session for this request: the one that it made before, as it is, or a new one.

        expires_after_ms: as the schema bounds it. Raises ApiError producers_full.
        """
        known = self._requests.get(request) or self._applied.by_request.get(request)
        session = None if known is None or not request else self._session(known)
        if session is not None:
            record = ProducerAllocated(
                session.producer_id, session.epoch, session.expires_after_ms, session.request
            )
            return Allocation(record, session.allocated_at)
        if self._remembered() >= self._sessions_max:
            raise ApiError("producers_full", f"{self._sessions_max} sessions are remembered")
        producer_id = max(self._next_producer_id, self._applied.next_producer_id)
        return Allocation(ProducerAllocated(producer_id, 0, expires_after_ms, request), None)

    def allocated(self, record: ProducerAllocated, offset: Offset, log_time_ms: int) -> None:
        """The record of a new session was appended at this offset."""
        self._next_producer_id = record.producer_id + 1
        self._sessions[record.producer_id] = (begun(record, offset, log_time_ms), offset)
        if record.request:
            self._requests[record.request] = record.producer_id

    def resolve(self, producer_id: int, epoch: int) -> Fence:
        """What became of this epoch of a producer, if nothing more of it is appended from now on.

        Raises ApiError producer_unknown, producer_fenced (a later epoch has begun since; this one
        was resolved by somebody else), epoch_exhausted.
        """
        session = self._session(producer_id)
        if session is None or epoch > session.epoch:
            raise ApiError("producer_unknown", f"no epoch {epoch} of producer {producer_id}")
        if epoch == session.epoch:
            if epoch >= EPOCH_MAX:
                raise ApiError("epoch_exhausted", f"epoch {epoch} is the last: allocate a new id")
            last = session.batches[-1] if session.batches else None
            return Fence(_resolved(producer_id, epoch + 1, last, repeated=False), None)
        if epoch < session.epoch - 1 or session.fenced_at < 0:
            raise ApiError("producer_fenced", f"epoch {session.epoch} has begun since {epoch}")
        answer = _resolved(producer_id, session.epoch, session.before_fence, repeated=True)
        return Fence(answer, session.fenced_at)

    def fenced(self, record: ProducerFenced, offset: Offset, log_time_ms: int) -> None:
        """The record that fences an epoch was appended at this offset."""
        session = self._session(record.producer_id)
        if session is not None and session.epoch < record.epoch:
            ahead = fenced(session, record.epoch, offset, log_time_ms)
            self._sessions[record.producer_id] = (ahead, offset)

    @property
    def log_start(self) -> Offset:
        """The log start as it is applied."""
        return self._applied.log_start

    def applied_through(self, offset: Offset) -> None:
        """Forget what the applied state now knows itself."""
        if not self._sessions:
            return
        for producer_id, (session, last) in list(self._sessions.items()):
            if last <= offset:
                del self._sessions[producer_id]
                self._requests.pop(session.request, None)

    def drop(self) -> None:
        """This member doesn't lead (any more): only applied state counts."""
        self._sessions.clear()
        self._requests.clear()
        self._next_producer_id = 0
        self._last_record = Offset(-1)

    def _remembered(self) -> int:
        """Sessions that are applied or on their way, each once."""
        applied = self._applied.sessions
        return len(applied) + sum(producer_id not in applied for producer_id in self._sessions)

    def _session(self, producer_id: int) -> Session | None:
        ahead = self._sessions.get(producer_id)
        return ahead[0] if ahead is not None else self._applied.sessions.get(producer_id)


def _resolved(
    producer_id: int, epoch: int, last: RememberedBatch | None, *, repeated: bool
) -> ProducerResolved:
    if last is None:
        return ProducerResolved(producer_id, epoch, None, None, repeated)
    offset = last.base + last.count - 1
    return ProducerResolved(producer_id, epoch, last.last_sequence, offset, repeated)
