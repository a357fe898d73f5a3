"""Who keeps a fenced member silent: for as long as an operation, or a newer life of the log, does.

It stands between the connections and the driver, carries out what recovery asks of a member, and
looks at the lineage file each second. A fence comes down in memory first, so that nothing is
promised any more; then all that was on its way to the disk gets there, and the fence after it;
then the survey is told, and it stays true. Lifting a fence, and going on alone, begin at the node's
next start, which follows at once, in the same process.

Decides: the order of these. Must not know: what is refused and why, how a new life begins.
Read next: ../recovery/decisions.py, ../recovery/forcing.py, peers.py.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol, TypeVar

from msgspec.structs import replace

from replog.wire.problems import ApiError
from replog.wire.recovery import FenceRequest, ForceMembersRequest, Survey
from replog.wire.schemas import Done
from replog_node.adapters.doors import Notes
from replog_node.adapters.guard import OnFailure, guarded
from replog_node.adapters.lineage_file import Unclear, read_lineage
from replog_node.driver.driver import Driver
from replog_node.driver.messages import Message
from replog_node.driver.standing import Standing
from replog_node.model.positions import ClusterId, Lineage, MemberId
from replog_node.recovery.decisions import (
    already,
    configuration_offset_of,
    fenced,
    heard,
    held_back,
    order,
    refuse_fence,
    refuse_force,
    refuse_unfence,
    survey,
    unfenced,
)
from replog_node.recovery.record import Fence, Force
from replog_node.storage.errors import NoRoom
from replog_node.storage.store import Store

T = TypeVar("T")

LOOK_S: Final = 1.0
"""Between two looks at the lineage file."""

ANEW_S: Final = 0.2
"""From an answer to the start that it spoke of: the answer leaves first."""


class _By(Lineage, frozen=True):
    """What Driver.fence is told where it isn't another member's lineage: only its name is shown."""

    def __str__(self) -> str:
        return self.identity


class InOrder(Protocol):
    """The disk's writer (IoThread)."""

    def in_order(self, work: Callable[[], None]) -> None:
        """Do this after all writes that were asked for before."""


class Warden:
    """Peers' listener in the driver's place, and the service's part that recovery is."""

    def __init__(
        self,
        driver: Driver,
        store: Store,
        writer: InOrder,
        *,
        fence: Fence,
        save: Callable[[Fence], None],
        lineage_file: str,
        new_lineage_id: Callable[[], str],
        notes: Notes,
        on_failure: OnFailure,
        anew: Callable[[], None],
    ) -> None:
        """Call in the running event loop.

        fence: what the start found. save: makes one durable; called on the writer's thread. anew:
        lets the node end and start again.
        """
        self._driver = driver
        self._store = store
        self._writer = writer
        self._fence = fence
        self._save = save
        self._path = lineage_file
        self._new_lineage_id = new_lineage_id
        self._notes = notes
        self._on_failure = on_failure
        self._anew = anew
        self._in_force = 0
        self._unclear = ""
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()
        self.receive: Callable[[Message], None] = driver.receive
        self.peer_up: Callable[[MemberId], None] = driver.peer_up
        self.peer_down: Callable[[MemberId], None] = driver.peer_down
        self.peer_speaks: Callable[[MemberId, int], None] = driver.peer_speaks

    def begin(self) -> None:
        """Fence the member if it was, or must be; before the driver begins, and anybody hears."""
        self._look(_said_by(self._path))
        self._hold()

    def start(self) -> None:
        """Begin to look at the lineage file."""
        if self._path:
            self._beside(self._watch())

    async def close(self) -> None:
        """Look no more."""
        for task in tuple(self._tasks):
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError, ApiError):
                await task

    @property
    def why(self) -> str:
        """What holds this member back; "": nothing does."""
        return held_back(self._fence, self._driver.membership.lineage, self._in_force)

    # What connections tell, beside the driver's own.

    def fence(self, lineage: Lineage) -> None:
        """A newer life of the log exists: nothing is said in the old one, also after a restart."""
        self._driver.fence(lineage)
        if lineage.number > self._fence.heard:
            self._beside(self._hear(lineage.number))

    def adopt(self, cluster_id: ClusterId, lineage: Lineage, reply: Callable[[bool], None]) -> None:
        """Somebody takes this member in; not into a life of the log that is over."""
        if lineage.number < max(self._in_force, self._fence.heard):
            self._notes.note("warning", "adoption_refused", lineage=str(lineage))
            reply(False)
            return
        self._driver.adopt(cluster_id, lineage, reply)

    async def _hear(self, number: int) -> None:
        async with self._changing:
            try:
                await self._remember(heard(self._fence, number))
            except ApiError as problem:  # it holds until the next start, and is heard again then
                self._notes.note("warning", "fence_not_remembered", detail=problem)

    # What is asked.

    async def fence_for(self, request: FenceRequest, *, timeout_s: float) -> Survey:
        """See Service.fence."""
        self._check_belongs()
        return await self._within(self._fenced(request.operation), timeout_s)

    async def _fenced(self, operation: str) -> Survey:
        async with self._changing:
            _refuse(refuse_fence(self._fence, operation))
            if self._fence.operation != operation:
                self._notes.note("warning", "fencing", operation=operation)
                self._stop_taking_part(f"operation {operation}")
                known = self._driver.kernel.committed.offset
                try:
                    await self._remember(fenced(self._fence, operation, known))
                except ApiError:
                    self._start_anew("the fence could not be made durable")
                    raise
            return self.survey()

    async def unfence(self, request: FenceRequest, *, timeout_s: float) -> Done:
        """See Service.unfence."""
        return await self._within(self._unfenced(request.operation), timeout_s)

    async def _unfenced(self, operation: str) -> Done:
        async with self._changing:
            _refuse(refuse_unfence(self._fence, operation))
            if not self._fence.operation:
                return Done(done=True, detail="no operation fences this member")
            await self._remember(unfenced(self._fence))
            self._start_anew(f"the fence of {operation} is lifted")
            return Done(done=True, detail="the fence is lifted; the member starts anew")

    async def force_members(self, request: ForceMembersRequest, *, timeout_s: float) -> Done:
        """See Service.force_members."""
        return await self._within(self._forced(request), timeout_s)

    async def _forced(self, request: ForceMembersRequest) -> Done:
        async with self._changing:
            force = already(request, self._fence)
            if force is not None:
                return _goes_on(force)
            self._check_belongs()
            found = self.survey()
            _refuse(refuse_force(request, self._fence, found))
            force = order(request, found, self._new_lineage_id())
            await self._remember(replace(self._fence, force=force))
            self._start_anew(f"this member goes on alone in lineage {force.lineage}")
            return _goes_on(force)

    def survey(self) -> Survey:
        """See Service.survey."""
        membership, store = self._driver.membership, self._store
        if membership.cluster_id is None or membership.lineage is None:
            raise ApiError("unassigned", "this member belongs to no cluster yet")
        bounds = store.bounds()
        offset, configuration = bounds.configurations[-1] if bounds.configurations else (-1, None)
        snapshots = store.snapshots
        committed = [meta.position.offset for meta in snapshots[-1:]]
        starts = [meta.log_start for meta in snapshots[-1:]]
        return survey(
            member=store.recovered.member,
            fence=self._fence,
            cluster_id=membership.cluster_id,
            lineage=membership.lineage,
            term=store.hard_state.current_term,
            tail=store.tail,
            commit_offset=max(self._driver.kernel.committed.offset, *committed, -1),
            log_start_offset=max(self._driver.log_start, *starts, 0),
            configuration_offset=offset,
            configuration=configuration,
            whole=not store.holes and store.unproven is None,
        )

    def _check_belongs(self) -> None:
        if self._driver.membership.standing not in (Standing.MEMBER, Standing.FENCED):
            _refuse(self._driver.membership.refusal())

    # The fence.

    def _hold(self) -> None:
        why = self.why
        if why and self._driver.membership.standing is Standing.MEMBER:
            self._notes.note("warning", "held_back", why=why)
            self._stop_taking_part(why)

    def _stop_taking_part(self, by: str) -> None:
        guarded(self._on_failure, self._driver.fence, _By(0, by))

    def _start_anew(self, why: str) -> None:
        self._notes.note("warning", "starts_anew", why=why)
        self._loop.call_later(ANEW_S, self._anew)

    async def _remember(self, fence: Fence) -> None:
        """Make it durable, behind all writes before it; then it holds. Use within _changing."""
        if fence == self._fence:
            return
        written: asyncio.Future[None] = self._loop.create_future()

        def write() -> None:
            try:
                self._save(fence)
            except NoRoom as problem:
                refusal = ApiError("disk_full", f"the fence can't be written: {problem}")
                self._loop.call_soon_threadsafe(_settle, written, refusal)
            else:
                self._loop.call_soon_threadsafe(_settle, written, None)

        self._writer.in_order(write)
        await written
        self._fence = fence

    async def _within(self, work: Coroutine[Any, Any, T], limit_s: float) -> T:
        """Wait so long for it; it goes on without its caller."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._answered)
        done, _ = await asyncio.wait((task,), timeout=limit_s)
        if not done:
            raise ApiError("timeout", "what was on its way to the disk is not there yet; ask again")
        if task.cancelled():
            raise ApiError("shutting_down", "this member is stopping")
        return task.result()

    def _answered(self, task: "asyncio.Task[Any]") -> None:
        """Its caller has the result, or has left; only what nobody foresaw is of interest then."""
        self._tasks.discard(task)
        problem = None if task.cancelled() else task.exception()
        if problem is not None and not isinstance(problem, ApiError):
            self._on_failure(problem)

    # The lineage file.

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look(await asyncio.to_thread(_said_by, self._path))
            self._hold()

    def _look(self, said: "int | Unclear") -> None:
        """A file that says nothing clear changes nothing; one that names less isn't believed."""
        unclear = str(said) if isinstance(said, Unclear) else ""
        if unclear and unclear != self._unclear:
            self._notes.note("warning", "lineage_file_unclear", detail=unclear)
        self._unclear = unclear
        if isinstance(said, int):
            self._in_force = max(self._in_force, said)

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._answered)


def _said_by(path: str) -> "int | Unclear":
    try:
        return read_lineage(path)
    except Unclear as problem:
        return problem


def _refuse(refusal: ApiError | None) -> None:
    if refusal is not None:
        raise refusal


def _goes_on(force: Force) -> Done:
    detail = (
        f"the member goes on alone in lineage {force.lineage}, from offset {force.position.offset}"
    )
    return Done(done=True, detail=detail, offset=configuration_offset_of(force))


def _settle(written: "asyncio.Future[None]", refusal: ApiError | None) -> None:
    if written.done():
        return
    if refusal is None:
        written.set_result(None)
    else:
        written.set_exception(refusal)
