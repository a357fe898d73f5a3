"""Worlds in which one thing is done wrong, in one process: the oracle must see it as it happens.

Decides: what is done wrong. Must not know: oracles, but for the name.
Read next: ../../integration/durability.py, which takes waits out of drivers.
"""

from __future__ import annotations

from collections.abc import Callable

from replog_node.driver.driver import Driver
from replog_node.model.positions import MemberId
from replog_node.raft.core import Core
from replog_node.raft.events import Started
from replog_node.raft.messages import RequestVote
from replog_node.storage.disk import Sync
from tests.integration.durability import WAITS
from tests.simulation.faults import Faults
from tests.simulation.node import SimNode
from tests.simulation.oracles.completeness import LeaderCompleteness
from tests.simulation.oracles.liveness import SERVED_WITHIN_S, Liveness
from tests.simulation.oracles.promises import TrueAcknowledgements
from tests.simulation.oracles.quorum import CommittedOnQuorum
from tests.simulation.oracles.votes import OneVote
from tests.simulation.violations.registry import breaks
from tests.simulation.world import World
from tests.support.simdisk import SyncSite

KINDS = ("kill", "power", "slow-disk", "partition", "transfer", "heal")


class Tampered(World):
    """A world in which each process is changed as soon as it runs."""

    def __init__(self, seed: int, tamper: Callable[[SimNode, Driver], None]) -> None:
        self._tamper = tamper
        super().__init__(seed)

    def started(self, node: SimNode) -> None:
        """Change it once the oracles watch it."""
        super().started(node)
        if node.driver is not None:
            self._tamper(node, node.driver)


def _run(tamper: Callable[[SimNode, Driver], None], seeds: int = 5) -> None:
    for seed in range(seeds):
        world = Tampered(seed, tamper)
        world.slow_disk = 0.3
        world.run(3)
        world.add_clients()
        Faults(world, kinds=KINDS, every_ms=700)
        world.run(12)


@breaks(OneVote)
def votes_leave_before_they_are_durable() -> None:
    _run(lambda _, driver: WAITS["a vote, for term and vote"](driver))


@breaks(TrueAcknowledgements)
def acknowledgements_leave_before_the_entries_are_durable() -> None:
    _run(lambda _, driver: WAITS["an append reply, for the entries"](driver))


@breaks(CommittedOnQuorum)
def leaders_count_their_own_copy_before_it_is_durable() -> None:
    _run(lambda _, driver: WAITS["the leader's own copy"](driver))


@breaks(CommittedOnQuorum)
def disks_do_not_sync_entries() -> None:
    def lazy(node: SimNode, _: Driver) -> None:
        node.disk.left_out = frozenset({SyncSite(Sync.BLOCK)})

    _run(lazy)


@breaks(Liveness)
def the_network_stays_cut() -> None:
    world = World(1)
    world.run(3)
    for node in world.nodes[1:]:
        world.network.cut(world.nodes[0].member, node.member)
        world.network.cut(node.member, world.nodes[0].member)
    world.run(3)
    world.settle()


@breaks(Liveness)
def a_member_stays_dead() -> None:
    world = World(1)
    world.run(3)
    world.checks.liveness.converged(world.nodes, world.nodes)
    world.nodes[2].kill()
    world.run(3)
    world.checks.liveness.converged(world.nodes[:2], world.nodes)
    world.checks.liveness.converged(world.nodes, world.nodes)


@breaks(Liveness)
def nobody_serves_although_all_have_converged() -> None:
    world = World(1)
    world.run(3)
    calls = world.checks.liveness.ask(world.nodes)
    world.run(SERVED_WITHIN_S)
    world.checks.liveness.served(calls)
    for node in world.nodes:
        node.pause(60_000_000, lambda: None)
        calls += world.checks.liveness.ask([node])
    world.run(SERVED_WITHIN_S)
    world.checks.liveness.served(calls)


@breaks(LeaderCompleteness)
def votes_are_given_whatever_the_candidate_lacks() -> None:
    def generous(_: SimNode, driver: Driver) -> None:
        start = driver.kernel.start

        def begin(started: Started) -> None:
            start(started)
            if driver.kernel.core is not None:
                _look_at_no_log(driver.kernel.core)

        driver.kernel.start = begin  # type: ignore[method-assign]

    _run(generous, seeds=20)


def _look_at_no_log(core: Core) -> None:
    def grants(candidate: MemberId, request: RequestVote) -> bool:
        free = core.leader is None and core._s.hard.voted_for in (None, candidate)
        return request.pre or (free and request.term == core.term)

    core._elections._grants = grants  # type: ignore[method-assign]
