"""A Service in memory that keeps real entries, and can be told to wait, refuse and fail.

It commits at once, without Raft and without a disk; the integration tests use real nodes.
"""

import asyncio
from collections.abc import Callable, Sequence

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
    MemberStatus,
    PlannedStep,
    ProducerRequest,
    ProducerResolved,
    ProducerSession,
    SnapshotRequest,
    TargetPlan,
    TargetRequest,
    TransferRequest,
    Wait,
)
from replog_node.frames.build import build_entry
from replog_node.frames.chain import seed
from replog_node.frames.decode import data_batches, tail_of
from replog_node.model.controls import Control, TermStarted
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, ClusterId, MemberId, Offset, Term
from replog_node.web.service import Consistency, ReadView

MEMBER = "00000000-0000-4000-8000-000000000001"


class MemoryService:
    """What the tests see of it: `appends`, `held` (calls wait), `fault` (raised)."""

    def __init__(self) -> None:
        self.kept: list[Entry] = []
        self.appends: list[CheckedBatch] = []
        self.calls: list[object] = []
        self.views: list[Consistency] = []
        self.timeouts: list[float] = []
        self.held: asyncio.Event | None = None
        self.fault: Exception | None = None
        self.log_start = 0
        self.not_ready: dict[str, str] = {}
        self.dead: str | None = None
        self.asked_bytes: list[int] = []
        self.recorded = b"RLflight"
        self._grown = asyncio.Event()
        self._call = asyncio.Event()
        self._tail = Tail(ORIGIN, seed(ClusterId("c")), 0)

    @property
    def end_offset(self) -> int:
        """One more than the last offset."""
        return self._tail.position.offset + 1

    def put(self, *controls: Control, batch: CheckedBatch | None = None) -> Entry:
        """Commit an entry."""
        batches, records = ((batch.data,), batch.count) if batch else ((), 0)
        payload = Payload(controls, batches, records)
        entry = build_entry(payload, Term(1), self._tail, 1000)
        self.kept.append(entry)
        self._tail = tail_of(entry)
        self._grown.set()
        self._grown = asyncio.Event()
        return entry

    def put_control(self) -> Entry:
        """Commit an entry that readers skip."""
        return self.put(TermStarted(MemberId(MEMBER)))

    async def append(self, batch: CheckedBatch, *, timeout_s: float) -> Appended:
        """Commit the batch at once, after `held` if that is set."""
        self.appends.append(batch)
        self.timeouts += [timeout_s] * (batch.count - 1)  # values that came together, in one batch
        await self._called(timeout_s)
        entry = self.put(batch=batch)
        return Appended(entry.base, entry.last, batch.count, entry.term)

    @property
    def appended(self) -> int:
        """How many records were appended, in however many batches."""
        return sum(batch.count for batch in self.appends)

    def append_soon(
        self, batch: CheckedBatch, reply: Callable[[Appended | ApiError], None], *, timeout_s: float
    ) -> None:
        """As append."""
        task = asyncio.create_task(self.append(batch, timeout_s=timeout_s))
        task.add_done_callback(lambda done: reply(_result(done)))

    async def called(self, count: int) -> None:
        """Return once that many calls, or values in calls, have come."""
        while len(self.timeouts) < count:
            self._call.clear()
            await self._call.wait()

    async def _called(self, timeout_s: float) -> None:
        self.timeouts.append(timeout_s)
        self._call.set()
        if self.held is not None:
            await self.held.wait()
        if self.fault is not None:
            raise self.fault

    async def allocate_producer(
        self, request: ProducerRequest, *, timeout_s: float
    ) -> ProducerSession:
        """Always the same session, for as long as was asked for."""
        self.calls.append(request.request)
        await self._called(timeout_s)
        return ProducerSession(7, 0, request.expires_after_ms)

    async def view(self, consistency: Consistency, *, timeout_s: float) -> ReadView:
        """All that is kept."""
        self.views.append(consistency)
        await self._called(timeout_s)
        return ReadView(self.log_start, self.end_offset, 0 if consistency.linearizable else 12)

    async def offset_at_time(self, time_ms: int, view: ReadView) -> Offset:
        """Found by looking at each."""
        found = (entry.base for entry in self.kept if entry.append_time_ms >= time_ms)
        return Offset(max(next(found, view.end_offset), view.log_start_offset))

    async def entries(self, at: Offset, *, max_bytes: int) -> Sequence[Entry]:
        """Entries from `at` on, at least one, then while they fit."""
        self.asked_bytes.append(max_bytes)
        found: list[Entry] = []
        for entry in self.kept:
            if entry.last >= at and (not found or entry.size_bytes <= max_bytes):
                found.append(entry)
                max_bytes -= entry.size_bytes
            elif found:
                break
        return found

    async def wait_for_records(self, at: Offset, *, timeout_s: float) -> bool:
        """Wait for an entry with data that reaches `at`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        while not any(entry.last >= at and data_batches(entry) for entry in self.kept):
            left = deadline - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._grown.wait(), left)
            except TimeoutError:
                return False
        return True

    async def last_records_from(self, count: int, end_offset: int) -> Offset:
        """Counted, entry by entry, each of one batch at most."""
        at = end_offset
        for entry in reversed(self.kept):
            if count <= 0:
                break
            if data_batches(entry):
                at = max(entry.base, entry.last + 1 - count)
                count -= entry.last + 1 - at
        return Offset(at)

    async def log_info(self, consistency: Consistency, *, timeout_s: float) -> LogInfo:
        """Bounds."""
        self.calls.append(consistency)
        await self._called(timeout_s)
        return LogInfo("c", "1.x", self.log_start, self.end_offset, None, 1000)

    async def bootstrap(self, request: BootstrapRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(request, timeout_s)

    async def set_target(self, request: TargetRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(request, timeout_s)

    async def plan_target(self, request: TargetRequest, *, timeout_s: float) -> TargetPlan:
        """One step."""
        await self._admin(request, timeout_s)
        return TargetPlan([PlannedStep("target", [MEMBER], [], [])], 4, "nothing was changed")

    async def may_stop(self, member: str, *, timeout_s: float) -> MayStop:
        """The leader of one must not stop."""
        await self._admin(("may stop", member), timeout_s)
        return MayStop(member, False, ["the others are too few"], True, 0, "voter", True)

    async def transfer(self, request: TransferRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(request.to, timeout_s)

    async def raise_feature_level(self, request: LevelRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(("raise-feature-level", request.feature_level), timeout_s)

    async def trim(self, before: int, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(("trim", before), timeout_s)

    async def snapshot(self, _request: SnapshotRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin("snapshot", timeout_s)

    async def resolve_producer(
        self, producer_id: int, epoch: int, *, timeout_s: float
    ) -> ProducerResolved:
        """Two records were appended."""
        self.calls.append((producer_id, epoch))
        await self._called(timeout_s)
        return ProducerResolved(producer_id, epoch + 1, 1, 9)

    async def acknowledge_clock(self, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin("acknowledge_clock", timeout_s)

    async def fence(self, request: FenceRequest, *, timeout_s: float) -> Survey:
        """Always the same survey."""
        await self._admin(("fence", request.operation), timeout_s)
        return self.survey()

    async def unfence(self, request: FenceRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(("unfence", request.operation), timeout_s)

    async def force_members(self, request: ForceMembersRequest, *, timeout_s: float) -> Done:
        """Done."""
        return await self._admin(request, timeout_s)

    def survey(self) -> Survey:
        """Of a member that holds one entry."""
        return Survey(MEMBER, "", "c", "1.x", 1, 1, 1, 3, "00" * 16, 3, 0, 1, True, [MEMBER], [])

    async def _admin(self, call: object, timeout_s: float) -> Done:
        self.calls.append(call)
        await self._called(timeout_s)
        return Done(True, "done", 3)

    def status(self) -> ClusterStatus:
        """A leader of one."""
        return ClusterStatus(
            member=MEMBER, incarnation=1, state="member", cluster_id="c", lineage="1.x",
            role="leader", term=1, leader=MEMBER, leader_client_address="127.0.0.1:7401",
            commit_offset=self.end_offset - 1, applied_offset=self.end_offset - 1,
            durable_offset=self.end_offset - 1, last_offset=self.end_offset - 1,
            log_start_offset=self.log_start, configuration_offset=0, joint=False,
            members=[MemberStatus(MEMBER, "127.0.0.1:7411", "voter")], target=None,
            admitting=True, version="0", feature_level=1,
        )  # fmt: skip

    def waits(self) -> list[Wait]:
        """One, so that there is something to see."""
        return [Wait("NoLeader", "no leader", "wait", 1.5, "since term 3")]

    def ready(self, what: str) -> str | None:
        """What the test says."""
        return self.not_ready.get(what)

    def recording(self) -> bytes:
        return self.recorded

    def alive(self) -> str | None:
        """What the test says."""
        return self.dead


def _result(done: "asyncio.Task[Appended]") -> Appended | ApiError:
    error = done.exception()
    return error if isinstance(error, ApiError) else done.result()
