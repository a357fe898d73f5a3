"""Faults of single disks under load, with crashes in between: no promise is broken by any of them.

Each kind must have taken effect: a fault that nobody met proves nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import pytest

from tests.simulation.checks import Broken
from tests.simulation.faults import Faults
from tests.simulation.sizes import Sizes
from tests.simulation.world import World

CRASHES: Final = ("kill", "power", "power-all", "crash-write", "transfer", "partition", "heal")
"""What happens beside, so that the disks are met at each start and by each role."""

FAILING: Final = ("fail-write", "fail-sync", "fail-change", "fail-read")
FULL: Final = ("fill", "fill-all")
ROT: Final = ("rot-flip", "rot-misdirected", "rot-stale")

KEEPS_ALL: Final = Sizes(retention_bytes=0)
"""Entries rot only where nobody lets go of them meanwhile (atlas.py)."""


def struck(world: World, kinds: tuple[str, ...]) -> World:
    """A run under these faults and crashes, healed and checked."""
    world.run(2)
    world.add_clients()
    world.add_askers()
    faults = Faults(world, kinds=(*kinds, *kinds, *CRASHES), every_ms=600)
    world.run(10)
    faults.stopped = True
    world.heal()
    world.run(3)
    world.stop_clients()
    world.settle()
    world.finish()
    return world


def sums(worlds: list[World], kinds: tuple[str, ...]) -> tuple[Counter[str], Counter[str]]:
    """How often each kind took effect, each of which must have; and what members noted."""
    effects, notes = Counter[str](), Counter[str]()
    for world in worlds:
        effects += world.effects
        notes += world.notes
    assert set(kinds) <= set(effects), effects
    assert sum(world.history.applied for world in worlds) >= 100 * len(worlds)
    return effects, notes


@pytest.mark.timeout(300)
def test_a_disk_that_fails_ends_the_process_and_breaks_no_promise(seeds: list[int]) -> None:
    sums([struck(World(seed), FAILING) for seed in seeds[:3]], FAILING)


@pytest.mark.timeout(300)
def test_a_full_disk_is_waited_for_and_breaks_no_promise(seeds: list[int]) -> None:
    _, notes = sums([struck(World(seed), FULL) for seed in seeds[:3]], FULL)
    assert notes["disk_full"] >= 1 and notes["disk_roomy"] >= 1, notes


@pytest.mark.timeout(300)
def test_what_rots_is_filled_from_others_and_breaks_no_promise(seeds: list[int]) -> None:
    _, notes = sums([struck(World(seed, sizes=KEEPS_ALL), ROT) for seed in seeds[:5]], ROT)
    assert notes["log_hole"] >= 3 and notes["log_whole"] >= 1, notes


@pytest.mark.timeout(300)
def test_where_the_log_is_let_go_of_everything_but_its_entries_rots(seeds: list[int]) -> None:
    _, notes = sums([struck(World(seed), ROT) for seed in seeds[:3]], ("rot-flip",))
    assert notes["log_hole"] == 0, notes


@pytest.mark.timeout(300)
def test_without_the_atlas_rot_breaks_promises() -> None:
    """What the atlas holds back is not held back for nothing."""
    for seed in range(6):
        world = World(seed, sizes=KEEPS_ALL)
        world.disk_faults.atlas = None
        try:
            struck(world, ROT)
        except Broken:
            return
    pytest.fail("nothing was lost although everything may rot")


def test_a_seed_lets_the_same_rot() -> None:
    def trace() -> str:
        return struck(World(5, sizes=KEEPS_ALL), ROT).clockwork.digest()

    assert trace() == trace()
