"""Whole clusters under faults, from a seed: invariants at every step, then liveness.

A failure names its seed; `make sim SEED=7` runs that one alone, with the same outcome to the byte.
"""

import pytest

from tests.simulation.faults import KINDS
from tests.simulation.run import FIXED, simulate
from tests.simulation.world import World


def _has_worked(world: World, *, appends: int) -> None:
    """A run in which little happened would prove little."""
    assert world.history.applied >= appends, f"seed {world.seed}: {world.history.applied} appends"
    assert len(world.history.reads) >= appends // 5, f"seed {world.seed}: too few reads"


@pytest.mark.timeout(300)
def test_three_members_keep_every_promise_under_all_faults(seeds: list[int]) -> None:
    conditions = resolved = 0
    for seed in seeds:
        world = simulate(seed, members=3, kinds=FIXED)
        _has_worked(world, appends=200)
        found = [attempt for attempt in world.history.attempts if attempt.behind is not None]
        conditions += sum(attempt.outcome == "applied" for attempt in found)
        resolved += world.history.resolved
    assert conditions >= 10 * len(seeds) and resolved >= len(seeds), (conditions, resolved)


@pytest.mark.timeout(300)
def test_members_come_and_go_under_all_faults(seeds: list[int]) -> None:
    for seed in seeds:
        world = simulate(seed, members=5, kinds=KINDS)
        _has_worked(world, appends=200)
        changed = (e.configuration for e in world.checks.committed if e.configuration)
        assert any(configuration.joint for configuration in changed), "no membership changed"


@pytest.mark.timeout(300)
def test_a_full_load_loses_doubles_and_reorders_nothing(seeds: list[int]) -> None:
    for seed in seeds[: max(1, len(seeds) // 3)]:
        world = simulate(seed, members=3, kinds=FIXED, seconds=10, busy=True)
        _has_worked(world, appends=500)


@pytest.mark.timeout(120)
def test_the_same_seed_is_the_same_run_to_the_byte() -> None:
    first = simulate(77, members=3, kinds=KINDS, seconds=6)
    again = simulate(77, members=3, kinds=KINDS, seconds=6)
    other = simulate(78, members=3, kinds=KINDS, seconds=6)
    assert first.clockwork.digest() == again.clockwork.digest() != other.clockwork.digest()
