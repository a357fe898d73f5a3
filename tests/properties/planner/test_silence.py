"""A wait that names a silent member says why it is silent, as far as anybody knows."""

from __future__ import annotations

from typing import Any

from replog_operator.model.observed import PodState, TaskKind
from replog_operator.planner.plan import plan
from replog_operator.planner.silence import REASON_CHARS
from tests.properties.planner.paths import image, lead, scale, spec
from tests.properties.planner.test_paths import settle
from tests.properties.planner.world import World


def evidence(world: World, code: str, **changes: Any) -> str:
    """Of the wait with this code."""
    seen = world.observe()
    pods = tuple(pod._replace(**changes) if pod.ordinal == 1 else pod for pod in seen.pods)
    found = plan(world.spec, seen._replace(pods=pods, silent={0: "refused", 2: "no route"}))
    return next(wait.evidence for wait in found.waits if wait.code == code)


def test_of_who_does_not_answer_at_the_beginning() -> None:
    world = World(spec(3))
    while len(world.pods) < 3:
        world.run(1)
    world.pods[1].hung = world.pods[0].hung = True
    said = evidence(world, "MembersSilent", message="ErrImagePull: " + 1000 * "x")
    assert "log-0 (refused)" in said and "log-1 (ErrImagePull: xx" in said
    assert len(said) < 2 * REASON_CHARS


def test_of_a_new_member_and_of_one_that_is_renewed() -> None:
    world = World(spec(1))
    settle(world)
    scale(2)(world)
    world.spec = world.spec._replace(replicas=3)
    world.run(4)
    world.pods[1].hung = world.pods[2].hung = True
    said = evidence(world, "MembersSilent", message="Unschedulable: no node")
    assert "log-1 (Unschedulable: no node), log-2 (no route)" in said

    world = World(spec(3))
    settle(world)
    image("v2")(world)
    while world.pods.get(1) is None or world.pods[1].revision != "v2":
        world.run(1)
    world.pods[1].hung = True
    world.tick()
    said = evidence(
        world, "MemberRestarting", message="CrashLoopBackOff: back-off", state=PodState.UNREADY
    )
    assert said.endswith("log-1 is renewed and not well yet: CrashLoopBackOff: back-off")


def test_of_who_is_to_lead_by_a_task() -> None:
    world = World(spec(3))
    settle(world)
    lead(0)(world)
    world.asked.ask(TaskKind.TRANSFER, world.disks[1].member or "")
    world.pods[1].hung = True
    said = evidence(world, "MembersSilent", message="CrashLoopBackOff: back-off")
    assert said == "task task-0: no answer from log-1 (CrashLoopBackOff: back-off)"
