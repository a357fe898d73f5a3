"""The API server itself refuses what no operator could make good, with a sentence that helps.

Nobody else is asked: no operator runs, no webhook. A rule that no edit here meets is a failure.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.api import Refused
from tests.cluster.kubectl import Done
from tests.cluster.node import Cluster
from tests.cluster.refusals import (
    EDITS,
    GOOD_TASKS,
    NAME_SAYS,
    NAMES,
    SCALES,
    TASK_SAYS,
    TASKS,
    Edit,
    log,
    sentences,
)
from tests.support.definitions import rules

INVALID = 422
pytestmark = pytest.mark.usefixtures("definitions")
BY_NAME = [pytest.param(edit, id=edit.name) for edit in EDITS]


@pytest.fixture(scope="module")
def where(cluster: Cluster, definitions: None) -> Iterator[str]:
    """A namespace with the log `orders`, which no test here manages to change."""
    name = "definitions"
    with cluster.network():
        cluster.api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        cluster.api.create(logs(name), log("orders"))
        yield name
        cluster.api.delete(f"/api/v1/namespaces/{name}")


def logs(namespace: str, name: str = "") -> str:
    """Path of the logs, or of one."""
    return f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs/{name}".rstrip("/")


def tasks(namespace: str, name: str = "") -> str:
    """Path of the tasks, or of one."""
    return logs(namespace, name).replace("replicatedlogs", "replicatedlogtasks")


def merged(found: Any, change: Any) -> Any:
    """An object after a merge patch."""
    if not isinstance(change, dict) or not isinstance(found, dict):
        return change
    both = {name: merged(found.get(name), value) for name, value in change.items()}
    return {name: value for name, value in (found | both).items() if value is not None}


@pytest.mark.parametrize("edit", BY_NAME)
def test_a_patch_is_refused_with_its_sentence(cluster: Cluster, where: str, edit: Edit) -> None:
    with pytest.raises(Refused) as refused:
        cluster.api.merge(logs(where, "orders"), {"spec": edit.change})

    assert refused.value.status == INVALID
    assert edit.says in refused.value.message


@pytest.mark.parametrize("edit", BY_NAME)
def test_the_same_by_apply_is_refused(cluster: Cluster, where: str, edit: Edit) -> None:
    stored = cluster.api.get(logs(where, "orders"))
    wanted = {**log("orders"), "spec": merged(stored["spec"], edit.change)}
    wanted["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]

    refused = put(cluster, where, wanted)
    applied = apply(cluster, where, wanted)

    assert edit.says in refused
    if "Required value" not in edit.says:  # what is not applied stays as another manager has it
        assert edit.says in applied


def put(cluster: Cluster, where: str, wanted: Any) -> str:
    """What the server says of the whole object in place of the stored one, as kubectl replaces."""
    answer = cluster.api.call("PUT", logs(where, wanted["metadata"]["name"]), wanted)
    return answer.message if answer.status >= 400 else f"taken: {answer.body}"


def apply(cluster: Cluster, where: str, wanted: Any) -> str:
    """What the server says of the whole object, applied."""
    try:
        taken = cluster.api.apply(
            logs(where, wanted["metadata"]["name"]), wanted, manager="somebody", force=True
        )
    except Refused as refusal:
        return refusal.message
    return f"taken: {taken}"


@pytest.mark.parametrize("count", SCALES)
def test_kubectl_scale_is_refused_with_the_same_sentence(
    cluster: Cluster, where: str, count: int
) -> None:
    said: Done = cluster.kubectl.run("scale", "rlog/orders", f"--replicas={count}", "-n", where)

    assert said.code != 0
    assert SCALES[count] in said.complaint


def test_kubectl_scale_takes_what_is_allowed(cluster: Cluster, namespace: str) -> None:
    cluster.api.create(logs(namespace), log("orders"))

    cluster.kubectl("scale", "rlog/orders", "--replicas=5", "-n", namespace)

    assert cluster.api.get(logs(namespace, "orders"))["spec"]["replicas"] == 5
    scale = cluster.api.get(logs(namespace, "orders") + "/scale")
    assert scale["spec"]["replicas"] == 5


def test_an_even_number_is_taken_from_who_asks_for_it(cluster: Cluster, namespace: str) -> None:
    even = merged(log("orders"), {"spec": {"replicas": 2, "allowEvenReplicas": True}})
    cluster.api.create(logs(namespace), even)

    taken_back = {"spec": {"allowEvenReplicas": None}}
    with pytest.raises(Refused, match="an even number"):
        cluster.api.merge(logs(namespace, "orders"), taken_back)


def test_volumes_may_grow(cluster: Cluster, namespace: str) -> None:
    cluster.api.create(logs(namespace), log("orders"))

    found = cluster.api.merge(logs(namespace, "orders"), {"spec": {"storage": {"size": "0.5Ti"}}})

    assert found["spec"]["storage"]["size"] == "0.5Ti"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_by_which_no_service_can_be_called_is_refused(
    cluster: Cluster, where: str, name: str
) -> None:
    made = cluster.api.call("POST", logs(where), log(name))

    assert made.status == INVALID
    assert NAME_SAYS in made.message or "RFC 1123" in made.message


@pytest.mark.parametrize(("task", "says"), [pytest.param(*row[1:], id=row[0]) for row in TASKS])
def test_a_task_that_says_too_little_or_too_much_is_refused(
    cluster: Cluster, where: str, task: Any, says: str
) -> None:
    made = cluster.api.call("POST", tasks(where), task)

    assert made.status == INVALID
    assert says in made.message


@pytest.mark.parametrize("number", range(len(GOOD_TASKS)))
def test_a_task_is_taken_and_never_changes(cluster: Cluster, namespace: str, number: int) -> None:
    cluster.api.create(tasks(namespace), GOOD_TASKS[number])

    with pytest.raises(Refused, match=TASK_SAYS):
        cluster.api.merge(tasks(namespace, "once"), {"spec": {"log": "others"}})


def test_every_rule_is_met_by_a_refusal_of_these_tables() -> None:
    unmet = [
        rule.message for rule in rules() if not any(says in rule.message for says in sentences())
    ]

    assert unmet == []


def test_what_is_left_out_is_filled_in(cluster: Cluster, where: str) -> None:
    spec = cluster.api.get(logs(where, "orders"))["spec"]

    assert spec["storage"]["retention"] == "Retain"
    assert spec["update"] == {"strategy": "LeaderLast", "timeout": "10m"}
    assert spec["service"] == {"type": "ClusterIP"}
    assert (spec["networkPolicy"], spec["monitoring"]) == ({"enabled": True}, {"enabled": False})
    assert (spec["suspend"], spec["hibernate"], spec["allowEvenReplicas"]) == (False,) * 3


def test_kubectl_explain_tells_what_a_field_is_for(cluster: Cluster) -> None:
    told = cluster.kubectl("explain", "rlog.spec.storage.size")

    assert "It may grow while the log serves, and never shrinks." in " ".join(told.split())
