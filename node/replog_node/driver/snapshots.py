"""A member's snapshots: built where the log says so, compared, and what they make releasable.

One is built at a time, at the newest snapshot point that is applied and durable here; a point that
was overtaken by a later one is passed over. When it is built, the leader hears its digest: equal
offsets must have equal states. Where a trim leaves segments that no snapshot makes releasable (a
burst passed over points), one more is built right below the log start.

Decides: when to build and to release. Must not know: how one is built or stored, transfers.
Read next: building.py, fetching.py, ../storage/snapshots.py.
"""

from typing import Final

from replog_node.driver.kernel import Kernel
from replog_node.driver.messages import SnapshotReport
from replog_node.driver.ports import ObserverPort, StoragePort
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId, Offset, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.events import SnapshotKept
from replog_node.state.applied import AppliedState

STAGGER_TICKS: Final = 10
"""Between two members' builds at one point: a quorum's disks are never busy with it at once."""

RETRY_TICKS: Final = 40
FAILURES_MOST: Final = 8
"""After a build came to nothing: twice as long each time, from four seconds with the default tick
to about ten minutes. A new snapshot point begins anew."""

SNAPSHOT_BUILT: Final = "snapshot_built"
"""The event of a snapshot that is built and durable."""

SEGMENTS_KEPT_MOST = 2
"""Whole trimmed segments that wait for the next snapshot point; more are worth one of their own."""

DIGESTS_MAX = 16
"""Snapshot digests remembered, of this member and others; the oldest offset is forgotten first."""


class Snapshots:
    """What is to be built, and what was."""

    def __init__(
        self, kernel: Kernel, applied: AppliedState, storage: StoragePort, observer: ObserverPort
    ) -> None:
        self._kernel = kernel
        self._applied = applied
        self._storage = storage
        self._observer = observer
        self._due: tuple[Position, int] | None = None
        self._building: Position | None = None
        self._pause_ticks = 0
        self._failures = 0
        self._released_to = Offset(0)
        self._base_for = Offset(0)
        self.comparison = Comparison(observer)
        self.newest: SnapshotMeta | None = None

    def point(self, position: Position) -> None:
        """A snapshot point was applied: build there, once it is durable here."""
        if self.newest is None or position.offset > self.newest.position.offset:
            self._due = (position, self._kernel.ticket)
            self._failures = 0
            self._pause_ticks = self._place() * STAGGER_TICKS

    def _place(self) -> int:
        """Which of the members this one is, by id."""
        configuration = self._kernel.configuration()
        ids = [] if configuration is None else [m.id for m in configuration.members]
        return ids.index(self._kernel.member) if self._kernel.member in ids else 0

    def settle(self) -> None:
        """Build and release what is due."""
        if self._due is not None and self._building is None and not self._pause_ticks:
            position, ticket = self._due
            if self._kernel.persisted_ticket >= ticket:
                self._building = position
                self._storage.build(position)
        if self._applied.log_start > self._released_to and self._kernel.core is not None:
            self._released_to = self._applied.log_start
            self._storage.release(self._applied.log_start)

    def tick(self) -> None:
        """Let a pause pass."""
        self._pause_ticks = max(0, self._pause_ticks - 1)

    def built(self, snapshot: SnapshotMeta | None) -> None:
        """A build has ended: here is the snapshot, durable, or it came to nothing."""
        position, self._building = self._building, None
        self._failures = 0 if snapshot is not None else self._failures
        if snapshot is None:
            self._failures = min(self._failures + 1, FAILURES_MOST)
            self._pause_ticks = RETRY_TICKS << self._failures
            self._observer.note("warning", "snapshot_not_built", at=position)
            return
        if self._due is not None and position is not None and self._due[0] <= position:
            self._due = None
        if self.newest is None or self.newest.position.offset < snapshot.position.offset:
            self._kept(snapshot)
        self._observer.note(
            "info", SNAPSHOT_BUILT, offset=snapshot.position.offset,
            size_bytes=snapshot.size_bytes, digest=snapshot.digest.hex(),
        )  # fmt: skip
        self._storage.release(self._applied.log_start)
        self._report(snapshot)

    def dropped(self, snapshot: SnapshotMeta) -> None:
        """A damaged one is gone: build it again from an older one and the log, if that can be."""
        if self._due is None and self._building is None:
            self._due = (snapshot.position, self._kernel.ticket)

    def installed(self, snapshot: SnapshotMeta) -> None:
        """The log began anew at this one."""
        self._due = None
        self._kept(snapshot)

    def _kept(self, snapshot: SnapshotMeta) -> None:
        self.newest = snapshot
        self.comparison.note(self._kernel.member, snapshot.position.offset, snapshot.digest)

    def released(self, base: SnapshotMeta | None, start: Position) -> None:
        """The storage has released what isn't needed; base: what others begin with from now on."""
        if base is not None and self._kernel.core is not None:
            self._kernel.run(SnapshotKept(base, start))
        self._build_base(start.offset if base is None else base.position.offset)

    def _build_base(self, base: Offset) -> None:
        """Build one below the log start if that lets go of segments; once for each log start."""
        log_start = self._applied.log_start
        if log_start <= self._base_for or self._due is not None or self._building is not None:
            return
        kept = [s for s in self._storage.segments() if base < s.last < log_start]
        term = self._kernel.term_at(Offset(log_start - 1))
        if len(kept) >= SEGMENTS_KEPT_MOST and term is not None:
            self._base_for = log_start
            self._due = (Position(term, Offset(log_start - 1)), self._kernel.ticket)

    def _report(self, snapshot: SnapshotMeta) -> None:
        """Tell the leader, which compares."""
        leader = self._kernel.leader
        if leader is None or leader == self._kernel.member:
            return
        report = SnapshotReport(
            self._kernel.member, leader, self._kernel.incarnation,
            snapshot.position.offset, snapshot.digest,
        )  # fmt: skip
        self._kernel.network.send(leader, encode(report), bulk=False)

    def reported(self, report: SnapshotReport) -> None:
        """Another member has built one."""
        self.comparison.note(report.sender, Offset(report.offset), report.digest)


class Comparison:
    """Digests of snapshots at equal offsets, by member. A difference is never forgotten."""

    def __init__(self, observer: ObserverPort) -> None:
        self._observer = observer
        self._digests: dict[Offset, dict[MemberId, bytes]] = {}
        self.diverged: dict[MemberId, Offset] = {}

    def note(self, member: MemberId, offset: Offset, digest: bytes) -> None:
        """Compare with what is known of this offset."""
        known = self._digests.setdefault(offset, {})
        others = [other for other, its in known.items() if its != digest and other != member]
        known[member] = digest
        while len(self._digests) > DIGESTS_MAX:
            del self._digests[min(self._digests)]
        for other in others:
            if other not in self.diverged or member not in self.diverged:
                self._observer.note(
                    "error", "state_diverged", offset=offset, members=f"{member}, {other}"
                )
            self.diverged[other] = self.diverged[member] = offset
