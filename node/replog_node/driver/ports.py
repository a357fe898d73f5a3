"""The ports: how the driver reaches disk, network, time and chance. Nothing else of it does.

Decides: what an adapter must do. The real ones are in ../adapters, the simulated ones in
tests/simulation. All calls return at once; answers come as calls of the driver.
Must not know: asyncio, threads, sockets, files.
Read next: driver.py.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from replog_node.model.entries import Entry
from replog_node.model.positions import ClusterId, Lineage, MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import InstallSnapshot, Persist
from replog_node.storage.store import SegmentInfo
from replog_node.storage.summary import Hole


class StoragePort(Protocol):
    """The store behind a queue (storage/store.py), carried out in order by one thread."""

    def write(self, persist: Persist) -> None:
        """Queue a write; those that wait together are one block. -> driver.on_persisted(ticket)."""

    def read(self, request: int, at: Offset, max_bytes: int) -> None:
        """Read entries from the one that contains `at` on: at least one, then while they fit.

        -> driver.on_read(request, entries), None if they can't be read (log end, trimmed).
        May overtake queued writes; entries not yet written are not found.
        """

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        """Make the assignment to a cluster durable (Store.assign). -> driver.on_assigned()."""

    def install(self, effect: InstallSnapshot) -> None:
        """Let the log begin anew at a fetched snapshot, in order with the writes (Store.install).

        -> driver.on_persisted(effect.ticket).
        """

    def segments(self) -> Sequence[SegmentInfo]:
        """What there is of the log on disk, ascending; nothing is read for it."""

    def release(self, log_start: Offset) -> None:
        """Let go of what no retained entry needs, in order with the writes (Store.release).

        -> driver.on_released(base, start).
        """

    def build(self, up_to: Position) -> None:
        """Build the snapshot at the last entry end up to here; one at a time.

        up_to: committed and durable.

        -> driver.on_built(snapshot), durable; None if it came to nothing.
        """

    def part(self, snapshot: SnapshotMeta, at: int, data: bytes) -> None:
        """Add bytes of a snapshot that is fetched, or none to hear how many there are.

        -> driver.on_part(snapshot, size, state): bytes that there are; the state once the snapshot
        is whole, proven and durable as a file.
        """

    def read_chunk(
        self, request: int, offset: Offset, digest: bytes, at: int, max_bytes: int
    ) -> None:
        """Read bytes of a snapshot's file. -> driver.on_chunk(request, data), None: not here."""

    def repair(self, hole: Hole, entries: tuple[Entry, ...]) -> None:
        """Fill the front of a hole, or all of it (Store.repair). -> driver.on_damage(damage).

        It is called whatever came of it; and by itself, when a read or the scrub finds damage.
        """

    def park(self) -> None:
        """Make it durable that this member was removed (Store.park). No answer is needed."""


class NetworkPort(Protocol):
    """Messages to other members: best effort, in order on each of the two channels."""

    def send(self, to: MemberId, message: bytes, *, bulk: bool, news: bool | None = None) -> bool:
        """Queue an encoded message; False, and surely not sent, when that can't be done now.

        It can't when the member is not connected or its queue is full. True promises nothing.

        news: True for a message that may wait a moment (bulk), and is lost without harm when one
        with False follows, which says as much and more.
        """

    def connect(self, peers: Mapping[MemberId, str]) -> None:
        """Keep connections to exactly these members (id -> address), besides accepted ones."""


class ClockPort(Protocol):
    """Time."""

    def wall_ms(self) -> int:
        """The wall clock, ms since 1970."""

    def monotonic_s(self) -> float:
        """Seconds of a clock that never goes back."""


class ObserverPort(Protocol):
    """Told what happens, for metrics and logs; decides nothing."""

    def committed(self, batches: int, records: int, size_bytes: int, waited_s: float) -> None:
        """Appends of this member's callers are committed."""

    def duplicate(self) -> None:
        """A batch was answered as a repeat."""

    def forwarded(self, batches: int) -> None:
        """Batches were sent on to the leader."""

    def grouped(self, records: int) -> None:
        """An entry with so many records was made here."""

    def role(self, role: str, term: int, leader: MemberId | None) -> None:
        """This member's role, term or leader changed."""

    def note(self, level: str, event: str, **fields: object) -> None:
        """Something worth a line in the log. level: debug | info | warning | error."""
