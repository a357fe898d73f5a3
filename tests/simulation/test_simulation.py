"""Whole clusters under faults, from a seed: invariants at every step, then liveness.

A failure names its seed; `make sim SEED=7` runs that one alone, with the same outcome to the byte.
"""

import pytest

from tests.simulation.checks import Broken
from tests.simulation.faults import KINDS, Faults
from tests.simulation.world import World

FIXED = tuple(kind for kind in KINDS if kind != "retarget")


def simulate(seed: int, *, members: int, kinds: tuple[str, ...], seconds: float) -> World:
    """Run a cluster under faults, heal it, and check what its clients saw."""
    world = World(seed, members=members, voters=3)
    world.run(3)
    world.add_clients()
    faults = Faults(world, kinds=kinds)
    world.run(seconds)
    faults.stopped = True
    world.heal()
    world.run(5)
    world.stop_clients()
    world.settle()
    world.checks.history(world.history)
    return world


@pytest.mark.timeout(120)
def test_three_members_keep_every_promise_under_all_faults(seeds: list[int]) -> None:
    for seed in seeds:
        world = simulate(seed, members=3, kinds=FIXED, seconds=20)
        applied = [a for a in world.history.attempts if a.outcome == "applied"]
        if len(applied) < 20 or len(world.history.reads) < 20:
            raise Broken(f"seed {seed} did too little: {len(applied)} appends")


@pytest.mark.timeout(120)
def test_members_come_and_go_under_all_faults(seeds: list[int]) -> None:
    for seed in seeds:
        simulate(seed + 10_000, members=5, kinds=KINDS, seconds=20)


@pytest.mark.timeout(60)
def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    first = simulate(77, members=3, kinds=KINDS, seconds=8)
    again = simulate(77, members=3, kinds=KINDS, seconds=8)
    other = simulate(78, members=3, kinds=KINDS, seconds=8)
    assert first.clockwork.digest() == again.clockwork.digest() != other.clockwork.digest()
