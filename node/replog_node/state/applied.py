"""Applied state: the fold of every committed entry so far, in order.

Applying never refuses: whatever is committed happened. Time is the entries' own; nothing else
enters, so two members at the same offset hold the same state (digest()).

Decides: what each record changes. Must not know: who leads, who asks.
Read next: producers.py, head.py.
"""

from hashlib import blake2b
from typing import Self, assert_never

from replog.wire.batches import stamp_of
from replog_node.frames.decode import controls, data_batches, tail_of
from replog_node.model.configuration import Configuration
from replog_node.model.controls import (
    ClockAdvanced,
    ConfigurationChanged,
    Control,
    LogCreated,
    LogTrimmed,
    ProducerAllocated,
    ProducerFenced,
    SnapshotPoint,
    TermStarted,
)
from replog_node.model.entries import Entry, Tail
from replog_node.model.positions import ClusterId, Lineage, Offset
from replog_node.state.image import LogPart, ProducersPart, decode_image, encode_image
from replog_node.state.producers import Session, begun, fenced, with_batch


class AppliedState:
    """Starts empty; apply() moves it.

    offset: the last one applied, -1 before any. last_record: the last *data* record, -1: none.
    tail: what the entry after `offset` builds upon; log_time_ms: of the last entry. log_start: the
    first retained offset. configuration: the last one applied, configuration_offset: of its record.
    point: the end of the entry with the last SnapshotPoint, -1 without one; bytes_since_point: of
    entries after it. next_expiry_ms: log time before which no session ends; None without sessions.
    """

    def __init__(self) -> None:
        self.offset = Offset(-1)
        self.last_record = Offset(-1)
        self.log_time_ms = 0
        self.tail: Tail | None = None
        self.log_start = Offset(0)
        self.configuration: Configuration | None = None
        self.configuration_offset = Offset(-1)
        self.point = Offset(-1)
        self.bytes_since_point = 0
        self.cluster_id: ClusterId | None = None
        self.lineage: Lineage | None = None
        self.next_producer_id = 1
        self.sessions: dict[int, Session] = {}
        self.by_request: dict[str, int] = {}
        self.next_expiry_ms: int | None = None

    def apply(self, entry: Entry) -> None:
        """Fold one more entry, the one right after `offset`.

        Raises UnknownControl for a record that this build doesn't know: applying must stop.
        """
        if entry.base != self.offset + 1:
            raise ValueError(f"the entry at {entry.base} doesn't follow {self.offset}")
        time_ms = entry.append_time_ms
        for offset, control in controls(entry):
            self._control(control, offset, entry)
        for batch in data_batches(entry):
            self._batch(batch, time_ms)
        self.offset = entry.last
        self.log_time_ms = time_ms
        self.tail = tail_of(entry)
        after_point = self.point != entry.last
        self.bytes_since_point = after_point * (self.bytes_since_point + entry.size_bytes)
        # After its own batches: a session that is appended to isn't idle.
        self._expire()

    def _control(self, control: Control, offset: Offset, entry: Entry) -> None:
        match control:
            case LogCreated():
                self.cluster_id, self.lineage = control.cluster_id, control.lineage
            case ProducerAllocated():
                self._allocated(begun(control, offset, entry.append_time_ms))
            case ProducerFenced():
                session = self.sessions.get(control.producer_id)
                if session is not None and session.epoch < control.epoch:
                    self.sessions[control.producer_id] = fenced(
                        session, control.epoch, offset, entry.append_time_ms
                    )
            case ConfigurationChanged():
                # Of the entry's end, as the core knows it, not of the record.
                self.configuration, self.configuration_offset = control.configuration, entry.last
            case SnapshotPoint():
                self.point = entry.last
            case LogTrimmed():
                # Whoever proposed it checked it; a fold never looks beyond what it has folded.
                self.log_start = Offset(max(self.log_start, min(control.log_start, entry.base)))
            case TermStarted() | ClockAdvanced():
                pass
            case _:
                assert_never(control)

    def _allocated(self, session: Session) -> None:
        self.sessions[session.producer_id] = session
        self.next_producer_id = max(self.next_producer_id, session.producer_id + 1)
        if session.request:
            self.by_request[session.request] = session.producer_id
        if self.next_expiry_ms is None or session.expires_ms < self.next_expiry_ms:
            self.next_expiry_ms = session.expires_ms

    def _batch(self, batch: memoryview, time_ms: int) -> None:
        stamp = stamp_of(batch)
        base = Offset(stamp.base_offset)
        self.last_record = Offset(base + stamp.records - 1)
        session = self.sessions.get(stamp.producer_id)
        if session is not None and session.epoch == stamp.producer_epoch:
            self.sessions[stamp.producer_id] = with_batch(session, stamp, base, time_ms)

    def _expire(self) -> None:
        """Forget sessions whose time is over. Their expiry only ever moves back, so the earliest
        that was seen is a bound, and looking at all of them is rare."""
        if self.next_expiry_ms is None or self.log_time_ms <= self.next_expiry_ms:
            return
        for producer_id, session in list(self.sessions.items()):
            if session.expires_ms < self.log_time_ms:
                del self.sessions[producer_id]
                if self.by_request.get(session.request) == producer_id:
                    del self.by_request[session.request]
        left = [session.expires_ms for session in self.sessions.values()]
        self.next_expiry_ms = min(left) if left else None

    def encode(self) -> bytes:
        """The whole state as bytes, equal wherever the state is (state/image.py).

        next_expiry_ms is a bound, not state.
        """
        return encode_image(
            LogPart(
                self.offset, self.last_record, self.log_time_ms, self.tail, self.cluster_id,
                self.lineage, self.log_start, self.configuration, self.configuration_offset,
                self.point, self.bytes_since_point,
            ),
            ProducersPart(
                self.next_producer_id,
                tuple(self.sessions[key] for key in sorted(self.sessions)),
                tuple(sorted(self.by_request.items())),
            ),
        )  # fmt: skip

    def load(self, image: bytes) -> None:
        """Become the state that these bytes are; raises StateDamaged, StateUnknown."""
        log, producers = decode_image(image)
        self.offset, self.last_record = log.offset, log.last_record
        self.log_time_ms, self.tail = log.log_time_ms, log.tail
        self.cluster_id, self.lineage = log.cluster_id, log.lineage
        self.log_start = log.log_start
        self.configuration = log.configuration
        self.configuration_offset = log.configuration_offset
        self.point, self.bytes_since_point = log.point, log.bytes_since_point
        self.next_producer_id = producers.next_producer_id
        self.sessions = {session.producer_id: session for session in producers.sessions}
        self.by_request = dict(producers.by_request)
        self.next_expiry_ms = min((s.expires_ms for s in producers.sessions), default=None)

    @classmethod
    def decode(cls, image: bytes) -> Self:
        """The state that these bytes are; raises StateDamaged, StateUnknown."""
        state = cls()
        state.load(image)
        return state

    def digest(self) -> bytes:
        """16 bytes that are equal wherever the state is."""
        return blake2b(self.encode(), digest_size=16).digest()
