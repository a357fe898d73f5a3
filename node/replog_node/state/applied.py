"""Applied state: the fold of every committed entry so far, in order.

Applying never refuses: whatever is committed happened. Time is the entries' own; nothing else
enters, so two members at the same offset hold the same state (digest()).

Decides: what each record changes. Must not know: who leads, who asks.
Read next: producers.py, head.py.
"""

from hashlib import blake2b
from typing import assert_never

import msgspec

from replog.wire.batches import stamp_of
from replog_node.frames.decode import controls, data_batches
from replog_node.model.controls import (
    ClockAdvanced,
    ConfigurationChanged,
    Control,
    LogCreated,
    ProducerAllocated,
    ProducerFenced,
    TermStarted,
)
from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, Offset
from replog_node.state.producers import Session, begun, fenced, with_batch


class AppliedState:
    """Starts empty; apply() moves it.

    offset: the last one applied, -1 before any. last_record: the last *data* record, -1: none.
    log_time_ms: of the last entry. next_expiry_ms: log time before which no session ends; None
    without sessions.
    """

    def __init__(self) -> None:
        self.offset = Offset(-1)
        self.last_record = Offset(-1)
        self.log_time_ms = 0
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
            self._control(control, offset, time_ms)
        for batch in data_batches(entry):
            self._batch(batch, time_ms)
        self.offset = entry.last
        self.log_time_ms = time_ms
        # After its own batches: a session that is appended to isn't idle.
        self._expire()

    def _control(self, control: Control, offset: Offset, time_ms: int) -> None:
        match control:
            case LogCreated():
                self.cluster_id, self.lineage = control.cluster_id, control.lineage
            case ProducerAllocated():
                self._allocated(begun(control, offset, time_ms))
            case ProducerFenced():
                session = self.sessions.get(control.producer_id)
                if session is not None and session.epoch < control.epoch:
                    self.sessions[control.producer_id] = fenced(session, control.epoch)
            case TermStarted() | ConfigurationChanged() | ClockAdvanced():
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

    def digest(self) -> bytes:
        """16 bytes that are equal wherever the state is; next_expiry_ms is a bound, not state."""
        sessions = [self.sessions[key] for key in sorted(self.sessions)]
        state = (
            self.offset, self.last_record, self.log_time_ms, self.cluster_id, self.lineage,
            self.next_producer_id, sessions, sorted(self.by_request.items()),
        )  # fmt: skip
        return blake2b(msgspec.msgpack.encode(state), digest_size=16).digest()
