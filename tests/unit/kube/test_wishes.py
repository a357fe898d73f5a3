"""A ReplicatedLog's fields reach the planner and the builders; none is read past, none is lost."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from replog_operator.kube.children.names import CLIENT_PORT
from replog_operator.kube.children.wanted import Template
from replog_operator.kube.wishes import Wishes, open_tasks, wishes
from replog_operator.model.observed import Task, TaskKind
from replog_operator.quantities import bytes_of, ms_of
from tests.support.definitions import fields, part
from tests.unit.house.files import ROOT

WHOLE = Path(ROOT, "tests/cluster/values/log-whole.yaml")
"""A log with every field, all other than their defaults: the chart's tests have it, too."""
ADMITTED_ONLY = {"allowEvenReplicas"}
"""What only the API server looks at."""


def resource(spec: Mapping[str, Any], **status: Any) -> dict[str, Any]:
    metadata = {
        "name": "orders", "namespace": "shop", "uid": "u-1", "generation": 7,
        "creationTimestamp": "2026-11-25T09:59:59Z",
    }  # fmt: skip
    return {"metadata": metadata, "spec": dict(spec), "status": status}


def smallest() -> dict[str, Any]:
    return {"storage": {"size": "10Gi", "className": "standard"}}


def whole() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(WHOLE.read_text())["spec"]
    return found


def test_what_is_left_out_means_the_defaults() -> None:
    found = wishes(resource(smallest()))

    assert (found.log.replicas, found.log.update_timeout_s, found.log.leader_last) == (3, 600, True)
    assert (found.log.delete_data, found.service_type, found.network_policy) == (
        False, "ClusterIP", True,
    )  # fmt: skip
    assert (found.settings, found.template, found.image) == ({}, Template(), "")


def test_every_field_means_something() -> None:
    found = wishes(resource(whole()))

    assert found.log._replace(storage_bytes=0) == found.log._replace(
        replicas=4, storage_bytes=0, delete_data=True, leader_last=False, update_timeout_s=300.0,
        suspend=True, hibernate=True,
    )  # fmt: skip
    assert found.log.storage_bytes == 2**40
    assert found.settings == {
        "retention_bytes": 100 * 2**30,
        "retention_age_ms": 7 * 86_400_000,
        "snapshot_bytes": 128 * 2**20,
        "segment_bytes": 32 * 2**20,
    }
    assert found.template.annotations["prometheus.io/port"] == str(CLIENT_PORT)
    assert found.template.priority_class_name == "system-cluster-critical"


def test_the_whole_log_has_every_field_that_the_definition_has() -> None:
    assert set(paths(part("ReplicatedLog", "spec"), whole())) == {
        path for path, _ in fields(part("ReplicatedLog", "spec"))
    }


def paths(schema: Any, value: Any, path: str = "") -> Iterator[str]:
    """The fields of the schema that a value has."""
    if isinstance(value, list):
        for item in value:
            yield from paths(schema["items"], item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            here = f"{path}.{name}" if path else name
            if name in value:
                yield here
                yield from paths(inner, value[name], here)


def test_no_field_of_the_definition_is_read_past() -> None:
    """Each one, taken away, changes what is wished for."""
    before = wishes(resource(whole()))
    top = [path for path, inner in fields(part("ReplicatedLog", "spec")) if "[]" not in path]
    leaves = [path for path in top if not any(other.startswith(f"{path}.") for other in top)]
    unread = [path for path in leaves if without(path) == before]

    assert set(unread) == ADMITTED_ONLY
    assert len(leaves) > 25


def without(path: str) -> Wishes | None:
    """What is wished for when a field is left out; None where it is needed."""
    spec = whole()
    holder: Any = spec
    *above, last = path.split(".")
    for name in above:
        holder = holder[name]
    del holder[last]
    try:
        return wishes(resource(spec))
    except KeyError:
        return None


def test_the_image_stays_as_it_was_until_the_spec_names_one() -> None:
    stays = wishes(resource(smallest(), image="old:1"))
    named = wishes(resource({**smallest(), "image": "new:2"}, image="old:1"))

    assert (stays.image, named.image) == ("old:1", "new:2")


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("10Gi", 10 * 2**30), ("0.5Ti", 2**39), ("1G", 10**9), ("1e3", 1000),
     ("1E", 10**18), ("1500m", 2), ("+1Ki", 1024), (".5Ki", 512)],
)  # fmt: skip
def test_a_quantity_is_so_many_bytes(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "ten", "1Gib", "1 Gi", "1e", "Gi"])
def test_what_is_no_quantity_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        bytes_of(text)


def test_durations_have_one_unit() -> None:
    assert [ms_of(text) for text in ("0", "5ms", "9s", "10m", "1h", "7d")] == [
        0, 5, 9_000, 600_000, 3_600_000, 604_800_000,
    ]  # fmt: skip
    with pytest.raises(ValueError, match="is no duration"):
        ms_of("1h30m")


def task(name: str, at: str, state: str = "", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": at},
        "spec": {"log": "orders", **spec},
        "status": {"state": state} if state else {},
    }


def test_tasks_that_have_not_ended_come_oldest_first() -> None:
    found = open_tasks(
        resource(smallest()),
        [
            task("b", "2026-11-25T10:00:02Z", action="Snapshot"),
            task("a", "2026-11-25T10:00:01Z", "Running", action="RetryVersion"),
            task("c", "2026-11-25T10:00:00Z", "Done", action="Snapshot"),
            task("d", "2026-11-25T10:00:00Z", action="Snapshot") | {"spec": {"log": "others"}},
            task("of-a-former-log", "2026-11-25T09:58:58Z", action="Snapshot"),
        ],
        [],
    )

    assert [(each.name, each.kind) for each in found] == [
        ("a", TaskKind.RETRY_VERSION), ("b", TaskKind.SNAPSHOT),
    ]  # fmt: skip


def test_a_leader_is_named_by_its_pod_or_its_id() -> None:
    log = resource(
        smallest(), members=[{"id": "m-1", "pod": "orders-1"}, {"id": "m-9"}, {"pod": "orders-2"}]
    )
    named = [
        task(to, "2026-11-25T10:00:00Z", action="TransferLeader", to=to)
        for to in ("m-9", "orders-1")
    ]

    assert [each.subject for each in open_tasks(log, named, [])] == ["m-9", "m-1"]


def test_another_claim_of_the_same_name_is_not_the_one_that_was_acknowledged() -> None:
    claims = [{"metadata": {"name": "data-orders-0", "uid": "u-2"}}]
    asked = [
        task(uid, "2026-11-25T10:00:00Z", action="AcknowledgeUnknownData",
             claim={"name": "data-orders-0", "uid": uid})
        for uid in ("u-1", "u-2")
    ]  # fmt: skip

    found = open_tasks(resource(smallest()), asked, claims)
    assert [each.subject for each in found] == ["data-orders-0 (u-1)", "data-orders-0"]


def test_a_lease_is_named_as_the_wait_names_it() -> None:
    asked = task("t", "2026-11-25T10:00:00Z", action="AcknowledgeOtherOperator", lease="a/b")

    assert open_tasks(resource(smallest()), [asked], []) == [
        Task("t", "uid-t", TaskKind.ACKNOWLEDGE_OPERATOR, "a/b")
    ]


def test_a_recovery_names_its_survey_who_goes_on_and_who_is_stopped() -> None:
    decision = {"survey": "look", "survivor": "m-2", "stopped": ["m-0", "m-1"]}
    asked = [
        task("a", "2026-11-25T10:00:00Z", action="SurveyQuorum"),
        task("b", "2026-11-25T10:00:01Z", action="RecoverQuorum", recovery=decision),
        task("c", "2026-11-25T10:00:02Z", action="CancelSurvey", survey="look"),
    ]

    assert open_tasks(resource(smallest()), asked, []) == [
        Task("a", "uid-a", TaskKind.SURVEY),
        Task("b", "uid-b", TaskKind.RECOVER, "m-2", "look", ("m-0", "m-1")),
        Task("c", "uid-c", TaskKind.CANCEL_SURVEY, "", "look"),
    ]


def test_each_action_of_the_definition_is_one_that_the_planner_knows() -> None:
    actions = dict(fields(part("ReplicatedLogTask", "spec")))["action"]["enum"]

    assert sorted(actions) == sorted(set(TaskKind) - {TaskKind.UNKNOWN})


def test_an_action_that_only_a_newer_operator_knows_stops_no_pass() -> None:
    asked = task("t", "2026-11-25T10:00:00Z", action="FlyToTheMoon")
    (found,) = open_tasks(resource(smallest()), [asked], [])
    assert (found.kind, found.subject) == (TaskKind.UNKNOWN, "FlyToTheMoon")
