"""A log in memory that keeps batches and sequences as docs/api.md says."""

from struct import pack_into

from replog.wire.batches import CheckedBatch, records_of, stamp_of
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, TargetStatus, Wait


class Log:
    """What the members of a test share. hide: control offsets are left between batches.

    expires_after_ms: of sessions; None: as asked for.
    """

    def __init__(self) -> None:
        self.batches: list[bytes] = []
        self.end = 0
        self.expected: dict[int, int] = {}
        self.done: dict[tuple[int, int], Appended] = {}
        self.expires_after_ms: int | None = None
        self.asked_ms: list[int] = []
        self.append_takes_s = 0.0
        self.under_way_most = 0
        self.waits: list[Wait] = []
        self.target: TargetStatus | None = None

    @property
    def values(self) -> list[bytes | None]:
        """All records' values, in order."""
        return [record.value for batch in self.batches for record in records_of(batch)]

    @property
    def by_offset(self) -> dict[int, bytes | None]:
        """All records' values by their offsets."""
        return {
            record.offset: record.value for batch in self.batches for record in records_of(batch)
        }

    def append(self, batch: CheckedBatch) -> Appended:
        """Append, once for each sequence of a session."""
        if batch.producer_id < 0:
            return self._append(batch)
        done = self.done.get((batch.producer_id, batch.base_sequence))
        if done is not None:
            return Appended(done.base_offset, done.last_offset, done.count, done.term, True)
        expected = self.expected.get(batch.producer_id)
        if expected is None:
            raise ApiError("producer_unknown", "never heard of it")
        if batch.base_sequence != expected:
            raise ApiError("sequence_gap", f"{expected} is expected", expected=expected)
        appended = self._append(batch)
        self.expected[batch.producer_id] = expected + batch.count
        self.done[batch.producer_id, batch.base_sequence] = appended
        return appended

    def _append(self, batch: CheckedBatch) -> Appended:
        self.end += 1  # an offset that no reader sees, as control records take them
        stored = bytearray(batch.data)
        pack_into(">q", stored, 0, self.end)
        self.batches.append(bytes(stored))
        base, self.end = self.end, self.end + batch.count
        return Appended(base, self.end - 1, batch.count, 3)

    def start_of(self, text: str) -> int:
        """The offset that `from` names."""
        if text.startswith("tail:"):
            offsets = [record.offset for batch in self.batches for record in records_of(batch)]
            left = offsets[max(0, len(offsets) - int(text.removeprefix("tail:"))) :]
            return left[0] if left else self.end
        start = {"earliest": 0, "latest": self.end}.get(text)
        start = int(text) if start is None else start
        if start > self.end:
            raise ApiError("offset_out_of_range", f"the end is {self.end}", end_offset=self.end)
        return start

    def page(self, start: int, limit: int) -> tuple[list[bytes], int]:
        """Whole batches that hold at least `limit` records from `start` on, and where to go on."""
        found: list[bytes] = []
        for batch in self.batches:
            stamp = stamp_of(batch)
            last = stamp.base_offset + stamp.records - 1
            if last < start or limit <= 0:
                continue
            found.append(batch)
            limit -= last - max(start, stamp.base_offset) + 1
            next_offset = last + 1
        return found, next_offset if found else max(start, self.end)
