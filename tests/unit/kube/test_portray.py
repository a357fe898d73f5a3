"""People are told what is so and what is planned: the same world as the planner's, in rows."""

import msgspec
import pytest

from replog.wire.schemas import ClusterStatus
from replog_operator.kube.children.names import BAD_TEMPLATE
from replog_operator.kube.children.pod import pod_template, template_of
from replog_operator.kube.kinds import CLAIM, POD, STATEFUL_SET
from replog_operator.kube.picture import Picture
from replog_operator.kube.portray import KINDS, portray
from replog_operator.kube.status import summary
from replog_operator.model import steps
from replog_operator.planner.plan import plan
from tests.unit.kube.members import CLUSTER
from tests.unit.kube.wanting import wanted
from tests.unit.kube.world import World, pod, set_of


def told(world: World) -> Picture:
    wishes, seen = world.wishes(), world.observed()
    return portray(wishes, world.wanted(), seen, plan(wishes.log, seen))


def without_leader(world: World) -> World:
    for uid, answer in world.answers.items():
        if isinstance(answer, ClusterStatus):
            world.answers[uid] = msgspec.structs.replace(answer, role="follower", leader=None)
    return world


def test_a_log_that_is_well() -> None:
    found = told(World())

    assert summary(found) == "Ready"
    assert (found.wanted, found.pods, found.ready, found.tolerates) == (3, 3, 3, 1)
    assert (found.cluster_id, found.lineage, found.retention) == (CLUSTER, "1.9f2c", "Retain")
    assert found.updated and found.reached and found.admitting
    assert [(row.id, row.pod, row.role, row.leads) for row in found.members] == [
        ("member-0", "orders-0", "voter", True),
        ("member-1", "orders-1", "voter", False),
        ("member-2", "orders-2", "voter", False),
    ]


def test_what_its_leader_waits_for_and_only_people_can_end_is_a_wait_of_the_log() -> None:
    world = World()
    wishes, seen = world.wishes(), world.observed()
    ill = seen._replace(blockers={"DiskFull": "member-1: 3 MiB free", "LearnerBehind": "passes"})

    found = portray(wishes, world.wanted(), ill, plan(wishes.log, ill))

    assert [tuple(row) for row in found.waits] == [("DiskFull", "member-1: 3 MiB free")]
    assert summary(found) == "DiskFull"


def test_more_members_are_a_scale_from_the_first_step_on() -> None:
    found = told(World(replicas=5))

    assert found.operation is not None
    assert (found.operation.kind, found.operation.blocked_on) == ("Scale", "")
    assert not found.reached


def test_another_image_is_applied_and_then_rolled() -> None:
    applying = told(World(image="replicated-log:2.0"))
    world = World(image="replicated-log:2.0")
    newer = set_of(wanted(image="replicated-log:2.0"), good="the former")
    newer["status"]["updateRevision"] = "orders-newer"
    world.objects[STATEFUL_SET] = [newer]
    rolling = told(world)

    assert applying.operation is not None and applying.operation.kind == "Apply"
    assert applying.not_updated[0] == "TemplatePending"
    assert rolling.operation is not None and rolling.operation.kind == "Roll"
    assert rolling.not_updated[0] == "PodsOutdated"
    assert rolling.updated is False


def test_a_version_that_was_given_up_is_named_and_nothing_is_under_way() -> None:
    world = World(image="replicated-log:2.0")
    bad = template_of(pod_template(wanted(image="replicated-log:2.0")))
    world.objects[STATEFUL_SET][0]["metadata"]["annotations"][BAD_TEMPLATE] = bad

    found = told(world)

    assert found.not_updated[0] == "BadVersion"
    assert [wait.code for wait in found.waits] == ["BadVersion"]
    assert found.operation is None


def test_without_a_leader_the_wait_is_told_and_nobody_knows_what_may_fail() -> None:
    found = told(without_leader(World()))

    assert [wait.code for wait in found.waits] == ["NoLeader"]
    assert found.tolerates is None and not found.admitting
    assert not any(row.leads for row in found.members)


def test_a_member_without_a_pod_and_a_pod_without_a_member_are_both_told() -> None:
    world = World()
    world.objects[POD] = [*world.objects[POD][:2], pod(3)]

    rows = {row.pod: row for row in told(world).members}

    assert (rows["orders-2"].state, rows["orders-2"].role) == ("missing", "voter")
    assert (rows["orders-3"].state, rows["orders-3"].role, rows["orders-3"].id) == (
        "ready", "", "",
    )  # fmt: skip


def test_data_goes_with_the_resource_only_once_every_claim_says_so() -> None:
    world = World()
    owner = {"kind": "ReplicatedLog", "uid": wanted().uid, "name": "orders"}
    for claim in world.objects[CLAIM][:2]:
        claim["metadata"]["ownerReferences"] = [owner]
    assert told(world).retention == "Retain"
    world.objects[CLAIM][2]["metadata"]["ownerReferences"] = [owner]

    assert told(world).retention == "Delete"


def test_a_suspended_log_tells_what_would_be_done() -> None:
    found = told(World(replicas=5, suspend=True))

    assert found.suspended and found.operation is None
    assert found.waits[0].code == "Suspended"
    assert summary(found) == "Suspended"


def test_a_log_that_begins_is_founded() -> None:
    world = World()
    world.resource["status"] = {}
    world.answers = {}
    for items in world.objects.values():
        items.clear()

    found = told(world)

    assert found.cluster_id == "" and found.updated is None
    assert found.operation is not None and found.operation.kind == "Apply"


@pytest.mark.parametrize("step", steps.Step.__args__, ids=lambda step: step.__name__)
def test_every_step_of_the_planner_belongs_to_something(step: type) -> None:
    assert KINDS[step].isalpha()
