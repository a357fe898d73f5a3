"""Ways that a log goes: each a list of things that people or fate do, one after the other.

Between two of them the planner is given time to get there; the crash tests let the operator die at
every write on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from replog.wire.schemas import MemberAddress
from replog_operator.model.observed import Operator, TaskKind
from replog_operator.model.spec import LogSpec
from tests.properties.planner.world import Disk, OperatorDied, World

Turn = Callable[[World], None]
SETTLES_WITHIN = 60
"""Passes. A roll of five with a canary that fails takes about forty."""


class Path(NamedTuple):
    """replicas: to begin with."""

    name: str
    replicas: int
    turns: tuple[Turn, ...]


def spec(replicas: int) -> LogSpec:
    return LogSpec("log", "ns", "uid-1", 1, replicas, storage_bytes=10, update_timeout_s=120.0)


def scale(replicas: int) -> Turn:
    def turn(world: World) -> None:
        world.spec = world.spec._replace(replicas=replicas, generation=world.spec.generation + 1)

    return turn


def midway(replicas: int, passes: int) -> Turn:
    """Scale, and turn round after so many passes."""

    def turn(world: World) -> None:
        before = world.spec.replicas
        scale(replicas)(world)
        for _ in range(passes):
            world.operate()
            world.tick()
        scale(before)(world)

    return turn


def image(name: str) -> Turn:
    def turn(world: World) -> None:
        world.image = name

    return turn


def lose_disk(ordinal: int) -> Turn:
    """Pod and claim go; the workload makes both anew, empty."""

    def turn(world: World) -> None:
        world.pods.pop(ordinal, None)
        world.disks.pop(ordinal, None)

    return turn


def lose_disk_and(ordinal: int, then: Turn) -> Turn:
    def turn(world: World) -> None:
        lose_disk(ordinal)(world)
        then(world)

    return turn


def lead(ordinal: int) -> Turn:
    def turn(world: World) -> None:
        world.cluster.leader = world.disks[ordinal].member

    return turn


def expel(ordinal: int) -> Turn:
    """Somebody else, whom the log lets, has it remove the member of this ordinal."""

    def turn(world: World) -> None:
        cluster, disk = world.cluster, world.disks.get(ordinal)
        if disk is None or disk.member not in cluster.voters or cluster.leader is None:
            return
        others = [m for m in cluster.voters if m != disk.member]
        if others:
            cluster.set_target(
                tuple(MemberAddress(m, cluster.addresses[m]) for m in others),
                cluster.offset, f"expel-{cluster.offset}", cluster.epoch, cluster.holder,
            )  # fmt: skip
            world.tick()

    return turn


def expel_while_it_hangs(ordinal: int) -> Turn:
    """So it is not told, and is told never; then it goes on."""

    def turn(world: World) -> None:
        world.pods[ordinal].hung = True
        world.tick()
        expel(ordinal)(world)
        for _ in range(3):
            world.operate()
            world.tick()
        wake(world)

    return turn


def expel_and_sleep(ordinal: int) -> Turn:
    """Asleep after its disk was retired and before it is deleted."""

    def turn(world: World) -> None:
        expel(ordinal)(world)
        _until(world, lambda: world.disks[ordinal].retired)
        hibernate(True)(world)

    return turn


def leave_uncommitted(replicas: int) -> Turn:
    """The leader writes that members leave, and for a while that is not committed."""

    def turn(world: World) -> None:
        scale(replicas)(world)
        world.operate()
        world.tick()
        world.cluster.stalled = True
        for _ in range(6):
            world.operate()
            world.tick()
        world.cluster.stalled = False

    return turn


def recreate(replicas: int) -> Turn:
    """The resource goes with its children and without its claims, and comes back."""

    def turn(world: World) -> None:
        world.pods.clear()
        world.workload, world.stale, world.remembered_cluster = None, ("ConfigMap",), ""
        world.spec = spec(replicas)._replace(uid=world.uid("uid"))
        world.tick()

    return turn


def recreate_at_once(replicas: int) -> Turn:
    """It comes back before its children have gone: they are those of another for a while."""

    def turn(world: World) -> None:
        world.stale, world.remembered_cluster = ("ConfigMap",), ""
        world.spec = spec(replicas)._replace(uid=world.uid("uid"))
        world.orphan()

    return turn


def turned_round_over_retired(world: World) -> None:
    """Three, but one before the two were told to join; three again once their disks were retired;
    and made anew with one in the middle of that."""
    scale(3)(world)
    _until(world, lambda: len(world.pods) == 3)
    scale(1)(world)
    _until(world, lambda: sum(disk.retired for disk in world.disks.values()) == 2)
    scale(3)(world)
    _until(world, lambda: len(world.cluster.joints) > 0, most=2)
    recreate(1)(world)


def _until(world: World, is_so: Callable[[], bool], most: int = 20) -> None:
    for _ in range(most):
        if is_so():
            return
        world.operate()
        world.tick()


def recreate_slowly(world: World) -> None:
    """Made anew with disk 0 lost, and the members that have the data come up late."""
    world.disks.pop(0)
    recreate(world.spec.replicas)(world)
    world.slow = frozenset({1, 2})
    for _ in range(6):
        world.operate()
        world.tick()
    wake(world)


def wake(world: World) -> None:
    """Whatever hangs goes on."""
    world.slow = frozenset()
    for pod in world.pods.values():
        pod.hung = False


def roll_while_one_hangs(world: World) -> None:
    world.pods[0].hung = True
    world.tick()
    image("v2")(world)
    for _ in range(10):
        world.operate()
        world.tick()
    wake(world)


def bad_image(world: World) -> None:
    """Nobody else ends a pod meanwhile, so that the canary is the only one to get it."""
    world.counts_canaries = True
    image("bad")(world)


def bad_image_while_one_ends(world: World) -> None:
    """Another pod than the canary ends, and gets it too, so that nobody leads any more."""
    image("bad")(world)
    for _ in range(4):
        world.operate()
        world.tick()
    world.pods[1].terminating = True
    world.tick()


def hibernate(on: bool) -> Turn:
    def turn(world: World) -> None:
        world.spec = world.spec._replace(hibernate=on)

    return turn


def grow_disks(size_bytes: int) -> Turn:
    def turn(world: World) -> None:
        world.spec = world.spec._replace(storage_bytes=size_bytes)

    return turn


def ask(kind: TaskKind, subject: str = "") -> Turn:
    def turn(world: World) -> None:
        world.asked.ask(kind, subject)

    return turn


def ask_what_only_a_newer_one_knows(world: World) -> None:
    world.asked.ask(TaskKind.UNKNOWN, "FlyToTheMoon")
    world.asked.ask(TaskKind.SNAPSHOT)


def ask_to_lead(ordinal: int) -> Turn:
    def turn(world: World) -> None:
        world.asked.ask(TaskKind.TRANSFER, world.disks[ordinal].member or "")

    return turn


def ask_to_lead_and(ordinal: int, then: Turn) -> Turn:
    def turn(world: World) -> None:
        ask_to_lead(ordinal)(world)
        then(world)

    return turn


def unknown_data_acknowledged(world: World) -> None:
    """A claim of which nobody knows is in the way of a member, and a person gives it up."""
    world.disks[3] = Disk(world.uid("claim"), size_bytes=10, member=None)
    scale(5)(world)
    world.asked.ask(TaskKind.ACKNOWLEDGE_DATA, "data-log-3", world.disks[3].uid)


def other_operator_acknowledged(world: World) -> None:
    """Another operator than the one that the log knows, and a person says that this is right."""
    world.operator = Operator(7, "other/lease#7")
    world.asked.ask(TaskKind.ACKNOWLEDGE_OPERATOR, "ns/lease")
    scale(5)(world)


def hang(*ordinals: int) -> Turn:
    """These pods answer nobody."""

    def turn(world: World) -> None:
        for ordinal in ordinals:
            world.pods[ordinal].hung = True
        world.tick()

    return turn


def _come_of(world: World, task: str, most: int = 20) -> None:
    """Until the task has ended, by an operator that is started anew whenever it dies."""
    for _ in range(most):
        if task in world.asked.ended:
            return
        try:
            world.operate()
        except OperatorDied:
            world.before_write = world.after_write = None
        world.tick()


def give_up_disks(*ordinals: int) -> Turn:
    """A person acknowledges that these disks go."""

    def turn(world: World) -> None:
        for at in ordinals:
            kind = TaskKind.ACKNOWLEDGE_DATA
            world.asked.ask(kind, f"data-log-{at}", world.disks[at].uid)

    return turn


def surveyed(world: World) -> str:
    """A survey, until it has ended; its task."""
    task = world.asked.ask(TaskKind.SURVEY)
    _come_of(world, task)
    return task


def ask_to_recover(world: World, survey: str, *, forget: int = 0) -> str:
    """As the report says how; the task. forget: so many of the stopped."""
    found = world.asked.reports[survey]
    others = {*(each.member for each in found.members), *(each.member for each in found.missing)}
    stopped = tuple(sorted(others - {found.best}))[forget:]
    return world.asked.ask(TaskKind.RECOVER, found.best, survey=survey, stopped=stopped)


def majority_lost(*gone: int, survivors: tuple[int, ...]) -> Turn:
    """These hang; one of the others goes on alone; all come back, and those that were left out are
    given up by a person, so that others take their place."""

    def turn(world: World) -> None:
        hang(*gone)(world)
        survey = surveyed(world)
        _come_of(world, ask_to_recover(world, survey))
        wake(world)
        left = world.asked.reports[survey].best
        out = [at for at in (*gone, *survivors) if world.disks[at].member != left]
        give_up_disks(*out)(world)

    return turn


def survey_taken_back(world: World) -> None:
    """Those that were away come back before anybody was forced, and do."""
    hang(0, 1)(world)
    survey = surveyed(world)
    wake(world)
    world.asked.ask(TaskKind.CANCEL_SURVEY, survey=survey)


def recovered_wrongly_and_taken_back(world: World) -> None:
    """Not all that are stopped are named; nothing is done, and the survey is taken back."""
    hang(0, 1)(world)
    survey = surveyed(world)
    _come_of(world, ask_to_recover(world, survey, forget=1))
    wake(world)
    world.asked.ask(TaskKind.CANCEL_SURVEY, survey=survey)


def cancelled_at_once(world: World) -> None:
    """A survey that nobody answers is taken back while it waits."""
    hang(0, 1, 2)(world)
    survey = world.asked.ask(TaskKind.SURVEY)
    world.asked.ask(TaskKind.CANCEL_SURVEY, survey=survey)
    _come_of(world, survey, most=6)
    if survey not in world.asked.ended:
        raise AssertionError("a survey goes on although it is taken back")
    wake(world)


NOT_NEEDED: Final = "a survey of a log that is well"
WRONGLY: Final = "a recovery that forgets one, taken back"
AT_ONCE: Final = "a survey taken back while it waits"
NEWER: Final = "what only a newer operator knows"

TASK_PATHS: Final = (
    Path("a snapshot", 3, (ask(TaskKind.SNAPSHOT),)),
    Path("another leads", 3, (ask_to_lead(2),)),
    Path("another leads, of one that leaves", 3, (ask_to_lead_and(2, scale(1)),)),
    Path("another leads, in a roll", 3, (ask_to_lead_and(2, image("v2")),)),
    Path("nobody's name is to lead", 3, (ask(TaskKind.TRANSFER, "member-nobody"),)),
    Path("a bad image is tried again", 3, (bad_image, ask(TaskKind.RETRY_VERSION))),
    Path("unknown data are given up", 3, (unknown_data_acknowledged,)),
    Path("the other operator is gone", 3, (other_operator_acknowledged,)),
    Path(NEWER, 3, (ask_what_only_a_newer_one_knows,)),
    Path("several at once", 3, (
        ask(TaskKind.SNAPSHOT), ask_to_lead_and(1, ask(TaskKind.SNAPSHOT)),
    )),
    Path("two of three lost", 3, (majority_lost(0, 1, survivors=(2,)),)),
    Path("three of five lost", 5, (majority_lost(0, 1, 3, survivors=(2, 4)),)),
    Path("the only one lost to others", 2, (majority_lost(0, survivors=(1,)),)),
    Path("a survey taken back", 3, (survey_taken_back,)),
    Path(WRONGLY, 3, (recovered_wrongly_and_taken_back,)),
    Path(NOT_NEEDED, 3, (ask(TaskKind.SURVEY),)),
    Path(AT_ONCE, 3, (cancelled_at_once,)),
)  # fmt: skip
"""Ways with something that is asked for once."""

PATHS: Final = (
    Path("one three five three one", 1, (scale(3), scale(5), scale(3), scale(1))),
    Path("up again over retired claims", 3, (scale(1), scale(3))),
    Path("even counts", 2, (scale(4), scale(2))),
    Path("turned round early", 3, (midway(5, 2), midway(1, 2))),
    Path("turned round late", 3, (midway(5, 5), midway(1, 5))),
    Path("the leader leaves", 3, (lead(2), scale(1))),
    Path("disk 0 lost", 3, (lose_disk(0),)),
    Path("disk 0 lost, and three become one", 3, (lose_disk_and(0, scale(1)),)),
    Path("disk 0 lost, and five become three", 5, (lose_disk_and(0, scale(3)),)),
    Path("a roll", 3, (image("v2"),)),
    Path("a roll of one", 1, (image("v2"),)),
    Path("a bad image, and back", 3, (bad_image, image("v1"), image("v2"))),
    Path("a bad image among five", 5, (bad_image, scale(3), image("v2"))),
    Path("a bad image while one ends", 3, (bad_image_while_one_ends, image("v2"))),
    Path("a roll while one hangs", 3, (roll_while_one_hangs,)),
    Path("made anew while some are slow and disk 0 is lost", 3, (recreate_slowly,)),
    Path("one, made anew with three over retired claims", 3, (scale(1), recreate(3))),
    Path("made anew with fewer", 5, (recreate(3),)),
    Path("made anew with more", 3, (recreate(5),)),
    Path("made anew at once, with fewer", 5, (recreate_at_once(3), recreate_at_once(1))),
    Path("turned round over retired disks, and made anew", 1, (turned_round_over_retired,)),
    Path("removed by others", 3, (expel(1), expel(0))),
    Path("removed by others while it hangs", 3, (expel_while_it_hangs(2),)),
    Path("removed by others, and asleep", 3, (expel_and_sleep(1), hibernate(False))),
    Path("a leave that is not committed", 5, (leave_uncommitted(3), leave_uncommitted(1))),
    Path("asleep and awake", 3, (hibernate(True), hibernate(False))),
    Path("larger disks", 3, (grow_disks(20), scale(5))),
)
