"""Edits of a ReplicatedLog, and tasks, that an API server must refuse, each with its sentence.

Decides: what is refused. Must not know: by which way an edit comes.
Read next: test_definitions.py.
"""

from typing import Any, Final, NamedTuple

UID: Final = "4f0b6c1e-0000-4000-8000-000000000003"


class Edit(NamedTuple):
    """A merge patch of a spec, and what the refusal says."""

    name: str
    change: dict[str, Any]
    says: str


def log(name: str) -> dict[str, Any]:
    """A log that is accepted, and names every group of fields."""
    return {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLog",
        "metadata": {"name": name},
        "spec": {
            "replicas": 3,
            "storage": {"size": "10Gi", "className": "standard"},
            "log": {"retentionBytes": "100Gi"},
            "podTemplate": {"labels": {"team": "orders"}},
        },
    }


def task(**spec: Any) -> dict[str, Any]:
    """A task about the log `orders`."""
    return {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLogTask",
        "metadata": {"name": "once"},
        "spec": {"log": "orders", **spec},
    }


SCALES: Final = {
    0: "to stop all members and keep the data use spec.hibernate",
    2: "an even number tolerates no more failures than one less",
    10: "an even number tolerates no more failures than one less",
    11: "from 1 to 9; more voters make every append slower",
}
"""Replicas that are refused also through /scale."""

EDITS: Final = (
    *(Edit(f"{count} replicas", {"replicas": count}, says) for count, says in SCALES.items()),
    Edit("fewer than no replicas", {"replicas": -1}, "from 1 to 9"),
    Edit("no storage", {"storage": None}, "spec.storage: Required value"),
    Edit("no size", {"storage": {"size": None}}, "spec.storage.size: Required value"),
    Edit("no class", {"storage": {"className": None}}, "spec.storage.className: Required value"),
    Edit("smaller volumes", {"storage": {"size": "9Gi"}}, "volumes never shrink"),
    Edit("other members of a sleeper", {"hibernate": True, "replicas": 5}, "a log that hibernates"),
    Edit("tiny volumes", {"storage": {"size": "100Mi"}}, "at least 1Gi"),
    Edit("no quantity", {"storage": {"size": "ten"}}, "spec.storage.size: a quantity such as"),
    Edit("another class", {"storage": {"className": "fast"}}, "can't move to another class"),
    Edit(
        "an unknown retention",
        {"storage": {"retention": "Keep"}},
        "spec.storage.retention: Unsupported value",
    ),
    Edit("no amount kept", {"log": {"retentionBytes": "all"}}, "retentionBytes: a quantity"),
    Edit(
        "an age without a unit",
        {"log": {"retentionAge": "7"}},
        "spec.log.retentionAge: Invalid value",
    ),
    Edit("tiny segments", {"log": {"segmentBytes": "1Ki"}}, "segmentBytes: a quantity from 2Mi"),
    Edit("huge segments", {"log": {"segmentBytes": "2Gi"}}, "segmentBytes: a quantity from 2Mi"),
    Edit(
        "huge snapshots", {"log": {"snapshotBytes": "1Ti"}}, "snapshotBytes: a quantity from 64Ki"
    ),
    Edit(
        "an unknown strategy",
        {"update": {"strategy": "AllAtOnce"}},
        "spec.update.strategy: Unsupported value",
    ),
    Edit("a hasty timeout", {"update": {"timeout": "9s"}}, "spec.update.timeout: from 10s to 24h"),
    Edit(
        "a timeout without a unit",
        {"update": {"timeout": "600"}},
        "spec.update.timeout: Invalid value",
    ),
    Edit(
        "an unknown type of Service",
        {"service": {"type": "Any"}},
        "spec.service.type: Unsupported value",
    ),
    Edit("an image of two words", {"image": "a b"}, "spec.image: Invalid value"),
    Edit("a very long image", {"image": "i" * 513}, "may not be more than 512 bytes"),
    Edit(
        "a label of ours",
        {"podTemplate": {"labels": {"app.kubernetes.io/instance": "other"}}},
        "spec.podTemplate.labels: replog.dev/…",
    ),
    Edit(
        "an annotation of ours",
        {"podTemplate": {"annotations": {"replog.dev/config-hash": "0"}}},
        "spec.podTemplate.annotations: replog.dev/…",
    ),
    Edit(
        "a setting by the environment",
        {"podTemplate": {"env": [{"name": "REPLOG_INSECURE", "value": "no"}]}},
        "spec.podTemplate.env: REPLOG_…",
    ),
)

TASKS: Final = (
    ("an unknown action", task(action="Destroy"), "spec.action: Unsupported value"),
    ("a leader for a snapshot", task(action="Snapshot", to="orders-1"), "spec.to: needed for"),
    ("nobody to lead", task(action="TransferLeader"), "spec.to: needed for"),
    ("no claim", task(action="AcknowledgeUnknownData"), "spec.claim: needed for"),
    (
        "a claim for a snapshot",
        task(action="Snapshot", claim={"name": "data-orders-0", "uid": UID}),
        "spec.claim: needed for",
    ),
    ("no lease", task(action="AcknowledgeOtherOperator"), "spec.lease: needed for"),
    ("no decision", task(action="RecoverQuorum"), "spec.recovery: needed for"),
    (
        "a decision without a survey",
        task(action="Snapshot", recovery={"survey": "s", "survivor": UID}),
        "spec.recovery: needed for",
    ),
    ("nothing to take back", task(action="CancelSurvey"), "spec.survey: needed for"),
    ("a survey of a survey", task(action="SurveyQuorum", survey="s"), "spec.survey: needed for"),
)
"""Tasks that can't be made: name, task, what the refusal says."""

GOOD_TASKS: Final = (
    task(action="Snapshot"),
    task(action="TransferLeader", to="orders-1"),
    task(action="AcknowledgeUnknownData", claim={"name": "data-orders-0", "uid": UID}),
    task(action="AcknowledgeOtherOperator", lease="replog-system/replog-operator"),
    task(action="RetryVersion"),
    task(action="SurveyQuorum"),
    task(action="RecoverQuorum", recovery={"survey": "s", "survivor": UID, "stopped": ["a", "b"]}),
    task(action="CancelSurvey", survey="s"),
)

NAMES: Final = ("1orders", "Orders", "or.ders", "o" * 53)
NAME_SAYS: Final = "metadata.name: a lower-case letter first"
TASK_SAYS: Final = "a task can't be changed"


def sentences() -> list[str]:
    """Everything that some refusal of these tables says."""
    return [
        *(edit.says for edit in EDITS),
        *(says for _, _, says in TASKS),
        NAME_SAYS,
        TASK_SAYS,
    ]
