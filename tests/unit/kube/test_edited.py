"""A StatefulSet that somebody has edited gets our template again; no edit is rolled out."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from replog_operator.kube.apply import Applied
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.edited import is_edited
from replog_operator.kube.kinds import STATEFUL_SET
from replog_operator.model.steps import ApplyTemplate
from replog_operator.planner.plan import plan
from tests.unit.kube.world import World, set_of


def template_of(stored: Object) -> Any:
    return stored["spec"]["template"]


def container(stored: Object) -> Any:
    return template_of(stored)["spec"]["containers"][0]


def image(stored: Object) -> None:
    container(stored)["image"] = "somebody/else:1"


def strategy(stored: Object) -> None:
    stored["spec"]["updateStrategy"] = {"type": "RollingUpdate"}


def retention(stored: Object) -> None:
    stored["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] = "Delete"


def no_probe(stored: Object) -> None:
    del container(stored)["livenessProbe"]


def args(stored: Object) -> None:
    container(stored)["args"].append("--insecure")


def environment(stored: Object) -> None:
    container(stored)["env"][-1]["value"] = "elsewhere:1"


EDITS = (image, strategy, retention, no_probe, args, environment)


def replicas(stored: Object) -> None:
    stored["spec"]["replicas"] = 2


def restarted(stored: Object) -> None:
    template_of(stored)["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "now"


def defaults(stored: Object) -> None:
    container(stored)["terminationMessagePath"] = "/dev/termination-log"
    container(stored)["livenessProbe"]["successThreshold"] = 1
    template_of(stored)["spec"]["volumes"][1] = {"name": "tmp"}
    template_of(stored)["spec"]["volumes"][0]["configMap"]["defaultMode"] = 420


def sidecar(stored: Object) -> None:
    template_of(stored)["spec"]["containers"].insert(0, {"name": "mesh", "image": "mesh:1"})
    container_of_ours = template_of(stored)["spec"]["containers"][1]
    container_of_ours["env"].insert(0, {"name": "MESH", "value": "1"})


def same_room_in_other_words(stored: Object) -> None:
    container(stored)["resources"] = {"requests": {"cpu": "1"}}


def with_room() -> World:
    """A log whose nodes have their room set."""
    world = World(resources={"requests": {"cpu": "100m", "memory": "1Gi"}})
    world.objects[STATEFUL_SET] = [set_of(world.wanted())]
    return world


@pytest.mark.parametrize(
    ("cpu", "memory", "is_edit"),
    [("0.1", "1073741824", False), ("1m", "1Gi", True), ("100m", "2Gi", True), (None, "1Gi", True)],
)
def test_room_is_compared_by_its_amount(cpu: str | None, memory: str, is_edit: bool) -> None:
    world = with_room()
    requests = {"memory": memory} | ({} if cpu is None else {"cpu": cpu})
    container(world.objects[STATEFUL_SET][0])["resources"]["requests"] = requests
    assert world.around().edited == is_edit


SELECTING = {
    "kind": "NetworkPolicy",
    "metadata": {"labels": {"a": "1"}},
    "spec": {
        "podSelector": {"matchLabels": {"a": "1"}},
        "ingress": [
            {"ports": [{"port": 1}], "from": [{"podSelector": {"matchLabels": {"a": "1"}}}]}
        ],
    },
}


def test_what_selects_pods_or_lets_somebody_in_is_one_value() -> None:
    assert not is_edited(deepcopy(SELECTING), SELECTING)
    edits: tuple[Callable[[Any], Any], ...] = (
        lambda spec: spec["podSelector"]["matchLabels"].update(x="y"),
        lambda spec: spec["podSelector"].update(matchExpressions=[{"key": "z"}]),
        lambda spec: spec["ingress"][0]["from"][0].update(namespaceSelector={}),
        lambda spec: spec["ingress"][0]["from"].append({"ipBlock": {"cidr": "0.0.0.0/0"}}),
        lambda spec: spec["ingress"].append({}),
        lambda spec: spec["ingress"][0]["ports"][0].update(endPort=9),
    )
    for edit in edits:
        stored = deepcopy(SELECTING)
        edit(stored["spec"])
        assert is_edited(stored, SELECTING), stored
    service = {"kind": "Service", "metadata": {}, "spec": {"selector": {"a": "1"}}}
    wider = {**service, "spec": {"selector": {"a": "1", "x": "y"}}}
    assert is_edited(wider, service) and not is_edited(service, service)


ADDITIONS = (replicas, restarted, defaults, sidecar, same_room_in_other_words)


def edited(edit: Callable[[Object], None]) -> World:
    world = World()
    stored = world.objects[STATEFUL_SET][0]
    edit(stored)
    stored["metadata"]["generation"] = 2
    stored["status"] = {"observedGeneration": 2, "updateRevision": "orders-edited"}
    return world


@pytest.mark.parametrize("edit", EDITS)
def test_what_is_edited_comes_back_and_no_pod_is_restarted_meanwhile(
    edit: Callable[[Object], None],
) -> None:
    world = edited(edit)
    seen = world.observed()
    assert seen.workload is not None
    assert (seen.workload.template, seen.workload.revision) == ("", "")
    steps = [step.step for step in plan(world.wishes().log, seen).steps]
    assert [type(step) for step in steps] == [ApplyTemplate]


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_others_add_is_theirs(addition: Callable[[Object], None]) -> None:
    seen = edited(addition).observed()
    assert seen.workload is not None
    assert (seen.workload.template, seen.workload.revision) == (seen.template, "orders-edited")


def test_what_a_server_makes_of_our_apply_is_applied_once_and_then_taken_as_it_is() -> None:
    """Else a webhook that sets its own image would have it applied in each pass, for ever."""
    world = edited(image)
    (stored,) = world.objects[STATEFUL_SET]
    applied = Applied()
    assert not applied.untouched(stored)
    applied.note(stored)
    assert applied.untouched(stored)
    world.untouched = True
    seen = world.observed()
    assert seen.workload is not None and seen.workload.revision == "orders-edited"


def test_another_template_is_compared_by_its_hash_alone() -> None:
    world = edited(image)
    world.resource["spec"]["image"] = "replog:2"
    seen = world.observed()
    assert seen.workload is not None
    assert seen.workload.revision == "orders-edited" and seen.workload.template != seen.template
