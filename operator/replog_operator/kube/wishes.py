"""What a ReplicatedLog and its tasks ask for, read from their objects as the API server has them.

The server has filled in defaults and refused what makes no sense (resource/replicatedlogs.yaml).
An object that was stored before a default came to be still means that default.

Decides: what each field of a spec means, for the planner and for the builders of children.
Must not know: what there is (observe.py), what children look like.
Read next: children/wanted.py, model/spec.py, model/observed.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, assert_never

from replog_operator.kube.children.names import CLIENT_PORT
from replog_operator.kube.children.wanted import Object, Template
from replog_operator.kube.orphans import is_of_former
from replog_operator.kube.task_status import ENDED
from replog_operator.model.observed import Task, TaskKind
from replog_operator.model.spec import LogSpec
from replog_operator.quantities import bytes_of, ms_of

UPDATE_TIMEOUT: Final = "10m"
REPLICAS: Final = 3
_SCRAPED: Final = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(CLIENT_PORT),
    "prometheus.io/path": "/metrics",
}


class Wishes(NamedTuple):
    """A log's spec. log: as the planner looks at it; the others are what children are made from.

    image: that the spec names, or that the log has had so far; "" if neither. settings: a node's,
    by name (docs/settings.md).
    """

    log: LogSpec
    image: str
    size: str
    storage_class: str
    settings: Mapping[str, int]
    service_type: str
    service_annotations: Mapping[str, str]
    resources: Mapping[str, Any]
    template: Template
    network_policy: bool


def wishes(resource: Object) -> Wishes:
    """Read a ReplicatedLog. Raises ValueError for an amount that is none, KeyError without one."""
    spec: Mapping[str, Any] = resource["spec"]
    storage, service = spec["storage"], spec.get("service") or {}
    return Wishes(
        log=_log(resource["metadata"], spec),
        image=spec.get("image") or (resource.get("status") or {}).get("image", ""),
        size=storage["size"],
        storage_class=storage["className"],
        settings=_settings(spec.get("log") or {}),
        service_type=service.get("type", "ClusterIP"),
        service_annotations=service.get("annotations") or {},
        resources=spec.get("resources") or {},
        template=_template(spec.get("podTemplate") or {}, scraped=_enabled(spec, "monitoring")),
        network_policy=_enabled(spec, "networkPolicy", default=True),
    )


def _log(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> LogSpec:
    update = spec.get("update") or {}
    return LogSpec(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        replicas=spec.get("replicas", REPLICAS),
        storage_bytes=bytes_of(spec["storage"]["size"]),
        delete_data=spec["storage"].get("retention") == "Delete",
        leader_last=update.get("strategy") != "OnDelete",
        update_timeout_s=ms_of(update.get("timeout", UPDATE_TIMEOUT)) / 1000,
        suspend=spec.get("suspend", False),
        hibernate=spec.get("hibernate", False),
        deleting="deletionTimestamp" in metadata,
    )


def _settings(log: Mapping[str, str]) -> dict[str, int]:
    """Of every node; what is left out is the node's own default."""
    sizes = {
        "retention_bytes": "retentionBytes",
        "snapshot_bytes": "snapshotBytes",
        "segment_bytes": "segmentBytes",
    }
    found = {name: bytes_of(log[field]) for name, field in sizes.items() if field in log}
    if "retentionAge" in log:
        found["retention_age_ms"] = ms_of(log["retentionAge"])
    return found


def _template(found: Mapping[str, Any], *, scraped: bool) -> Template:
    return Template(
        labels=found.get("labels") or {},
        annotations={**(_SCRAPED if scraped else {}), **(found.get("annotations") or {})},
        node_selector=found.get("nodeSelector") or {},
        tolerations=tuple(found.get("tolerations") or ()),
        affinity=found.get("affinity") or {},
        topology_spread_constraints=tuple(found.get("topologySpreadConstraints") or ()),
        env=tuple(found.get("env") or ()),
        image_pull_secrets=tuple(found.get("imagePullSecrets") or ()),
        priority_class_name=found.get("priorityClassName", ""),
    )


def _enabled(spec: Mapping[str, Any], field: str, *, default: bool = False) -> bool:
    return bool((spec.get(field) or {}).get("enabled", default))


def open_tasks(resource: Object, tasks: Sequence[Object], claims: Sequence[Object]) -> list[Task]:
    """Tasks about this log that have not ended, oldest first; claims: of the log.

    A claim is meant by its uid: a task about one that is gone names nothing that is there. A log is
    meant by its time.
    """
    name = resource["metadata"]["name"]
    mine = [
        task
        for task in tasks
        if task["spec"]["log"] == name
        and (task.get("status") or {}).get("state") not in ENDED
        and not is_of_former(task, resource)
    ]
    mine.sort(key=lambda task: (task["metadata"]["creationTimestamp"], task["metadata"]["name"]))
    ids = {claim["metadata"]["name"]: claim["metadata"]["uid"] for claim in claims}
    return [_task(task, _members(resource), ids) for task in mine]


def _members(resource: Object) -> dict[str, str]:
    """The ids of members, by their pods, as the status has them."""
    found = (resource.get("status") or {}).get("members") or ()
    return {item["pod"]: item["id"] for item in found if "pod" in item and "id" in item}


def _task(task: Object, members: Mapping[str, str], claims: Mapping[str, str]) -> Task:
    spec, metadata = task["spec"], task["metadata"]
    survey, stopped = spec.get("survey", ""), ()
    known = {kind.value: kind for kind in TaskKind}
    kind = known.get(spec["action"], TaskKind.UNKNOWN)
    match kind:
        case TaskKind.TRANSFER:
            subject = members.get(spec["to"], spec["to"])
        case TaskKind.ACKNOWLEDGE_DATA:
            named, uid = spec["claim"]["name"], spec["claim"]["uid"]
            subject = named if claims.get(named) == uid else f"{named} ({uid})"
        case TaskKind.ACKNOWLEDGE_OPERATOR:
            subject = spec["lease"]
        case TaskKind.RECOVER:
            decision = spec["recovery"]
            subject, survey = decision["survivor"], decision["survey"]
            stopped = tuple(decision.get("stopped") or ())
        case TaskKind.SNAPSHOT | TaskKind.RETRY_VERSION | TaskKind.SURVEY | TaskKind.CANCEL_SURVEY:
            subject = ""
        case TaskKind.UNKNOWN:
            subject = spec["action"]
        case _:
            assert_never(kind)
    return Task(metadata["name"], metadata["uid"], kind, subject, survey, stopped)
