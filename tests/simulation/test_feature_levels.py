"""Upgrades with mixed versions: builds come and go under faults, and the level only rises."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from replog_node.frames.decode import configurations
from replog_node.model.configuration import Configuration
from tests.simulation.faults import BUILDS
from tests.simulation.run import simulate
from tests.simulation.world import World

BESIDE = ("kill", "power", "partition", "crash-write", "retarget", "heal")
"""What else goes wrong meanwhile; few kinds, so that each comes often."""

ENOUGH = 12
"""Among so many runs a build is refused and the level raised, whatever the draws mean today."""


def committed(world: World) -> Iterator[tuple[str, Configuration]]:
    """Every committed configuration with the change that made it, in order."""
    for entry in world.checks.committed:
        for _, record in configurations(entry):
            yield record.change, record.configuration


@pytest.mark.timeout(300)
def test_the_feature_level_rises_by_records_of_its_own_and_reaches_everybody(
    seeds: list[int],
) -> None:
    raised = refused = 0
    for seed in seeds if len(seeds) == 1 else range(ENOUGH):
        if raised and refused:
            break
        world = simulate(seed, members=4, kinds=(*BESIDE, *BUILDS))
        records = list(committed(world))
        for (_, before), (change, after) in pairwise(records):
            assert after.feature_level >= before.feature_level
            assert (after.feature_level > before.feature_level) == (change == "feature-level")
        in_force = records[-1][1].feature_level
        running = [node.driver for node in world.nodes if node.driver is not None]
        members = {member.id for member in records[-1][1].members}
        told = {d.feature_level for d in running if d.kernel.member in members}
        assert told == {in_force}
        raised += in_force - 1
        refused += world.builds_refused
    assert len(seeds) == 1 or (raised and refused), (
        f"{raised} raises, {refused} builds refused: too little happened"
    )
