"""What the routes need of a node; adapters/service.py has it.

Decides: the boundary between HTTP and the driver: prepared batches in, offsets out.
Every call may raise replog.wire.problems.ApiError, whose row in codes.py gives status and outcome.
Must not know: HTTP, the core.
Read next: client_routes.py.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.recovery import FenceRequest, ForceMembersRequest, Survey
from replog.wire.schemas import (
    Appended,
    BootstrapRequest,
    ClusterStatus,
    Done,
    LevelRequest,
    LogInfo,
    MayStop,
    ProducerRequest,
    ProducerResolved,
    ProducerSession,
    SnapshotRequest,
    TargetPlan,
    TargetRequest,
    TransferRequest,
    Wait,
)
from replog_node.driver.view import LINEARIZABLE, LOCAL, Consistency, ReadView
from replog_node.model.entries import Entry
from replog_node.model.positions import Offset


class Service(Protocol):
    """One node, as its HTTP listeners see it."""

    async def append(self, batch: CheckedBatch, *, timeout_s: float) -> Appended:
        """Append one batch, here or through the leader; returns after commit."""

    def append_soon(
        self, batch: CheckedBatch, reply: Callable[[Appended | ApiError], None], *, timeout_s: float
    ) -> None:
        """As `append`, without a task: `reply` hears once what became of it, maybe at once."""

    async def allocate_producer(
        self, request: ProducerRequest, *, timeout_s: float
    ) -> ProducerSession:
        """Begin a producer session, here or through the leader; returns after commit."""

    async def view(self, consistency: Consistency, *, timeout_s: float) -> ReadView:
        """Find what may be read; raises read_unconfirmed, read_too_stale if it can't be shown."""

    async def offset_at_time(self, time_ms: int, view: ReadView) -> Offset:
        """The first offset of the view that was appended at this log time or later, or its end."""

    async def entries(self, at: Offset, *, max_bytes: int) -> Sequence[Entry]:
        """Verified committed entries from the one that contains `at` on; empty at the end.

        At least one entry if there is any, however large, then while they fit in max_bytes.
        """

    async def wait_for_records(self, at: Offset, *, timeout_s: float) -> bool:
        """Wait until a *data* record from `at` on is committed here; False when time is over."""

    async def last_records_from(self, count: int, end_offset: int) -> Offset:
        """The offset from which on `count` data records lie below end_offset (or the log start)."""

    async def log_info(self, consistency: Consistency, *, timeout_s: float) -> LogInfo:
        """Bounds of the log."""

    async def bootstrap(self, request: BootstrapRequest, *, timeout_s: float) -> Done:
        """Found a cluster of this one member."""

    async def set_target(self, request: TargetRequest, *, timeout_s: float) -> Done:
        """Commit a new target, here or through the leader."""

    async def plan_target(self, request: TargetRequest, *, timeout_s: float) -> TargetPlan:
        """What the leader would do about a target; nothing is changed."""

    async def may_stop(self, member: str, *, timeout_s: float) -> MayStop:
        """What the leader thinks of stopping a member now; raises unknown_member."""

    async def transfer(self, request: TransferRequest, *, timeout_s: float) -> Done:
        """Hand leadership over, here or through the leader."""

    async def raise_feature_level(self, request: LevelRequest, *, timeout_s: float) -> Done:
        """Raise the feature level, here or through the leader; returns after commit."""

    async def trim(self, before: int, *, timeout_s: float) -> Done:
        """Give up the records below `before`, here or through the leader; returns after commit."""

    async def snapshot(self, request: SnapshotRequest, *, timeout_s: float) -> Done:
        """Let every member build a snapshot at one offset; returns once that is committed."""

    async def resolve_producer(
        self, producer_id: int, epoch: int, *, timeout_s: float
    ) -> ProducerResolved:
        """Fence an epoch of a producer and tell what was appended in it; returns after commit."""

    async def acknowledge_clock(self, *, timeout_s: float) -> Done:
        """Believe this member's clock though it leapt; nothing, where it did not."""

    async def fence(self, request: FenceRequest, *, timeout_s: float) -> Survey:
        """Keep this member from all it does in its log, durably; then what it has."""

    async def unfence(self, request: FenceRequest, *, timeout_s: float) -> Done:
        """Lift that fence; the node starts anew, and takes part again."""

    async def force_members(self, request: ForceMembersRequest, *, timeout_s: float) -> Done:
        """Let this fenced member go on alone, in the log's next lineage; the node starts anew."""

    def survey(self) -> Survey:
        """What this member has, without asking anybody; raises unassigned."""

    def status(self) -> ClusterStatus:
        """What this member knows, without asking anybody."""

    def waits(self) -> list[Wait]:
        """What this member waits for, worst first."""

    def ready(self, what: str) -> str | None:
        """None when it can serve "read" or "write"; else the code of the wait that hinders it."""

    def recording(self) -> bytes:
        """What the flight recorder holds (driver/flight.py)."""

    def alive(self) -> str | None:
        """None while a restart would not help; else why it would (livez)."""


__all__ = ["LINEARIZABLE", "LOCAL", "Consistency", "ReadView", "Service"]
