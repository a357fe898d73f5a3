"""No crash at any disk operation loses what was acknowledged, or adds what was not written."""

from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from tests.support.simdisk import SimDisk
from tests.unit.storage.crashing import (
    CAPACITY,
    Recovering,
    Step,
    crashes,
    failures,
    filling,
    installing,
    making_room,
    power_fails,
    power_fails_and_a_copy_rots,
    power_fails_and_a_snapshot_rots,
    process_dies,
    rolling,
    run,
    survive,
    trimming,
    truncating,
    wandering,
)

OF_ENTRIES = [rolling, truncating, filling, partial(wandering, 1)]
OF_SNAPSHOTS = [trimming, installing]
SCRIPTS = [*OF_ENTRIES, *OF_SNAPSHOTS, making_room]
POWER_LOSSES = 3
"""Random outcomes of a power loss that are tried at each operation."""


@pytest.mark.parametrize(
    ("happens", "seeds", "script"),
    [
        *((process_dies, 1, script) for script in SCRIPTS),
        *((power_fails, POWER_LOSSES, script) for script in SCRIPTS),
        *((power_fails_and_a_copy_rots, POWER_LOSSES, script) for script in OF_ENTRIES),
    ],
)
def test_a_crash_at_any_operation_keeps_what_was_acknowledged(
    happens: Recovering, seeds: int, script: Callable[[], list[Step]]
) -> None:
    for crash in crashes(script()):
        for seed in range(seeds):
            survive(crash, happens, Random(f"{crash.at} {seed}"))


@pytest.mark.parametrize("script", OF_SNAPSHOTS)
def test_a_snapshot_that_rots_at_a_crash_costs_nothing_of_the_log(
    script: Callable[[], list[Step]],
) -> None:
    for crash in crashes(script()):
        survive(crash, power_fails_and_a_snapshot_rots, Random(crash.at))


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_script_itself_runs_to_its_end(script: Callable[[], list[Step]]) -> None:
    disk = SimDisk()
    disk.capacity = CAPACITY
    assert run(disk, script()) is None
    assert disk.operations > 150


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("happens", [process_dies, power_fails])
def test_a_disk_that_fails_once_at_any_operation_loses_nothing(
    script: Callable[[], list[Step]], happens: Recovering
) -> None:
    for failure in failures(script()):
        survive(failure, happens, Random(failure.at))
