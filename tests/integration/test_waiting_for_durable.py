"""Each wait for the disk is needed: without it, and it alone, something is said too early.

What can be left out of driver and core is listed in durability.py; the two waits outside of them,
of the thread that writes and of the command line, are below.
"""

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from replog.cli.append import Total, _Pump
from replog.cli.progress import Progress
from replog.cli.source import Source
from replog.client import Client
from replog_node.adapters.io_thread import IoThread
from replog_node.model.positions import ClusterId, Lineage, Position, Term
from replog_node.raft.effects import Persist
from replog_node.raft.messages import Envelope, ReadIndexRequest
from replog_node.storage.reserve import DiskSpace
from replog_node.storage.store import Store
from tests.integration.durability import WAITS, Held, Without
from tests.simulation.checks import Broken
from tests.simulation.faults import Faults
from tests.unit.client.cluster import cluster
from tests.unit.storage.building import CLUSTER, LINEAGE

SEEDS = 20
SOUND_SEEDS = 4
TAKES_S = 0.1
"""An append of the command line, at the member."""
KINDS = ("kill", "power", "power-all", "slow-disk", "partition", "transfer", "heal")


def power_fails_now_and_then(seed: int, without: Without | None = None) -> Held:
    """Run a cluster with clients under faults, and compare their history with the log at the end.

    As all scenarios it raises Broken as soon as something is said that isn't durable.
    """
    world = Held(seed, without)
    world.slow_disk = 0.3
    world.run(3)
    world.add_clients(plain=2, sessions=2, readers=1)
    faults = Faults(world, kinds=KINDS, every_ms=900)
    world.run(9)
    faults.stopped = True
    world.heal()
    world.run(3)
    world.stop_clients()
    world.settle()
    world.checks.history(world.history)
    return world


def a_lone_voter_starts_beside_a_learner(seed: int, without: Without | None = None) -> Held:
    """Restart the only voter, again and again; its learner is never heard, so it stays one."""
    world = Held(seed, without, members=2, voters=1)
    world.slow_disk = 1.0
    world.run(4)
    voter, learner = world.nodes
    world.network.cut(learner.member, voter.member)
    world.retarget(2)
    world.run(4)
    for _ in range(3):
        voter.kill(power=True)
        voter.start()
        world.run(2)
    return world


def a_follower_is_asked_in_a_newer_term(seed: int, without: Without | None = None) -> Held:
    """Ask followers for reads in a term that they didn't know: the answer tells that term."""
    world = Held(seed, without)
    world.run(3)
    world.slow_disk = 1.0
    for _ in range(3):
        led = next(node for node in world.nodes if node.driver and node.driver.kernel.leading)
        for node in world.nodes:
            if node is not led and node.driver and led.driver:
                kernel = led.driver.kernel
                asked = ReadIndexRequest(Term(kernel.term() + 1), 1)
                node.driver.receive(
                    Envelope(led.member, node.member, kernel.incarnation, None, asked)
                )
        world.run(4)
    return world


SCENARIOS = (
    a_lone_voter_starts_beside_a_learner,
    a_follower_is_asked_in_a_newer_term,
    power_fails_now_and_then,
)


def search(without: Without) -> None:
    """Run every scenario without this wait, on many seeds."""
    for seed in range(SEEDS):
        for scenario in SCENARIOS:
            scenario(seed, without)


def test_with_all_waits_everything_that_is_said_is_durable() -> None:
    told: dict[str, int] = {}
    for seed in range(SOUND_SEEDS):
        for scenario in SCENARIOS:
            for what, count in scenario(seed).told.items():
                told[what] = told.get(what, 0) + count
    assert told.keys() >= {"committed", "adopted", "founded", "repeated"}
    assert {what for what in told if what.endswith(" waited")} == {
        f"{kind} waited"
        for kind in ("RequestVote", "VoteReply", "AppendReply", "HeartbeatReply", "ReadIndexReply")
    }, "another message waits: it belongs into WAITS"


@pytest.mark.parametrize("wait", WAITS)
def test_without_one_wait_something_is_said_that_may_be_lost(wait: str) -> None:
    with pytest.raises(Broken):
        search(WAITS[wait])


class Hasty(IoThread):
    """The thread that writes, but it tells before it has written."""

    def _write_merged(self, first: Persist) -> Any:
        self._tell(self._persisted, first.ticket)
        return super()._write_merged(first)


class HastyToAssign(IoThread):
    """The same for assignments."""

    def assign(self, cluster_id: ClusterId, lineage: Lineage, founding: str) -> None:
        super().assign(cluster_id, lineage, founding)
        self._tell(self._assigned)


class Stuck:
    """A store whose disk takes its time: nothing is durable before `open` is set."""

    def __init__(self) -> None:
        self.open = threading.Event()

    def write(self, _: Sequence[Persist]) -> None:
        self.open.wait(10)

    def assign(self, *_: object) -> None:
        self.open.wait(10)

    def write_idle_mark(self) -> None:
        """Nothing is marked."""

    wants_spare = untidy = False
    holes: tuple[()] = ()

    def space(self) -> DiskSpace:
        return DiskSpace(1 << 30, low=False, full=False)


class Nobody:
    """Builds no snapshots."""

    def __call__(self, up_to: Position) -> str:
        raise AssertionError("nobody asks for snapshots")

    def end(self) -> None:
        """Nothing runs."""


class Told:
    """A driver that remembers what it was told."""

    def __init__(self) -> None:
        self.tickets: list[int] = []
        self.assignments = 0

    def on_persisted(self, ticket: int) -> None:
        self.tickets.append(ticket)

    def on_assigned(self) -> None:
        self.assignments += 1

    def on_damage(self, *_: object) -> None:
        raise AssertionError("nothing is damaged")

    def on_disk_space(self, *_: object) -> None:
        """Room is another matter."""

    def on_read(self, *_: object) -> None:
        raise AssertionError("nobody asks for reads")

    on_released = on_built = on_part = on_chunk = on_snapshot_dropped = on_read

    def note(self, level: str, event: str, **_fields: object) -> None:
        raise AssertionError(f"no read fails: {level} {event}")


async def told_too_early(kind: type[IoThread], *, assigning: bool) -> bool:
    """Let a write, or an assignment, be stuck; whether the driver hears of it all the same."""
    store, driver, failures = Stuck(), Told(), list[BaseException]()
    io = kind(cast(Store, store), failures.append, builder=Nobody(), notes=driver)
    io.start(driver)
    try:
        if assigning:
            io.assign(CLUSTER, LINEAGE, "")
        else:
            io.write(Persist(1, None, None, ()))
        await asyncio.sleep(0.1)
        early = bool(driver.tickets or driver.assignments)
    finally:
        store.open.set()
        await io.close()
    await asyncio.sleep(0)
    assert not failures and (driver.assignments if assigning else driver.tickets[-1]) >= 1
    return early


@pytest.mark.asyncio
async def test_the_driver_is_told_once_the_store_has_returned() -> None:
    assert not await told_too_early(IoThread, assigning=False)
    assert not await told_too_early(IoThread, assigning=True)


@pytest.mark.asyncio
async def test_a_thread_that_tells_before_it_has_written_is_found_out() -> None:
    assert await told_too_early(Hasty, assigning=False)
    assert await told_too_early(HastyToAssign, assigning=True)


class Careless(_Pump):
    """`replog append` that ends when all is sent, not when all is acknowledged."""

    async def _settle(self) -> None:
        """Wait for nobody."""


async def acknowledged(pump: type[_Pump], file: Path) -> int:
    """How many records are known to be durable when `replog append` is done."""
    total = Total()
    async with cluster() as made:
        made.log.append_takes_s = TAKES_S
        source = Source([str(file)], whole=False, end=b"\n")
        async with Client(made.endpoints) as client:
            with Progress("appended", source.size_bytes) as progress:
                await pump(client, None, total, progress, gzip=False).run(source)
            known = total.records
        await asyncio.sleep(2 * TAKES_S)  # what the careless one left ends before its server does
    return known


@pytest.mark.asyncio
async def test_the_command_line_ends_once_everything_is_acknowledged(tmp_path: Path) -> None:
    file = tmp_path / "lines"
    file.write_bytes(b"a line\n" * 1000)
    assert await acknowledged(_Pump, file) == 1000
    assert await acknowledged(Careless, file) < 1000
