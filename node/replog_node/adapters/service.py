"""The driver for coroutines: each call becomes a future that the driver's reply resolves.

What arrives within one turn of the event loop is flushed together at its end, so that callers who
come together share an entry, a message and an fsync.

Decides: nothing but that. Must not know: HTTP, sockets.
Read next: ../web/service.py (the boundary that this implements), ../driver/driver.py.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import ceil, inf
from typing import Any, Final, ParamSpec, TypeVar

import msgspec

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
    TrimRequest,
    Wait,
)
from replog_node.adapters.counting import records_within
from replog_node.adapters.guard import OnFailure, guarded
from replog_node.adapters.warden import Warden
from replog_node.driver.calls import Plan, Request, Resolve, StopQuestion
from replog_node.driver.driver import Driver
from replog_node.driver.view import Consistency, ReadView
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset

T = TypeVar("T")
P = ParamSpec("P")

SCAN_BYTES = 1024 * 1024
"""How much is read at once to count records backwards."""


HANGS: Final = "it is connected, so its disk or its process hangs"
"""Said of a member that says nothing although the connection stands."""


class NodeService:
    """One node, as its HTTP listeners see it (web.service.Service)."""

    def __init__(
        self,
        driver: Driver,
        warden: Warden,
        *,
        version: str,
        client_addresses: Callable[[], Mapping[MemberId, str]],
        troubles: Callable[[], Mapping[MemberId, str]],
        on_failure: OnFailure,
    ) -> None:
        """on_failure: told of whatever a call of the driver raises; the node must end then."""
        self._on_failure = on_failure
        self._driver = driver
        self._warden = warden
        self._version = version
        self._client_addresses = client_addresses
        self._troubles = troubles
        self._loop = asyncio.get_running_loop()
        self._flush_due = False
        self.failed: str | None = None

    async def append(self, batch: CheckedBatch, *, timeout_s: float) -> Appended:
        """See Service.append."""
        answer: asyncio.Future[Appended] = self._loop.create_future()
        self.append_soon(batch, _resolve(answer), timeout_s=timeout_s)
        return await answer

    def append_soon(
        self, batch: CheckedBatch, reply: Callable[[Any], None], *, timeout_s: float
    ) -> None:
        """See Service.append_soon."""
        deadline_s = self._deadline_s(timeout_s)
        self._guarded(self._driver.append, batch, reply, deadline_s=deadline_s)
        self._flush_soon()

    async def allocate_producer(
        self, request: ProducerRequest, *, timeout_s: float
    ) -> ProducerSession:
        """See Service.allocate_producer."""
        answer: asyncio.Future[ProducerSession] = self._loop.create_future()
        return await self._call(request, answer, timeout_s)

    async def view(self, consistency: Consistency, *, timeout_s: float) -> ReadView:
        """See Service.view."""
        if consistency.bound_ms is not None:
            return await self._bounded(consistency.bound_ms, timeout_s)
        if consistency.linearizable:
            await self._confirmed(timeout_s)
            return self._view(0)
        self._check_membership()
        return self._view(self._driver.staleness_ms)

    async def _bounded(self, bound_ms: int, timeout_s: float) -> ReadView:
        """What was confirmed within the bound; asked for now, if need be and while it helps."""
        self._check_membership()
        if self._confirmation_age_ms() > bound_ms:
            try:
                await self._confirmed(min(timeout_s, bound_ms / 1000))
            except ApiError as refusal:
                if refusal.code != "read_unconfirmed":
                    raise
        age_ms = self._confirmation_age_ms()
        if age_ms > bound_ms:
            known = None if age_ms == inf else ceil(age_ms)
            detail = f"no quorum confirmed this member's view within the last {bound_ms} ms"
            raise ApiError("read_too_stale", detail, staleness_ms=known)
        return self._view(ceil(age_ms))

    def _confirmation_age_ms(self) -> float:
        """How long ago this member sent the question that was confirmed; inf: never."""
        confirmed_s = self._driver.confirmed_s
        if confirmed_s is None:
            return inf
        return (self._driver.clock.monotonic_s() - confirmed_s) * 1000

    async def _confirmed(self, timeout_s: float) -> None:
        """Let a quorum confirm what is applied here; raises ApiError read_unconfirmed."""
        answer: asyncio.Future[Offset] = self._loop.create_future()
        deadline_s = self._deadline_s(timeout_s)
        self._guarded(self._driver.read_index, _resolve(answer), deadline_s=deadline_s)
        self._flush_soon()
        await answer

    def _check_membership(self) -> None:
        refusal = self._driver.membership.refusal()
        if refusal is not None:
            raise refusal

    def _view(self, staleness_ms: int) -> ReadView:
        return ReadView(self._driver.log_start, self._driver.applied.offset + 1, staleness_ms)

    async def entries(self, at: Offset, *, max_bytes: int) -> Sequence[Entry]:
        """See Service.entries."""
        answer: asyncio.Future[tuple[Entry, ...]] = self._loop.create_future()
        self._guarded(self._driver.read_entries, at, max_bytes, _resolve(answer))
        return await answer

    async def wait_for_records(self, at: Offset, *, timeout_s: float) -> bool:
        """See Service.wait_for_records."""
        deadline_s = self._loop.time() + timeout_s
        while self._driver.applied.last_record < at:
            self._check_membership()
            if not await self._woken(deadline_s - self._loop.time()):
                return False
        return True

    async def _woken(self, timeout_s: float) -> bool:
        """Wait until more is applied or the standing changes; False when time is over."""
        woken: asyncio.Future[None] = self._loop.create_future()
        end_watch = self._driver.watch(lambda: _wake(woken))
        if end_watch is None:
            raise ApiError("overloaded", "too many callers wait for records")
        try:
            await asyncio.wait_for(woken, max(0.0, timeout_s))
        except TimeoutError:
            return False
        finally:
            end_watch()
        return True

    async def last_records_from(self, count: int, end_offset: int) -> Offset:
        """See Service.last_records_from. Control records are few, so few looks are needed."""
        log_start = self._driver.log_start
        start, found = end_offset, 0
        while found < count and start > log_start:
            wanted = max(log_start, start - (count - found))
            found += await self._records_between(wanted, start)
            start = wanted
        return Offset(start)

    async def _records_between(self, start: int, end: int) -> int:
        """How many data records lie in start <= offset < end."""
        total, at = 0, start
        while at < end:
            entries = await self.entries(Offset(at), max_bytes=SCAN_BYTES)
            if not entries:
                break
            total += sum(records_within(entry, start, end) for entry in entries)
            at = entries[-1].last + 1
        return total

    async def offset_at_time(self, time_ms: int, view: ReadView) -> Offset:
        """See Service.offset_at_time. Log time never falls, so halving finds it in few looks."""
        low, high = view.log_start_offset, view.end_offset
        while low < high:
            middle = (low + high) // 2
            entries = await self.entries(Offset(middle), max_bytes=1)
            if entries and entries[0].append_time_ms < time_ms:
                low = entries[0].last + 1
            else:
                high = min(middle, entries[0].base) if entries else middle
        return Offset(max(low, view.log_start_offset))

    async def log_info(self, consistency: Consistency, *, timeout_s: float) -> LogInfo:
        """See Service.log_info."""
        view = await self.view(consistency, timeout_s=timeout_s)
        last, snapshot = self._driver.applied.last_record, self._driver.snapshot
        return LogInfo(
            cluster_id=str(self._driver.membership.cluster_id),
            lineage=str(self._driver.membership.lineage),
            log_start_offset=view.log_start_offset,
            end_offset=view.end_offset,
            last_record_offset=None if last < 0 else last,
            log_time_ms=self._driver.applied.log_time_ms,
            snapshot_offset=None if snapshot is None else snapshot.position.offset,
        )

    async def bootstrap(self, request: BootstrapRequest, *, timeout_s: float) -> Done:
        """See Service.bootstrap."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        self._guarded(self._driver.bootstrap, request, _resolve(answer))
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as problem:
            raise ApiError("timeout", "the founding is not durable yet; ask again") from problem

    async def set_target(self, request: TargetRequest, *, timeout_s: float) -> Done:
        """See Service.set_target."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        return await self._call(request, answer, timeout_s)

    async def plan_target(self, request: TargetRequest, *, timeout_s: float) -> TargetPlan:
        """See Service.plan_target."""
        answer: asyncio.Future[TargetPlan] = self._loop.create_future()
        return await self._call(Plan(request), answer, timeout_s)

    async def may_stop(self, member: str, *, timeout_s: float) -> MayStop:
        """See Service.may_stop."""
        answer: asyncio.Future[MayStop] = self._loop.create_future()
        return await self._call(StopQuestion(member), answer, timeout_s)

    async def transfer(self, request: TransferRequest, *, timeout_s: float) -> Done:
        """See Service.transfer."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        return await self._call(request, answer, timeout_s)

    async def raise_feature_level(self, request: LevelRequest, *, timeout_s: float) -> Done:
        """See Service.raise_feature_level."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        return await self._call(request, answer, timeout_s)

    async def trim(self, before: int, *, timeout_s: float) -> Done:
        """See Service.trim."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        return await self._call(TrimRequest(before), answer, timeout_s)

    async def snapshot(self, request: SnapshotRequest, *, timeout_s: float) -> Done:
        """See Service.snapshot."""
        answer: asyncio.Future[Done] = self._loop.create_future()
        return await self._call(request, answer, timeout_s)

    async def resolve_producer(
        self, producer_id: int, epoch: int, *, timeout_s: float
    ) -> ProducerResolved:
        """See Service.resolve_producer."""
        answer: asyncio.Future[ProducerResolved] = self._loop.create_future()
        return await self._call(Resolve(producer_id, epoch), answer, timeout_s)

    async def _call(
        self,
        request: Request,
        answer: "asyncio.Future[T]",
        timeout_s: float,
    ) -> T:
        deadline_s = self._deadline_s(timeout_s)
        self._guarded(self._driver.call, request, _resolve(answer), deadline_s=deadline_s)
        return await answer

    async def acknowledge_clock(self, *, timeout_s: float) -> Done:
        """See Service.acknowledge_clock."""
        self._guarded(self._driver.acknowledge_clock)
        return Done(done=True, detail="this member believes its clock")

    async def fence(self, request: FenceRequest, *, timeout_s: float) -> Survey:
        """See Service.fence."""
        return await self._warden.fence_for(request, timeout_s=timeout_s)

    async def unfence(self, request: FenceRequest, *, timeout_s: float) -> Done:
        """See Service.unfence."""
        return await self._warden.unfence(request, timeout_s=timeout_s)

    async def force_members(self, request: ForceMembersRequest, *, timeout_s: float) -> Done:
        """See Service.force_members."""
        return await self._warden.force_members(request, timeout_s=timeout_s)

    def survey(self) -> Survey:
        """See Service.survey."""
        return self._warden.survey()

    def status(self) -> ClusterStatus:
        """See Service.status."""
        return self._driver.status(self._version, self._client_addresses())

    def waits(self) -> list[Wait]:
        """See Service.waits. Beside a member's id stands what its connection suffers from."""
        troubles, why = self._troubles(), self._warden.why
        return [_explained(wait, troubles, why) for wait in self._driver.waits()]

    def ready(self, what: str) -> str | None:
        """See Service.ready."""
        return self._driver.ready(what)

    def recording(self) -> bytes:
        """See Service.recording."""
        return self._driver.recording(build=self._version, why="asked")

    def alive(self) -> str | None:
        """See Service.alive."""
        return self.failed

    def _deadline_s(self, timeout_s: float) -> float:
        return self._driver.clock.monotonic_s() + timeout_s

    def _flush_soon(self) -> None:
        if not self._flush_due:
            self._flush_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self._guarded(self._driver.flush)

    def _guarded(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call the driver; what it raises ends the node, for it can't be asked again."""
        guarded(self._on_failure, call, *args, **kwargs)


def _explained(wait: Wait, troubles: Mapping[MemberId, str], held_back: str) -> Wait:
    evidence = wait.evidence
    if wait.code == "Fenced":
        evidence = held_back or evidence
    if wait.code == "PeerUnreachable":
        silent = evidence.split(", ")
        evidence = ", ".join(m if m in troubles else f"{m} ({HANGS})" for m in silent)
    for member, trouble in troubles.items():
        evidence = evidence.replace(member, f"{member} ({trouble})")
    return msgspec.structs.replace(wait, evidence=evidence)


def _resolve(answer: "asyncio.Future[T]") -> Callable[[Any], None]:
    """The driver's reply as the future's result; a caller who left hears nothing."""

    def reply(result: Any) -> None:
        if answer.done():
            return
        if isinstance(result, ApiError):
            answer.set_exception(result)
        else:
            answer.set_result(result)

    return reply


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)
