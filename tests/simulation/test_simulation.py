"""Whole clusters under faults, from a seed: invariants at every step, then liveness.

A failure names its seed; `make sim SEED=7` runs that one alone, with the same outcome to the byte.
"""

import pytest

from tests.simulation.faults import KINDS
from tests.simulation.run import FIXED, simulate


@pytest.mark.timeout(300)
def test_three_members_keep_every_promise_under_all_faults(seeds: list[int]) -> None:
    for seed in seeds:
        world = simulate(seed, members=3, kinds=FIXED)
        if world.history.applied < 20 or len(world.history.reads) < 20:
            raise world.broken(f"too little was done: {world.history.applied} appends")


@pytest.mark.timeout(300)
def test_members_come_and_go_under_all_faults(seeds: list[int]) -> None:
    for seed in seeds:
        simulate(seed, members=5, kinds=KINDS)


@pytest.mark.timeout(300)
def test_a_full_load_loses_doubles_and_reorders_nothing(seeds: list[int]) -> None:
    for seed in seeds[: max(1, len(seeds) // 3)]:
        simulate(seed, members=3, kinds=FIXED, seconds=10, busy=True)


@pytest.mark.timeout(120)
def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    first = simulate(77, members=3, kinds=KINDS, seconds=6)
    again = simulate(77, members=3, kinds=KINDS, seconds=6)
    other = simulate(78, members=3, kinds=KINDS, seconds=6)
    assert first.clockwork.digest() == again.clockwork.digest() != other.clockwork.digest()
