"""Faults of single disks under load, with crashes in between: no promise is broken by any of them.

Each kind must have taken effect: a fault that nobody met proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.simulation.faults import Faults
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.node import SimNode

CRASHES = ("kill", "power", "power-all", "crash-write", "transfer", "partition", "heal")
"""What happens beside, so that the disks are met at each start and by each role."""

Strike = Callable[["SimNode", Random, Callable[[], None]], object]


class DiskStrikes:
    """Strikes disks again and again until stopped. effects: how often each kind took effect."""

    def __init__(self, world: World, kinds: dict[str, Strike], effects: Counter[str]) -> None:
        self._world = world
        self._kinds = kinds
        self._effects = effects
        self.stopped = False
        self._strike()

    def _strike(self) -> None:
        if self.stopped:
            return
        random = self._world.clockwork.random
        kind = random.choice(sorted(self._kinds))
        node, luck = random.choice(self._world.nodes), Random(random.getrandbits(32))
        self._world.clockwork.note(node.name, "disk-fault", kind)
        self._kinds[kind](node, luck, lambda: self._effects.update([kind]))
        self._world.clockwork.after(random.randint(300_000, 1_500_000), self._strike)


def struck(
    seed: int, kinds: Callable[[World], dict[str, Strike]], effects: Counter[str], members: int = 3
) -> World:
    """A run under these faults, healed and checked."""
    world = World(seed, members=members, voters=3)
    world.run(3)
    world.add_clients()
    world.add_askers()
    faults = Faults(world, kinds=CRASHES, every_ms=3000)
    strikes = DiskStrikes(world, kinds(world), effects)
    world.run(12)
    faults.stopped = strikes.stopped = True
    world.heal()
    world.run(5)
    world.stop_clients()
    world.settle()
    world.finish()
    return world


def _failing(world: World) -> dict[str, Strike]:
    faults = world.disk_faults
    return {
        "write": faults.fail_write,
        "sync": faults.fail_sync,
        "change": faults.fail_change,
        "read": faults.fail_read,
    }


def _filling(world: World) -> dict[str, Strike]:
    faults = world.disk_faults
    return {
        "one": faults.fill,
        "all": lambda _, random, hit: faults.fill_all(random, hit),
        "write": faults.fail_write,
    }


@pytest.mark.timeout(300)
def test_a_disk_that_fails_ends_the_process_and_breaks_no_promise(seeds: list[int]) -> None:
    effects: Counter[str] = Counter()
    appends = sum(struck(seed, _failing, effects).history.applied for seed in seeds[:3])
    assert set(effects) == {"write", "sync", "change", "read"}, effects
    assert appends >= 300, appends


@pytest.mark.timeout(300)
def test_a_full_disk_is_waited_for_and_breaks_no_promise(seeds: list[int]) -> None:
    effects: Counter[str] = Counter()
    appends = sum(struck(seed, _filling, effects).history.applied for seed in seeds[:3])
    assert set(effects) == {"one", "all", "write"}, effects
    assert appends >= 200, appends
