"""What is asked for once is done once or told as failed, also when the operator dies at any write.

One thing may be done twice by an operator that dies: a snapshot, if it dies after the leader was
asked and before the task says so. A second one is a snapshot more, and changes nothing that is
read; one that is missing would be worse.
"""

from __future__ import annotations

from collections import Counter

import pytest

from replog_operator.model.observed import Operator, TaskKind
from replog_operator.planner.answer import Hold
from replog_operator.planner.facts import facts
from replog_operator.planner.plan import plan
from replog_operator.planner.tasks import answers
from tests.properties.planner.paths import (
    AT_ONCE,
    NEWER,
    NOT_NEEDED,
    TASK_PATHS,
    WRONGLY,
    Path,
    spec,
)
from tests.properties.planner.test_paths import go, settle
from tests.properties.planner.world import OperatorDied, World

MAY_REPEAT = TaskKind.SNAPSHOT
FAILS = ("nobody's name is to lead", NOT_NEEDED)
MIXED = (NEWER, WRONGLY, AT_ONCE)
"""Some of what is asked for is done, and some is told as failed."""
RACES = "another leads, of one that leaves"
"""It may lead before it leaves, or be no member any more: both are told."""


def gone(path: Path, fatal: int | None = None, *, after: bool = False) -> World:
    """The way to its end, by an operator that dies at this write of it and is started anew."""
    world = World(spec(path.replicas))

    def die(number: int) -> None:
        if number == fatal:
            raise OperatorDied

    world.after_write, world.before_write = (die, None) if after else (None, die)
    go(path, world)
    return world


def test_every_kind_of_task_has_its_way() -> None:
    kinds = {task.kind for path in TASK_PATHS for task in gone(path).asked.made}
    assert kinds == set(TaskKind)


def test_an_action_that_only_a_newer_operator_knows_is_refused_and_holds_up_no_other() -> None:
    (path,) = (path for path in TASK_PATHS if path.name == NEWER)
    refused, done = gone(path).asked.ended.values()
    assert refused == (False, "this operator does not know the action FlyToTheMoon")
    assert done[0]


@pytest.mark.parametrize("path", TASK_PATHS, ids=lambda path: path.name)
def test_what_is_asked_for_is_done_once(path: Path) -> None:
    world = gone(path)
    assert world.asked.ended and not world.asked.open
    if path.name not in (RACES, *MIXED):
        assert {done for done, _ in world.asked.ended.values()} == {path.name not in FAILS}
    asked = Counter(task.kind for task in world.asked.made)
    once = {kind: count for kind, count in world.asked.effects.items() if kind != MAY_REPEAT}
    assert all(count <= asked[kind] for kind, count in once.items())


@pytest.mark.parametrize("path", TASK_PATHS, ids=lambda path: path.name)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_operator_that_dies_at_any_write_does_it_once_all_the_same(
    path: Path, after: bool
) -> None:
    whole = gone(path)
    for fatal in range(len(whole.writes)):
        world = gone(path, fatal, after=after)
        same = world.asked.ended == whole.asked.ended
        assert not world.asked.open and (same or path.name == RACES), f"it died at write {fatal}"
        assert more_often(world, whole) <= Counter([MAY_REPEAT]), f"it died at write {fatal}"


def more_often(world: World, whole: World) -> Counter[TaskKind]:
    """Effects that there were more often, or not at all."""
    more = world.asked.effects - whole.asked.effects
    less = whole.asked.effects - world.asked.effects
    assert not less, less
    return more


@pytest.mark.parametrize(
    ("operator", "code"),
    [(Operator(0, "ns/lease#0"), "NewerOperator"), (Operator(9, "other/lease#9"), "OtherOperator")],
)
def test_a_task_of_a_log_that_obeys_another_says_so_and_the_log_says_it_once(
    operator: Operator, code: str
) -> None:
    world = World(spec(3))
    settle(world)
    world.operator = operator
    world.asked.ask(TaskKind.SNAPSHOT)
    seen = world.observe()
    (held,) = answers(facts(world.spec, seen)).values()
    assert isinstance(held, Hold) and held.code == code
    assert [wait.code for wait in plan(world.spec, seen).waits] == [code]
