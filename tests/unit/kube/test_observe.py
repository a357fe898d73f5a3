"""What the planner is told of a cluster is what is so, in its own words."""

import pytest

from replog_operator.kube.children.names import BAD_TEMPLATE
from replog_operator.kube.children.pod import pod_template, template_of
from replog_operator.kube.kinds import BUDGET, CLAIM, CONFIG_MAP, POD, SERVICE, STATEFUL_SET
from replog_operator.kube.observe import foreign_waits
from replog_operator.members.nodes import Silent
from replog_operator.model.observed import PodState, TaskKind
from replog_operator.model.plan import Plan
from replog_operator.planner.plan import plan
from tests.unit.kube.members import CLUSTER
from tests.unit.kube.wanting import wanted
from tests.unit.kube.world import REVISION_NAME, World, claim, kept, pod, set_of, status

GIB = 1024**3


def planned(world: World) -> Plan:
    return plan(world.wishes().log, world.observed())


def test_of_a_log_that_is_as_wanted_nothing_is_planned() -> None:
    assert planned(World()) == Plan()


def test_pods_claims_and_answers_meet_at_their_ordinals() -> None:
    seen = World().observed()

    assert [found.ordinal for found in seen.pods] == [0, 1, 2]
    assert {found.state for found in seen.pods} == {PodState.READY}
    assert [found.member_id for found in seen.claims] == ["member-0", "member-1", "member-2"]
    assert {at: found.member for at, found in seen.answers.items()} == {
        0: "member-0", 1: "member-1", 2: "member-2",
    }  # fmt: skip
    assert seen.addresses[2] == "orders-2.orders-peers.shop.svc:7411"
    assert (seen.cluster_id, list(seen.blockers)) == (CLUSTER, ["LearnerBehind"])


def test_a_silent_member_has_no_answer() -> None:
    world = World()
    world.answers["uid-of-orders-1"] = Silent("no route")
    assert world.observed().silent == {1: "no route"}

    assert set(world.observed().answers) == {0, 2}


def test_an_answer_belongs_to_the_pod_that_gave_it_and_not_to_its_name() -> None:
    world = World()
    world.objects[POD][1] = pod(1, uid="uid-of-its-successor")

    assert set(world.observed().answers) == {0, 2}


def test_addresses_reach_to_the_highest_ordinal_that_there_is() -> None:
    world = World(replicas=1)
    world.objects[CLAIM].append(claim(6))

    assert len(world.observed().addresses) == 7


def test_sizes_are_bytes() -> None:
    world = World()

    assert {found.size_bytes for found in world.observed().claims} == {10 * GIB}
    assert world.wishes().log.storage_bytes == 10 * GIB


def test_a_refused_growth_is_remembered_for_its_claim_alone() -> None:
    refusals = {"uid-of-data-orders-1": "forbidden"}

    assert [found.refusal for found in World().observed(**refusals).claims] == ["", "forbidden", ""]


def test_the_workload_is_read_with_what_is_noted_on_it() -> None:
    world = World()
    world.objects[STATEFUL_SET][0]["metadata"]["annotations"][BAD_TEMPLATE] = "bad"

    workload = world.observed().workload

    assert workload is not None and not workload.foreign
    assert (workload.replicas, workload.revision, workload.bad_template) == (
        3, REVISION_NAME, "bad",
    )  # fmt: skip
    assert workload.template == workload.good_template == template_of(pod_template(wanted()))


@pytest.mark.parametrize("image", ["replicated-log:1.0", "replicated-log:2.0"])
def test_another_image_is_another_template(image: str) -> None:
    seen = World(image=image).observed()

    assert seen.workload is not None
    assert (seen.template == seen.workload.template) is (image == "replicated-log:1.0")


def test_a_stateful_set_of_that_name_that_somebody_else_made_is_foreign() -> None:
    world = World()
    world.objects[STATEFUL_SET][0]["metadata"]["labels"] = {}

    workload = world.observed().workload

    assert workload is not None and workload.foreign
    assert [wait.code for wait in planned(world).waits] == ["ForeignObject"]


def test_a_child_that_is_missing_or_changed_is_stale() -> None:
    world = World()
    world.objects[CONFIG_MAP].clear()
    world.objects[SERVICE][0]["metadata"]["annotations"] = {}

    assert set(world.observed().stale) == {"configmaps/orders", "services/orders-peers"}


def test_a_service_of_that_name_that_somebody_else_made_is_left_alone() -> None:
    world = World()
    world.objects[SERVICE][1]["metadata"]["labels"] = {"app": "shop"}

    assert world.around().foreign == ("services/orders",)
    assert "services/orders" not in world.observed().stale
    assert [wait.code for wait in foreign_waits(world.around())] == ["ForeignObject"]
    assert foreign_waits(World().around()) == ()


def test_a_child_of_another_resource_of_that_name_is_left_alone() -> None:
    world = World()
    world.objects[SERVICE][1]["metadata"]["ownerReferences"][0]["uid"] = "uid-of-the-former"

    assert world.around().foreign == ("services/orders",)


def test_a_child_that_its_former_resource_left_behind_is_taken_over() -> None:
    world = World()
    del world.objects[SERVICE][1]["metadata"]["ownerReferences"]

    assert world.around().foreign == ()


def test_a_budget_that_should_not_be_there_is_to_be_removed() -> None:
    world = World(replicas=1)
    world.objects[STATEFUL_SET] = [set_of(wanted(replicas=1))]

    assert "poddisruptionbudgets/orders" in world.observed().stale
    assert [kind for kind, _ in world.around().remove] == [BUDGET]


def test_the_claim_template_keeps_the_size_that_the_stateful_set_has() -> None:
    world = World(storage={"size": "20Gi", "className": "standard"})

    assert (world.wanted().template_size, world.wanted().claim_size) == ("10Gi", "20Gi")


def test_while_members_run_the_children_are_for_as_many_as_run() -> None:
    assert World(replicas=5).wanted().replicas == 3


def test_what_may_fail_is_counted_from_the_leaders_word() -> None:
    world = World()

    assert world.wanted().tolerates == 1
    world.answers = {"uid-of-orders-1": status(1)}
    assert world.wanted().tolerates is None


def test_before_there_is_anything_all_children_are_to_be_made() -> None:
    world = World()
    world.resource["status"] = {}
    world.answers = {}
    for items in world.objects.values():
        items.clear()

    seen = world.observed()

    assert seen.workload is None and seen.cluster_id == ""
    assert len(seen.stale) == 6


def test_open_tasks_reach_the_planner() -> None:
    world = World()
    world.tasks = [
        kept({"metadata": {"name": "now", "creationTimestamp": "2026-11-25T10:00:00Z"},
              "spec": {"log": "orders", "action": "Snapshot"}})
    ]  # fmt: skip

    assert [task.kind for task in world.observed().tasks] == [TaskKind.SNAPSHOT]
