"""What must not go on by itself waits, and says why by its code."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from replog.wire.schemas import MayStop
from replog_operator.model.observed import Operator
from replog_operator.model.plan import Lane, Plan
from replog_operator.model.steps import DeleteClaim, DeletePod, EvictPod, ExpandClaim, SetTarget
from replog_operator.planner.plan import plan
from tests.properties.planner.paths import recreate, scale, spec
from tests.properties.planner.test_paths import settle
from tests.properties.planner.world import Disk, World


def three() -> World:
    world = World(spec(3))
    settle(world)
    return world


def all_disks_lost(world: World) -> None:
    """The claims are still there, and what was on them is not."""
    for disk in world.disks.values():
        disk.member = None
    world.pods.clear()
    world.cluster.leader = None
    world.tick()


def all_disks_lost_and_made_anew(world: World) -> None:
    all_disks_lost(world)
    recreate(3)(world)


def majority_lost(world: World) -> None:
    for at in (1, 2):
        world.disks[at].member = None
        world.pods.pop(at)
    world.cluster.leader = None


def newer_operator(world: World) -> None:
    world.cluster.epoch, world.cluster.holder = 9, "ns/lease#9"
    scale(5)(world)


def other_operator(world: World) -> None:
    world.operator = Operator(7, "other/lease#7")
    scale(5)(world)


def other_cluster(world: World) -> None:
    world.disks[2].cluster_id = "uid-other"


def unknown_data(world: World) -> None:
    world.disks[3] = Disk("claim-foreign", size_bytes=10, member="member-foreign")
    scale(5)(world)


def twins(world: World) -> None:
    world.disks[2].member = world.disks[1].member


GATES: tuple[tuple[str, Callable[[World], None]], ...] = (
    ("QuorumLost", all_disks_lost),
    ("QuorumLost", all_disks_lost_and_made_anew),
    ("QuorumLost", majority_lost),
    ("NewerOperator", newer_operator),
    ("OtherOperator", other_operator),
    ("ClusterIDMismatch", other_cluster),
    ("UnknownData", unknown_data),
    ("TwinMembers", twins),
)


def held_otherwise(world: World) -> dict[str, Plan]:
    """What is waited for in the end where a fact of the platform is in the way, by code."""
    seen = world.observe()
    workload = seen.workload
    assert workload is not None
    more = world.spec._replace(replicas=5)
    fourth = seen.claims[0]._replace(name="data-log-3", ordinal=3, uid="c3", member_id="gone")
    refused = tuple(claim._replace(refusal="its class does not allow it") for claim in seen.claims)
    word = seen.answers[1]
    ended = {
        state: seen._replace(answers={**seen.answers, 1: replace(word, state=state)})
        for state in ("fenced", "removed")
    }
    outdated = seen._replace(
        workload=workload._replace(template="v2", revision="v2"), template="v2"
    )
    return {
        "ClaimTerminating": plan(
            more, seen._replace(claims=(*seen.claims, fourth._replace(terminating=True)))
        ),
        "ExpansionRefused": plan(
            world.spec._replace(storage_bytes=99), seen._replace(claims=refused)
        ),
        "Fenced": plan(world.spec, ended["fenced"]),
        "Removed": plan(world.spec, ended["removed"]),
        "RollQueued": plan(
            world.spec, outdated._replace(platform=seen.platform._replace(may_roll=False))
        ),
        "WorkloadTerminating": plan(
            world.spec, seen._replace(workload=workload._replace(terminating=True))
        ),
    }


def test_what_the_platform_is_in_the_way_of_waits_and_says_why() -> None:
    for code, found in held_otherwise(three()).items():
        assert code in {wait.code for wait in found.waits}, (code, found)
        dangerous = (DeleteClaim, DeletePod, EvictPod, SetTarget)
        assert not [step for step in found.steps if isinstance(step.step, dangerous)], found


@pytest.mark.parametrize(
    ("asked", "has", "refusal", "found"),
    [
        (10, 10, "", 20),
        (10, 10, "the class does not expand", "ExpansionRefused"),
        (20, 10, "the driver failed", "ExpansionRefused"),
        (30, 10, "the driver failed", 20),
        (30, 20, "the driver failed", None),
        (30, 30, "", None),
        (20, 10, "", None),
    ],
)
def test_a_disk_is_asked_for_what_is_wanted_and_for_no_less_than_it_has(
    asked: int, has: int, refusal: str, found: int | str | None
) -> None:
    """`found`: the size that is asked for, the code of a wait, or nothing."""
    world = three()
    seen = world.observe()
    claims = tuple(
        claim._replace(size_bytes=asked, capacity_bytes=has, refusal=refusal)
        for claim in seen.claims
    )
    made = plan(world.spec._replace(storage_bytes=20), seen._replace(claims=claims))
    sizes = {step.step.size_bytes for step in made.steps if isinstance(step.step, ExpandClaim)}
    assert {*sizes, *(wait.code for wait in made.waits)} == ({found} if found else set())


def test_a_target_whose_majority_is_silent_is_not_set() -> None:
    world = World(spec(5))
    settle(world)
    for at in (0, 1):
        world.pods[at].hung = True
    world.cluster.leader = world.disks[4].member
    world.tick()
    scale(3)(world)
    before = world.cluster.operations.copy()
    found = world.run(6)
    assert members_waits(found) == {"TargetMemberUnavailable"}
    assert world.cluster.operations == before


def members_waits(found: Plan) -> set[str]:
    return {wait.code for wait in found.waits if wait.lane in (Lane.MEMBERS, Lane.REPAIR)}


@pytest.mark.parametrize(
    ("code", "happens"), GATES, ids=lambda found: getattr(found, "__name__", found)
)
def test_a_gate_holds_the_members_and_says_why(code: str, happens: Callable[[World], None]) -> None:
    world = three()
    clusters = world.cluster.operations.copy()
    happens(world)
    found = Plan()
    for _ in range(12):
        found = world.operate()
        world.tick()
        dangerous = (DeleteClaim, DeletePod, EvictPod, SetTarget)
        assert not [step for step in found.steps if isinstance(step.step, dangerous)], found
    assert members_waits(found) == {code}, found
    assert world.cluster.operations == clusters


def test_a_suspended_log_is_looked_at_and_left_alone() -> None:
    world = three()
    world.spec = world.spec._replace(suspend=True)
    scale(5)(world)
    before = list(world.writes)
    found = world.run(5)
    assert world.writes == before
    assert found.waits[0].code == "Suspended" and "claim" in found.waits[0].evidence


def test_a_resource_on_its_way_out_is_left_alone() -> None:
    world = three()
    world.spec = world.spec._replace(deleting=True)
    world.pods.pop(0)
    assert world.plan() == Plan()


def test_a_foreign_workload_is_left_alone() -> None:
    world = three()
    assert world.workload is not None
    world.workload = world.workload._replace(foreign=True)
    scale(5)(world)
    found = world.plan()
    assert found.steps == () and {wait.code for wait in found.waits} == {"ForeignObject"}


def test_nobody_is_restarted_while_the_strategy_is_on_delete() -> None:
    world = three()
    world.spec = world.spec._replace(leader_last=False)
    world.image = "v2"
    world.run(10)
    assert {pod.revision for pod in world.pods.values()} == {"v1"}
    world.pods[1].terminating = True
    world.run(10)
    assert world.pods[1].revision == "v2" and world.pods[0].revision == "v1"


def test_a_member_that_lags_holds_the_roll() -> None:
    world = three()
    world.image = "v2"
    world.operate()
    seen = world.observe()
    lagging = {member: _forbidden(stop) for member, stop in seen.stops.items()}
    found = plan(world.spec, seen._replace(stops=lagging))
    assert members_waits(found) == {"MayNotStop"} and "lags" in found.waits[0].evidence
    world.run(30)
    assert {pod.revision for pod in world.pods.values()} == {"v2"}


def _forbidden(stop: MayStop) -> MayStop:
    return replace(stop, may_stop=False, reasons=["another one lags"])
