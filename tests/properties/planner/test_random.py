"""Any edits, any failing members, operators that die, sleep and wake: nothing is broken on the way,
and when the faults stop, what is wanted is reached."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replog_operator.model.observed import Operator, TaskKind
from replog_operator.model.surveys import Decided
from tests.properties.planner.paths import (
    ask,
    ask_to_recover,
    expel,
    give_up_disks,
    hibernate,
    image,
    lose_disk,
    recreate,
    recreate_at_once,
    scale,
    spec,
    wake,
)
from tests.properties.planner.test_paths import is_done, is_there
from tests.properties.planner.world import OperatorDied, World

Event = Callable[[World], None]
SETTLES_WITHIN = 300
PERSON_LOOKS_EACH = 25
"""Passes: what a recovery left out is given up by a person who looks so often."""


def passes(count: int) -> Event:
    def event(world: World) -> None:
        for _ in range(count):
            world.operate()
            world.tick()

    return event


def dies(write: int) -> Event:
    """The operator dies before its next write but so many; another one comes with a new epoch."""

    def event(world: World) -> None:
        fatal = len(world.writes) + write

        def die(number: int) -> None:
            if number == fatal:
                raise OperatorDied

        world.before_write = die
        try:
            passes(3)(world)
        except OperatorDied:
            pass
        finally:
            world.before_write = None
        successor(world)

    return event


def successor(world: World) -> None:
    epoch = world.operator.epoch + 1
    world.operator = Operator(epoch, f"ns/lease#{epoch}")


def sleeps_and_wakes(world: World) -> None:
    """An operator plans, sleeps while another takes over, and wakes with its old plan."""
    sleeper, old = world.operator, world.plan()
    successor(world)
    passes(3)(world)
    for step in old.steps:
        world.act(step.step, sleeper)


def hang(ordinal: int) -> Event:
    def event(world: World) -> None:
        if ordinal in world.pods:
            world.pods[ordinal].hung = True
            world.tick()

    return event


def kill(ordinal: int) -> Event:
    def event(world: World) -> None:
        if ordinal in world.pods:
            world.pods[ordinal].terminating = True
            world.tick()

    return event


def lose(ordinal: int) -> Event:
    """A disk is lost, if the others still hold what was committed: more than that nobody mends."""

    def event(world: World) -> None:
        cluster, disk = world.cluster, world.disks.get(ordinal)
        if disk is None or disk.member is None:
            return
        halves = [cluster.voters, *([cluster.outgoing] if cluster.outgoing else [])]
        others = [[m for m in half if m != disk.member] for half in halves]
        holding = [
            [m for m in half if cluster.members[m].holds and has(world, m)] for half in others
        ]
        enough = all(len(h) >= len(half) // 2 + 1 for h, half in zip(holding, halves, strict=True))
        if cluster.cluster_id is not None and enough:
            lose_disk(ordinal)(world)
            world.tick()

    return event


def stall(on: bool) -> Event:
    """What the leader writes about the membership is not committed; it is again."""

    def event(world: World) -> None:
        world.cluster.stalled = on

    return event


def wish_to_lead(ordinal: int) -> Event:
    """Also where there is no such member, or soon will be none."""

    def event(world: World) -> None:
        disk = world.disks.get(ordinal)
        ask(TaskKind.TRANSFER, "" if disk is None else disk.member or "")(world)

    return event


def go_on_by_a_survey(world: World) -> None:
    """Somebody decides by the last survey that can be decided by.

    Nobody says of who leads in the newest lineage that it is stopped for good, and it is not.
    """
    if world.asked.reports and not _has_begun(world, world.decided):
        survey, found = list(world.asked.reports.items())[-1]
        if found.best:
            ask_to_recover(world, survey)


def _has_begun(world: World, decided: Decided) -> bool:
    member = world.cluster.members.get(decided.survivor)
    return member is not None and member.number == decided.number and has(world, member.id)


def survey_of_few(count: int) -> Event:
    """Most are away, and somebody has the others surveyed; so many passes."""

    def event(world: World) -> None:
        for pod in list(world.pods.values())[: len(world.pods) // 2 + 1]:
            pod.hung = True
        world.tick()
        ask(TaskKind.SURVEY)(world)
        passes(count)(world)

    return event


def recovery_by_few(count: int) -> Event:
    """The same, and it is gone on with one of them; so many passes."""

    def event(world: World) -> None:
        survey_of_few(6)(world)
        go_on_by_a_survey(world)
        passes(count)(world)

    return event


def take_back(world: World) -> None:
    """All surveys."""
    for task in list(world.asked.made):
        if task.kind is TaskKind.SURVEY:
            world.asked.ask(TaskKind.CANCEL_SURVEY, survey=task.name)


def give_up_what_was_left_out(world: World) -> None:
    """Disks of members that a recovery went on without, where others are to be."""
    asked = world.asked.claims.values()
    wanted = [(at, disk) for at, disk in world.disks.items() if at < world.spec.replicas]
    for at, disk in [(at, disk) for at, disk in wanted if disk.uid not in asked]:
        member = world.cluster.members.get(disk.member or "")
        if member is not None and member.holds and member.number < world.cluster.number:
            give_up_disks(at)(world)


def decide_anew(world: World) -> None:
    """The survivor's disk is lost after its lineage was noted and before it had begun it."""
    lost = world.decided.number > world.cluster.number and not has(world, world.decided.survivor)
    if lost and world.asked.reports and not world.asked.waits_for(TaskKind.SURVEY):
        go_on_by_a_survey(world)
        ask(TaskKind.SURVEY)(world)


def has(world: World, member: str) -> bool:
    """Whether its disk is still there."""
    return any(disk.member == member for disk in world.disks.values())


ORDINAL = st.integers(0, 4)
REPLICAS = st.sampled_from([1, 2, 3, 5])
EVENTS = st.one_of(
    st.integers(1, 12).map(passes),
    st.sampled_from([1, 2, 3, 4, 5]).map(scale),
    st.integers(0, 3).map(dies),
    st.just(sleeps_and_wakes),
    ORDINAL.map(hang),
    st.just(wake),
    ORDINAL.map(kill),
    ORDINAL.map(lose),
    ORDINAL.map(expel),
    st.booleans().map(stall),
    REPLICAS.map(recreate),
    REPLICAS.map(recreate_at_once),
    st.sampled_from(["v1", "v2", "bad"]).map(image),
    st.booleans().map(hibernate),
    st.sampled_from([TaskKind.SNAPSHOT, TaskKind.RETRY_VERSION]).map(ask),
    ORDINAL.map(wish_to_lead),
    st.integers(1, 5).map(survey_of_few),
    st.integers(0, 5).map(recovery_by_few),
    st.just(go_on_by_a_survey),
    st.just(take_back),
)
BEGINS = st.sampled_from([0, 3, 20]).map(passes)
"""Founded, in the middle of that, or not begun at all when the first event comes."""
LISTS = st.builds(
    lambda begins, events: [begins, *events], BEGINS, st.lists(EVENTS, min_size=8, max_size=20)
)
"""Long ones: of the faults that three events in a row bring out, short lists find few."""


def check_random(replicas: int, events: list[Event]) -> None:
    world = World(spec(replicas))
    for event in events:
        event(world)
    wake(world)
    stall(False)(world)
    hibernate(False)(world)
    if world.image == "bad":
        image("v2")(world)
    take_back(world)
    found = world.plan()
    for number in range(SETTLES_WITHIN):
        if number % PERSON_LOOKS_EACH == 0:
            give_up_what_was_left_out(world)
            decide_anew(world)
        found = world.operate()
        world.tick()
        if is_there(world) and is_done(found):
            break
    assert is_there(world) and is_done(found), found
    changes = [name for name in world.cluster.joints if name]
    assert len(set(changes)) == len(changes), "a membership change was made twice"


@pytest.mark.timeout(300)
@settings(
    max_examples=1500, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
@given(replicas=REPLICAS, events=LISTS)
def test_whatever_happens_nothing_breaks_and_what_is_wanted_is_reached(
    replicas: int, events: list[Event]
) -> None:
    check_random(replicas, events)
