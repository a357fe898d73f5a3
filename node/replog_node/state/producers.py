"""Producer sessions: what is remembered so that no retry ever appends twice (KIP-98, KIP-360).

Decides: which batch is next, which is a repeat, and what refuses the others; when a session ends.
Must not know: where batches come from, what is applied when.
Read next: applied.py, head.py.
"""

from typing import Final

import msgspec

from replog.wire.batches import CheckedBatch, Stamp
from replog.wire.limits import IN_FLIGHT_MAX, SEQUENCES, UNUSED_MS
from replog.wire.problems import ApiError
from replog_node.model.controls import ProducerAllocated
from replog_node.model.positions import Offset

SESSIONS_MAX: Final = 100_000
"""Sessions remembered, about 400 bytes each; past it allocations are refused (producers_full)."""


EPOCH_MAX: Final = 2**15 - 1
"""The last epoch that a batch can hold (int16). Nothing could fence it, so nothing is appended."""


class RememberedBatch(msgspec.Struct, frozen=True, array_like=True):
    """A batch that a session appended: sequences and offsets inclusive."""

    first_sequence: int
    last_sequence: int
    base: Offset
    crc: int
    count: int


class Session(msgspec.Struct, frozen=True, array_like=True):
    """One session. batches: the latest, oldest first, at most IN_FLIGHT_MAX.

    last_append_ms: log time of the allocation, before the first append. used: there was one.
    fenced_at: the record that began this epoch, -1 for the allocation; before_fence: the last batch
    of the epoch before, so that the question what became of it has one answer for good.
    """

    producer_id: int
    epoch: int
    expires_after_ms: int
    allocated_at: Offset
    request: str
    last_append_ms: int
    batches: tuple[RememberedBatch, ...] = ()
    used: bool = False
    fenced_at: Offset = Offset(-1)
    before_fence: RememberedBatch | None = None

    @property
    def expected(self) -> int:
        """The next sequence."""
        return (self.batches[-1].last_sequence + 1) % SEQUENCES if self.batches else 0

    @property
    def expires_ms(self) -> int:
        """The log time beyond which it is forgotten. An append only ever makes it later."""
        after_ms = self.expires_after_ms if self.used else min(self.expires_after_ms, UNUSED_MS)
        return self.last_append_ms + after_ms


def begun(record: ProducerAllocated, offset: Offset, time_ms: int) -> Session:
    """The session that an allocation record makes."""
    return Session(
        record.producer_id, record.epoch, record.expires_after_ms, offset, record.request, time_ms
    )


def with_batch(session: Session, stamp: Stamp, base: Offset, time_ms: int) -> Session:
    """The session after one more batch."""
    last = (stamp.base_sequence + stamp.records - 1) % SEQUENCES
    appended = RememberedBatch(stamp.base_sequence, last, base, stamp.crc, stamp.records)
    batches = (*session.batches, appended)[-IN_FLIGHT_MAX:]
    return msgspec.structs.replace(session, batches=batches, last_append_ms=time_ms, used=True)


def fenced(session: Session, epoch: int, offset: Offset, time_ms: int) -> Session:
    """The session in a newer epoch, begun by the record at this offset: sequences begin anew."""
    last = session.batches[-1] if session.batches else None
    return msgspec.structs.replace(
        session, epoch=epoch, batches=(), fenced_at=offset, before_fence=last,
        last_append_ms=time_ms,
    )  # fmt: skip


def judge(session: Session | None, batch: CheckedBatch, log_time_ms: int) -> RememberedBatch | None:
    """None if the batch is the next one; the original if it is an exact repeat.

    Raises ApiError producer_unknown, producer_fenced, epoch_exhausted, sequence_gap,
    sequence_conflict.
    """
    if session is None or session.expires_ms < log_time_ms:
        raise ApiError("producer_unknown", f"no session of producer {batch.producer_id}")
    if batch.producer_epoch < session.epoch:
        raise ApiError(
            "producer_fenced", f"epoch {batch.producer_epoch} is older than {session.epoch}"
        )
    if batch.producer_epoch > session.epoch:
        raise ApiError(
            "producer_unknown", f"epoch {batch.producer_epoch} was never given, {session.epoch} was"
        )
    if session.epoch >= EPOCH_MAX:
        raise ApiError("epoch_exhausted", f"epoch {session.epoch} is the last: allocate a new id")
    if batch.base_sequence == session.expected:
        return None
    return _repeat(session, batch)


def _repeat(session: Session, batch: CheckedBatch) -> RememberedBatch:
    for known in session.batches:
        if known.first_sequence == batch.base_sequence:
            if (known.count, known.crc) == (batch.count, batch.crc):
                return known
            raise ApiError(
                "sequence_conflict", f"sequence {batch.base_sequence} was used by another batch"
            )
    ahead = (batch.base_sequence - session.expected) % SEQUENCES
    if ahead < SEQUENCES // 2:
        raise ApiError(
            "sequence_gap",
            f"sequence {batch.base_sequence} came before {session.expected}",
            expected=session.expected,
        )
    raise ApiError(
        "sequence_conflict",
        f"sequence {batch.base_sequence} was used before and its batch isn't remembered",
    )
