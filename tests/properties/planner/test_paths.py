"""Each way is gone to its end, also when the operator dies at any write of it."""

from __future__ import annotations

import pytest

from replog_operator.model.plan import Plan
from tests.properties.planner.paths import PATHS, SETTLES_WITHIN, Path, spec
from tests.properties.planner.world import OperatorDied, World

STUCK_ON_PURPOSE = {"BadVersion"}


def settle(world: World) -> Plan:
    """Pass after pass, by an operator that is started anew whenever it dies."""
    found: Plan | None = None
    for _ in range(SETTLES_WITHIN):
        try:
            found = world.operate()
        except OperatorDied:
            world.before_write = world.after_write = found = None
        world.tick()
        if is_there(world) and is_done(found):
            break
    return found or world.plan()


def is_done(found: Plan | None) -> bool:
    """Nothing is left to do, and nothing waited for but what only a person can end."""
    return (
        found is not None
        and not found.steps
        and {wait.code for wait in found.waits} <= STUCK_ON_PURPOSE
    )


def is_there(world: World) -> bool:
    if world.asked.open:
        return False
    if world.spec.hibernate:
        return not world.pods
    members = {world.disks[at].member for at in range(world.spec.replicas) if at in world.disks}
    extra = [disk for at, disk in world.disks.items() if at >= world.spec.replicas]
    return (
        all(disk.retired for disk in extra if disk.member_id)
        and world.cluster.epoch == world.operator.epoch
        and set(world.cluster.voters) == members
        and world.cluster.outgoing is None
        and len(world.pods) == world.spec.replicas
        and len(members & world.cluster.alive) == world.spec.replicas
    )


def go(path: Path, world: World) -> None:
    for number, turn in enumerate((None, *path.turns)):
        if turn is not None:
            try:
                turn(world)
            except OperatorDied:
                world.before_write = world.after_write = None
        last = settle(world)
        assert is_there(world) and is_done(last), f"turn {number}: {last}"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_way_is_gone_to_its_end(path: Path) -> None:
    world = World(spec(path.replicas))
    go(path, world)
    changes = [name for name in world.cluster.joints if name]
    assert len(set(changes)) == len(changes), "a membership change was made twice"


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_operator_that_dies_at_any_write_is_gone_on_from(path: Path, after: bool) -> None:
    whole = World(spec(path.replicas))
    go(path, whole)
    assert len(whole.writes) >= 5
    for fatal in range(len(whole.writes)):
        world = World(spec(path.replicas))

        def die(number: int, fatal: int = fatal) -> None:
            if number == fatal:
                raise OperatorDied

        if after:
            world.after_write = die
        else:
            world.before_write = die
        go(path, world)
