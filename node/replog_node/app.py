"""One node: its parts made, joined, started, and ended in the right order.

Starting: the disk, the store, the threads, the driver, the connections to others, the listeners:
nobody is answered before everything is there, and no hello says less than is so. Ending: hand
over, drain, hang up, then the disk.

Decides: that order, and the exit codes. Must not know: what the parts do.
Read next: settings.py, driver/driver.py, adapters/, web/app.py.
"""

import asyncio
import os
import secrets
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from aiohttp import web

from replog.logs import Log, configure
from replog_node.adapters import flights
from replog_node.adapters.builder import HelperProcess
from replog_node.adapters.clock import SystemClock, Ticker
from replog_node.adapters.descriptors import raise_descriptor_limit
from replog_node.adapters.io_thread import IoThread
from replog_node.adapters.observer import Observer
from replog_node.adapters.peers import Belonging, Myself, Peers
from replog_node.adapters.service import NodeService
from replog_node.adapters.warden import Warden
from replog_node.driver.driver import Driver
from replog_node.driver.limits import DriverLimits
from replog_node.driver.ports import ClockPort
from replog_node.metrics import NodeMetrics
from replog_node.model.features import FEATURE_LEVEL, LevelNotSpoken, check_spoken
from replog_node.model.positions import MemberId
from replog_node.raft.limits import CoreLimits
from replog_node.recovery.forcing import OrderOutdated, finish
from replog_node.recovery.record import Fence, load_fence, save_fence
from replog_node.settings import Settings, load, split_address, usage
from replog_node.settings_sources import SettingsFaults
from replog_node.state.applied import AppliedState
from replog_node.state.image import StateDamaged, StateUnknown
from replog_node.storage.bounds import level_of
from replog_node.storage.disk import Disk, DiskError
from replog_node.storage.disk_os import OsDisk
from replog_node.storage.errors import StorageError, VoteStateLost
from replog_node.storage.limits import StoreLimits
from replog_node.storage.store import Store, open_store
from replog_node.web.app import client_app, peer_app, runner
from replog_node.web.permissions import Tokens, load_tokens

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
"""The disk is full, or it, a thread or an invariant failed while running: start it again."""
EXIT_SETTINGS: Final = 2
"""The settings are wrong: starting it again can't help."""
EXIT_DATA: Final = 3
"""The data directory can't be used: damaged, held by another process, of a newer format or feature
level."""
EXIT_ADDRESS: Final = 4
"""A listener's address is taken or isn't this machine's."""

DRAIN_LOOK_S: Final = 0.02

LINGER_S: Final = 0.15
"""After draining, the other members are still answered for so long: the last answers leave, and
what they sent before they knew the new leader is refused, instead of ending as unknown."""

RESEND_MS: Final = 3_000
SLOW_DISK_MS: Final = 1_000
HANDOVER_MS: Final = 60_000
DEPARTURE_MS: Final = 30_000
LEARNER_PATIENCE_MS: Final = 60_000
"""CoreLimits has these in ticks: they last as long whatever a tick is."""

START_ANEW: Final = -1
"""No exit code: the node ended to begin again from the disk, in the same process."""

OpenDisk = Callable[[Path], Disk]

Fenced = tuple[Fence, Callable[[Fence], None]]
"""What the start found of fences, and what makes a change of it durable."""

_LOG: Final = Log("replog_node.node")


class StateUnusable(Exception):
    """The newest snapshot is sound, and this build can't go on from the state in it."""


def run(
    argv: Sequence[str],
    *,
    open_disk: OpenDisk = OsDisk,
    new_clock: Callable[[], ClockPort] = SystemClock,
    feature_level: int = FEATURE_LEVEL,
) -> int:
    """Run a node until told to stop (SIGTERM, SIGINT) or can't go on; return its exit code.

    feature_level: what the node speaks; less than this build does makes it one of an older build.
    """
    if {"-h", "--help"} & set(argv):
        sys.stdout.write(usage() + "\n")
        return EXIT_OK
    try:
        settings = load(argv, os.environ)
        tokens = load_tokens(settings.token_file) if settings.token_file else None
    except SettingsFaults as problem:
        for fault in problem.faults:
            sys.stderr.write(f"replog-node: {fault}\n")
        return EXIT_SETTINGS
    configure(settings.log_format, settings.log_level)
    raise_descriptor_limit()
    code = START_ANEW
    while code == START_ANEW:
        code = _live(settings, tokens, open_disk, new_clock, feature_level)
    return code


def _live(
    settings: Settings,
    tokens: Tokens | None,
    open_disk: OpenDisk,
    new_clock: Callable[[], ClockPort],
    feature_level: int,
) -> int:
    """One life of the node, from the disk to the disk; returns its exit code, or START_ANEW."""
    try:
        disk, fence = _own_disk(settings, open_disk)
        store = _open_store(settings, disk)
        found = store.recovered
        check_spoken(level_of(found.log, found.snapshot), feature_level, "the log on this disk")
        state = _recovered_state(store)
    except (LevelNotSpoken, StateUnusable) as problem:
        _LOG.error("data_unusable", data_dir=settings.data_dir, detail=str(problem))
        return EXIT_DATA
    except (StorageError, DiskError) as problem:
        if _is_for_lack_of_space(problem):
            _LOG.error("disk_full", data_dir=settings.data_dir, detail=str(problem))
            return EXIT_FAILED
        event = "vote_state_lost" if isinstance(problem, VoteStateLost) else "data_unusable"
        _LOG.error(event, data_dir=settings.data_dir, detail=str(problem))
        return EXIT_DATA
    configure(settings.log_format, settings.log_level, member=store.recovered.member)
    save = partial(save_fence, disk)
    with asyncio.Runner(loop_factory=_loop_factory()) as loop:
        return loop.run(
            _serve(settings, tokens, store, state, new_clock(), feature_level, (fence, save))
        )


def _own_disk(settings: Settings, open_disk: OpenDisk) -> tuple[Disk, Fence]:
    """The disk, and what fences the member; a recovery that was ordered is finished first."""

    def opened() -> Disk:
        return open_disk(Path(settings.data_dir))

    disk = opened()
    fence = load_fence(disk)
    if fence.force is None:
        return disk, fence
    disk.close()
    try:
        limits = _store_limits(settings)
        fence = finish(opened, fence, limits, lambda: secrets.randbits(64))
        _LOG.warning("goes_on_alone", lineage=str(fence.forced and fence.forced.lineage))
    except OrderOutdated as problem:
        _LOG.error("recovery_given_up", detail=str(problem))
    disk = opened()
    return disk, load_fence(disk)


def _recovered_state(store: Store) -> AppliedState:
    """The state to go on from: of the newest snapshot, which the start has proven."""
    snapshot = store.recovered.snapshot
    if snapshot is None:
        return AppliedState()
    try:
        return AppliedState.decode(store.read_state(snapshot))
    except (StateUnknown, StateDamaged) as problem:
        raise StateUnusable(f"the snapshot at {snapshot.position.offset}: {problem}") from problem


def _is_for_lack_of_space(problem: Exception) -> bool:
    """The data is sound then, and the next start may find room."""
    cause = problem.__cause__ if isinstance(problem, StorageError) else problem
    return isinstance(cause, DiskError) and cause.full


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one (Linux)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _open_store(settings: Settings, disk: Disk) -> Store:
    return open_store(
        disk,
        _store_limits(settings),
        new_member_id=lambda: MemberId(str(uuid.uuid4())),
        random64=lambda: secrets.randbits(64),
    )


async def _serve(
    settings: Settings,
    tokens: Tokens | None,
    store: Store,
    state: AppliedState,
    clock: ClockPort,
    feature_level: int,
    fence: Fenced,
) -> int:
    node = Node(settings, tokens, store, state, clock, feature_level, fence)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, node.stop)
    return await node.run()


class Node:
    """Everything of one process, from a store that is open to a store that is closed."""

    def __init__(
        self,
        settings: Settings,
        tokens: Tokens | None,
        store: Store,
        state: AppliedState,
        clock: ClockPort,
        feature_level: int,
        fence: Fenced,
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = NodeMetrics()
        self._stopping = asyncio.Event()
        self._anew = False
        self._code = EXIT_OK
        found = store.recovered
        observer = Observer(self._metrics, _LOG)
        self._io = IoThread(
            store,
            self._failed,
            builder=HelperProcess(Path(settings.data_dir)),
            notes=observer,
            on_written=observer.written,
            callers_max=2 * settings.requests_max + settings.waiting_max,
            scrub_bytes_per_s=settings.scrub_bytes_per_s,
        )
        self._peers = Peers(
            Myself(
                member=found.member,
                incarnation=found.incarnation,
                peer_address=settings.peer_endpoint,
                client_address=settings.client_endpoint,
                feature_level=feature_level,
            ),
            seeds=settings.seed_peers,
            token=tokens.peer_token if tokens is not None else None,
            notes=observer,
            on_failure=self._failed,
        )
        self._driver = Driver(
            found,
            storage=self._io,
            network=self._peers,
            clock=clock,
            state=state,
            observer=observer,
            limits=_driver_limits(settings),
            core_limits=_core_limits(settings, feature_level),
            peer_address=settings.peer_endpoint,
            new_lineage_id=_new_lineage_id,
            data_dir=os.path.abspath(settings.data_dir),
        )
        self._watch()
        self._warden = self._new_warden(observer, *fence)
        self._service = NodeService(
            self._driver,
            self._warden,
            version=_version(),
            client_addresses=self._peers.client_addresses,
            troubles=self._peers.unreachable,
            on_failure=self._failed,
        )
        self._ticker = Ticker(settings.tick_ms, self._driver.tick, self._failed)
        self._listeners = self._new_listeners(tokens)

    def _new_listeners(
        self, tokens: Tokens | None
    ) -> tuple[tuple[web.AppRunner, str], tuple[web.AppRunner, str]]:
        """The peer listener and the client listener, with their addresses."""
        settings, service, metrics = self._settings, self._service, self._metrics
        client = client_app(service, settings, metrics, tokens)
        peer = peer_app(service, settings, metrics, tokens, peer_handlers=self._peers.handlers)
        return (
            (runner(peer, settings), settings.peer_address),
            (runner(client, settings), settings.client_address),
        )

    def _new_warden(
        self, observer: Observer, fence: Fence, save: Callable[[Fence], None]
    ) -> Warden:
        return Warden(
            self._driver,
            self._store,
            self._io,
            fence=fence,
            save=save,
            lineage_file=self._settings.lineage_file,
            new_lineage_id=_new_lineage_id,
            notes=observer,
            on_failure=self._failed,
            anew=self._start_anew,
        )

    def _watch(self) -> None:
        """Let the metrics look where things are known."""
        self._metrics.watch(
            pending_bytes=lambda: self._driver.appends.pending_bytes,
            peers_connected=lambda: self._peers.connected,
            disk_free_bytes=lambda: self._driver.disk_free_bytes,
            disk_soft_limit_bytes=lambda: self._settings.disk_soft_limit_bytes,
            snapshot_offset=lambda: self._driver.snapshot_offset,
            log_start_offset=lambda: self._driver.log_start,
        )

    async def run(self) -> int:
        """Serve until stop() or a failure; returns the exit code, or START_ANEW."""
        self._start()
        try:
            await self._listen()
        except OSError as problem:
            _LOG.error("address_unusable", detail=str(problem))
            self._code = EXIT_ADDRESS
        else:
            self._serving()
            await self._stopping.wait()
            if self._code == EXIT_OK:
                await self._drain()
        await self._end()
        return START_ANEW if self._anew and self._code == EXIT_OK else self._code

    def stop(self) -> None:
        """Begin to end; asked twice, it doesn't wait for anybody."""
        if self._anew:
            self._anew = False  # it is about to end already
        elif self._stopping.is_set():
            self._code = self._code or EXIT_FAILED
        self._stopping.set()

    def _start_anew(self) -> None:
        """End, to begin again from the disk."""
        if not self._stopping.is_set():
            self._anew = True
            self._stopping.set()

    def _failed(self, problem: BaseException) -> None:
        """Something that this node can't go on after: nothing is acknowledged from here on."""
        if self._code == EXIT_OK:
            _LOG.error("failed", error=problem)
            self._code = EXIT_FAILED
            self._service.failed = f"{type(problem).__name__}: {problem}"
        self._stopping.set()

    async def _listen(self) -> None:
        for listener, address in self._listeners:
            await listener.setup()
            host, port = _split(address)
            await web.TCPSite(listener, host, port, backlog=1024).start()

    def _start(self) -> None:
        self._warden.begin()
        self._io.start(self._driver)
        self._driver.begin()
        self._peers.start(self._warden, self._belonging)
        self._warden.start()

    def _belonging(self) -> Belonging:
        driver = self._driver
        cluster_id, lineage = driver.membership.cluster_id, driver.membership.lineage
        return Belonging(cluster_id, lineage, driver.feature_level)

    def _serving(self) -> None:
        self._ticker.start()
        _LOG.info(
            "started",
            client=self._settings.client_endpoint,
            peer=self._settings.peer_endpoint,
            incarnation=self._store.recovered.incarnation.number,
            cluster=self._driver.membership.cluster_id,
        )

    async def _drain(self) -> None:
        """Hand over and let calls in flight end, within the grace that is given."""
        _LOG.info("stopping")
        self._driver.begin_stop()
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._settings.shutdown_grace_ms / 1000
        while not self._driver.drained and loop.time() < end_s and self._code == EXIT_OK:
            await asyncio.sleep(DRAIN_LOOK_S)
        await asyncio.sleep(max(0.0, min(LINGER_S, end_s - loop.time())))

    async def _end(self) -> None:
        self._ticker.close()
        self._driver.close()
        await self._warden.close()
        (peer, _), (client, _) = self._listeners
        await client.cleanup()
        await self._peers.close()  # before its listener, which waits for open connections
        await peer.cleanup()
        await self._leave_recording()
        await self._io.close()
        self._store.close()
        _LOG.info("stopped", code=self._code)

    async def _leave_recording(self) -> None:
        """After a failure: what the core did before it, for `replog debug replay`."""
        if self._service.failed is None or self._driver.kernel.flight.empty:
            return
        await flights.leave(
            Path(self._settings.data_dir),
            self._store.recovered.incarnation.number,
            self._driver.recording(build=_version(), why=self._service.failed),
            leave_bytes=self._settings.disk_soft_limit_bytes,
        )


def _split(address: str) -> tuple[str, int]:
    found = split_address(address)
    if found is None:
        raise ValueError(f"{address!r} was let through by the settings")
    return found


def _new_lineage_id() -> str:
    return secrets.token_hex(8)


def _store_limits(settings: Settings) -> StoreLimits:
    """What may be on its way to a follower fits into what is left when it says that it is full."""
    on_its_way = settings.inflight_bytes_max + settings.group_bytes_max
    return StoreLimits(
        segment_bytes=settings.segment_bytes,
        snapshots_between=settings.snapshots_between,
        soft_limit_bytes=settings.disk_soft_limit_bytes,
        margin_bytes=min(on_its_way, settings.segment_bytes // 2),
    )


def _driver_limits(settings: Settings) -> DriverLimits:
    return DriverLimits(
        group_bytes=settings.group_bytes_max,
        snapshot_bytes=settings.snapshot_bytes,
        retention_bytes=settings.retention_bytes,
        retention_age_ms=settings.retention_age_ms,
        pending_bytes=settings.pending_bytes_max,
        watchers=settings.waiting_max,
        flight_bytes=settings.flight_bytes,
    )


def _core_limits(settings: Settings, feature_level: int) -> CoreLimits:
    return CoreLimits(
        feature_level=feature_level,
        tick_ms=settings.tick_ms,
        heartbeat_ticks=settings.heartbeat_ticks,
        election_ticks=settings.election_ticks,
        max_inflight_bytes=settings.inflight_bytes_max,
        max_inflight_count=settings.inflight_groups_max,
        cache_bytes=settings.cache_bytes,
        uncommitted_bytes=settings.pending_bytes_max,
        slow_disk_ticks=SLOW_DISK_MS // settings.tick_ms,
        handover_ticks=HANDOVER_MS // settings.tick_ms,
        resend_ticks=RESEND_MS // settings.tick_ms,
        departure_ticks=DEPARTURE_MS // settings.tick_ms,
        learner_patience_ticks=LEARNER_PATIENCE_MS // settings.tick_ms,
    )


def _version() -> str:
    try:
        return version("replicated-log")
    except PackageNotFoundError:
        return "0"
