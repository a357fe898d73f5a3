"""`kubectl rlog plan` shows the operator's next steps, and writes nothing."""

import json
from pathlib import Path

import pytest

from replog.wire.schemas import TargetStatus
from replog_operator.kube.apply import stamped
from replog_operator.kube.children.names import CLUSTER_ID
from replog_operator.kube.children.network_policy import network_policy
from replog_operator.kube.children.wanted import OperatorPods
from replog_operator.kube.kinds import CLAIM, CONFIG_MAP, NETWORK_POLICY, POD, SERVICE, STATEFUL_SET
from replog_operator.kube.observe import around, foreign_waits, observed, wanted_of
from replog_operator.kube.pods import REVISION_LABEL
from replog_operator.members.nodes import Silent
from replog_operator.model.observed import Capabilities, Operator
from replog_operator.model.plan import Lane, Plan
from replog_operator.model.steps import ApplyChildren, EvictPod, SetTarget
from replog_operator.planner.describe import describe
from replog_operator.planner.plan import plan
from replog_operator.plugin.look import (
    SILENT_S,
    doubts,
    lease_named,
    obeyed,
    operator_of,
    operator_pods,
    planned,
)
from tests.unit.kube.pod_objects import NOW_S
from tests.unit.kube.wanting import wanted
from tests.unit.kube.world import IMAGE, OPERATOR, World, by_hash, claim, kept, pod, status
from tests.unit.plugin.served import served

ORDERED = "plan", "orders"


def seen_by(world: World, operator: Operator = OPERATOR) -> Plan:
    """What the plugin plans."""
    return planned(world.gathered(), operator, NOW_S)


def by_the_operator(world: World) -> Plan:
    """What a pass of the operator plans, that knows what it has applied."""
    found, log = world.gathered(), world.wishes()
    should = wanted_of(log, found, IMAGE, wanted().operator)
    children = around(found, should, by_hash, lambda _stored: True)
    seen = observed(
        log, found, should, children, operator=OPERATOR, platform=Capabilities(), refused_growth={},
        now_s=NOW_S,
    )  # fmt: skip
    made = plan(log.log, seen)
    return made._replace(waits=(*made.waits, *foreign_waits(children)))


def silent(world: World) -> None:
    world.answers["uid-of-orders-2"] = Silent("no route")


def stray(world: World) -> None:
    world.objects[CLAIM][1] = claim(1, **{CLUSTER_ID: "another"})


def missing(world: World) -> None:
    world.objects[SERVICE].pop()


def nothing(world: World) -> None:
    del world


@pytest.mark.parametrize("changed", [nothing, silent, stray, missing])
@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"replicas": 5},
        {"replicas": 1},
        {"image": "other:1"},
        {"hibernate": True},
        {"suspend": True, "replicas": 5},
        {"storage": {"size": "20Gi", "className": "standard"}},
    ],
)
def test_it_plans_what_the_operator_plans(changed: object, spec: dict[str, object]) -> None:
    world = World(**spec)
    assert callable(changed)
    changed(world)

    assert seen_by(world) == by_the_operator(world)


def test_of_a_log_that_is_as_wanted_nothing_is_planned() -> None:
    assert seen_by(World()) == Plan()


@pytest.mark.parametrize("where", ["label", "data", "spec", "hash"])
def test_a_child_that_somebody_edited_is_applied_again(where: str) -> None:
    world = World()
    config, service = world.objects[CONFIG_MAP][0], world.objects[SERVICE][0]
    match where:
        case "label":
            del service["metadata"]["labels"]["app.kubernetes.io/managed-by"]
        case "data":
            config["data"] = {"other": "x"}
        case "spec":
            service["spec"] = {**service["spec"], "selector": {"app": "other"}}
        case _:
            service["metadata"]["annotations"] = None
    name = f"configmaps/{config['metadata']['name']}" if where == "data" else None
    name = name or f"services/{service['metadata']['name']}"

    (step,) = seen_by(world).steps
    assert step.step == ApplyChildren((name,))


def test_an_edited_stateful_set_is_seen_as_after_a_start_of_the_operator() -> None:
    world = World()
    container = world.objects[STATEFUL_SET][0]["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "somebody:else"

    assert "ApplyTemplate" in [type(step.step).__name__ for step in seen_by(world).steps]


def test_what_the_operator_remembers_is_taken_from_the_status() -> None:
    storage = {"size": "20Gi", "className": "standard"}
    world = World(storage=storage)
    for each in world.objects[CLAIM]:
        each["status"] = {"capacity": {"storage": "10Gi"}}
    assert "ExpandClaim" in [type(step.step).__name__ for step in seen_by(world).steps]
    message = "A volume can't grow. data-orders-{} does not grow: the class forbids it"
    world.resource["status"]["waits"] = [
        {"code": "ExpansionRefused", "message": message.format(0)},
    ]
    made = seen_by(world)
    expands = [step.step for step in made.steps if type(step.step).__name__ == "ExpandClaim"]

    assert [step.claim.name for step in expands] == ["data-orders-1"]  # type: ignore[union-attr]


def test_another_logs_roll_is_waited_for_as_the_status_says() -> None:
    world = World()
    world.objects[POD] = [pod(at, labels={REVISION_LABEL: "former"}) for at in range(3)]
    assert [type(step.step) for step in seen_by(world).steps] == [EvictPod]
    world.resource["status"]["waits"] = [{"code": "RollQueued", "message": "next in turn"}]

    assert [wait.code for wait in seen_by(world).waits] == ["RollQueued"]


def test_it_plans_in_the_name_of_who_holds_the_lease() -> None:
    found = World().gathered()
    assert lease_named(obeyed(found.answers.values())) == ("replog-system", "replog-operator")
    assert operator_of(obeyed(found.answers.values()), None) == OPERATOR
    lease = {
        "metadata": {"resourceVersion": "1"},
        "spec": {"holderIdentity": "two", "leaseTransitions": 4, "leaseDurationSeconds": 15},
    }
    newer = operator_of(obeyed(found.answers.values()), lease)

    assert newer == Operator(4, "replog-system/replog-operator#two")
    (step,) = seen_by(World(), newer).steps
    assert isinstance(step.step, SetTarget) and step.step.why == "claim"


def test_a_lease_that_nobody_holds_changes_nothing() -> None:
    lease = {"metadata": {"resourceVersion": "1"}, "spec": {"leaseTransitions": 9}}

    assert operator_of(obeyed(World().answers.values()), lease) == OPERATOR


def test_a_log_that_no_operator_has_told_anything_is_planned_in_nobodys_name() -> None:
    world = World()
    for ordinal in range(3):
        no_target = TargetStatus([], "", True, 0, "")
        world.answers[f"uid-of-orders-{ordinal}"] = status(ordinal, target=no_target)

    assert lease_named(obeyed(world.answers.values())) is None
    assert operator_of(obeyed(world.answers.values()), None).epoch == 1


def test_the_operators_pods_are_those_of_the_policy_and_so_the_policy_is_as_it_should_be() -> None:
    operator = OperatorPods("replog-system", {"app": "operator"})
    world = World()
    policy = network_policy(wanted(operator=operator))
    assert policy is not None
    world.objects[NETWORK_POLICY] = [kept(stamped(policy))]

    assert operator_pods(world.gathered()) == operator
    assert seen_by(world) == Plan()
    world.objects[NETWORK_POLICY] = []
    assert operator_pods(world.gathered()) is None


def test_foreign_objects_are_waited_for() -> None:
    world = World()
    world.objects[SERVICE][0]["metadata"]["ownerReferences"] = [{"uid": "x", "controller": True}]

    (wait,) = seen_by(world).waits
    assert (wait.lane, wait.code) == (Lane.OBJECTS, "ForeignObject")


def test_doubts_are_told() -> None:
    resource = World().resource
    assert len(doubts(resource, None, NOW_S)) == 1  # nothing was told of this generation
    resource["status"]["observedGeneration"] = 4
    lease = {"spec": {"holderIdentity": "one", "renewTime": "2026-11-26T12:00:00.000000Z"}}
    renewed_s = 1795694400.0

    assert doubts(resource, lease, renewed_s + SILENT_S) == []
    assert "61 s ago" in doubts(resource, lease, renewed_s + 61)[0]
    assert "nobody holds" in doubts(resource, {"spec": {"renewTime": "x"}}, renewed_s)[0]


@pytest.mark.asyncio
async def test_the_command_asks_members_through_the_server_and_only_reads(tmp_path: Path) -> None:
    async with served(tmp_path, World(replicas=5)) as server:
        found = await server.run(*ORDERED)
        asked = server.asked

    expected = "\n".join(describe(seen_by(World(replicas=5))))
    assert (found.code, found.out.strip()) == (0, expected), found
    assert {line.split()[0] for line in asked} == {"GET"}
    assert "GET /api/v1/namespaces/shop/pods/orders-1:7401/proxy/v1/cluster" in asked


@pytest.mark.asyncio
async def test_programs_get_json_with_what_only_the_operator_knows(tmp_path: Path) -> None:
    world = World()
    world.resource["status"]["waits"] = [{"code": "StepFailed", "message": "refused"}]
    async with served(tmp_path, world) as server:
        found = await server.run(*ORDERED, "-o", "json")
        text = await server.run(*ORDERED)

    told = [{"code": "StepFailed", "message": "refused"}]
    assert json.loads(found.out) == {"steps": [], "waits": [], "told": told}
    assert "told     waits: StepFailed  refused" in text.out
    assert "newest spec" in text.err


@pytest.mark.asyncio
async def test_without_the_right_to_ask_members_there_is_no_plan(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        server.forbidden = {"/proxy/"}
        found = await server.run(*ORDERED)

    assert found.code == 1
    assert "pods/proxy is forbidden" in found.err and "docs/operator.md" in found.err
