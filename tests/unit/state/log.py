"""A log for the tests of state: entries one after the other, by the real frames."""

from collections.abc import Sequence

from replog.wire.batches import CheckedBatch, NewRecord, build_batch
from replog_node.frames.build import build_entry
from replog_node.frames.chain import seed
from replog_node.frames.decode import tail_of
from replog_node.model.controls import Control, ProducerAllocated
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, ClusterId, Offset, Term

CLUSTER = ClusterId("11111111-1111-4111-8111-111111111111")
EXPIRES_AFTER_MS = 1000


class Log:
    """Appended to; perhaps cut. time_ms: log time of the next entry, which may be set."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.time_ms = 1

    @property
    def tail(self) -> Tail:
        return tail_of(self.entries[-1]) if self.entries else Tail(ORIGIN, seed(CLUSTER), 0)

    @property
    def end(self) -> Offset:
        return Offset(self.tail.position.offset + 1)

    def append(self, *controls: Control, batches: Sequence[CheckedBatch] = ()) -> Entry:
        payload = Payload(
            controls, tuple(batch.data for batch in batches), sum(batch.count for batch in batches)
        )
        entry = build_entry(payload, Term(1), self.tail, self.time_ms)
        self.entries.append(entry)
        return entry

    def cut(self, offset: Offset) -> None:
        """Take away what lies beyond the offset."""
        self.entries = [entry for entry in self.entries if entry.last <= offset]


def batch(
    sequence: int = 0, values: Sequence[bytes] = (b"a",), *, producer: int = 1, epoch: int = 0
) -> CheckedBatch:
    return build_batch(
        [NewRecord(value) for value in values],
        producer_id=producer, producer_epoch=epoch, base_sequence=sequence,
    )  # fmt: skip


def plain(*values: bytes) -> CheckedBatch:
    """A batch without a session."""
    return build_batch([NewRecord(value) for value in values])


def allocated(
    producer: int = 1,
    *,
    epoch: int = 0,
    expires_after_ms: int = EXPIRES_AFTER_MS,
    request: str = "",
) -> ProducerAllocated:
    return ProducerAllocated(producer, epoch, expires_after_ms, request)
