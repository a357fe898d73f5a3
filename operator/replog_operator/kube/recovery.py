"""What Kubernetes remembers of a log whose majority was lost: surveys in tasks' status, the lineage
in force in the ConfigMap, from where every member reads it.

Decides: how each is written and read. Must not know: what follows from them (planner/recovery.py).
Pure.
Read next: ../model/surveys.py, children/config_map.py, task_status.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from replog_operator.kube.children.config_map import LINEAGE_KEY, SURVIVOR_KEY
from replog_operator.kube.children.names import CLUSTER_ID
from replog_operator.kube.children.wanted import Object
from replog_operator.model.observed import TaskKind
from replog_operator.model.surveys import (
    Decided,
    Ended,
    Missing,
    Report,
    Surveyed,
    fence_of,
    number_of,
)

ABOUT: Final = frozenset({TaskKind.SURVEY, TaskKind.RECOVER, TaskKind.CANCEL_SURVEY})
"""Tasks for which members are asked for what they have."""
TEXT_CHARS: Final = 1024
MEMBERS_MAX: Final = 64
"""Both as the definition allows."""

_STATES: Final = frozenset({"Done", "Failed"})


def needs_surveys(log: str, tasks: Sequence[Object]) -> bool:
    """Whether a task about this log that has not ended looks at what members have."""
    return any(
        task["spec"]["log"] == log
        and task["spec"]["action"] in ABOUT
        and (task.get("status") or {}).get("state") not in _STATES
        for task in tasks
    )


def decided_of(config_map: Object | None, claims: Sequence[Object], cluster_id: str) -> Decided:
    """Which lineage was noted to be in force.

    Not believed where nothing is of any cluster: it was left over from another log of this name.
    """
    notes = (claim["metadata"].get("annotations") or {} for claim in claims)
    if config_map is None or not (cluster_id or any(CLUSTER_ID in found for found in notes)):
        return Decided()
    data: Mapping[str, str] = config_map.get("data") or {}
    return Decided(number_of(data.get(LINEAGE_KEY)), data.get(SURVIVOR_KEY, ""))


def surveyed_of(log: str, tasks: Sequence[Object]) -> dict[str, Ended]:
    """Surveys of this log that ended, by their tasks' names."""
    return {
        task["metadata"]["name"]: _ended(task)
        for task in tasks
        if task["spec"]["log"] == log
        and task["spec"]["action"] == TaskKind.SURVEY
        and (task.get("status") or {}).get("state") in _STATES
    }


def _ended(task: Object) -> Ended:
    status = task["status"]
    found = status.get("survey") if status["state"] == "Done" else None
    return Ended(fence_of(task["metadata"]["uid"]), None if found is None else read(found))


def read(found: Mapping[str, Any]) -> Report:
    """A report as a task's status has it."""
    return Report(
        lineage=found["lineage"],
        best=found.get("best", ""),
        members=tuple(_surveyed(each) for each in found.get("members") or ()),
        missing=tuple(
            Missing(each["id"], each.get("pod", "")) for each in found.get("missing") or ()
        ),
        text=found.get("report", ""),
    )


def _surveyed(each: Mapping[str, Any]) -> Surveyed:
    return Surveyed(
        member=each["id"],
        pod=each.get("pod", ""),
        fenced=each["fenced"],
        last_term=each["lastTerm"],
        last_offset=each["lastOffset"],
        chain=each["chain"],
        commit_offset=each["commitOffset"],
        whole=each["whole"],
        votes=each["votes"],
    )


def written(found: Report) -> dict[str, Any]:
    """The same as `read` reads it."""
    members = [
        {
            "id": each.member, "pod": each.pod, "fenced": each.fenced, "lastTerm": each.last_term,
            "lastOffset": each.last_offset, "chain": each.chain,
            "commitOffset": each.commit_offset, "whole": each.whole, "votes": each.votes,
        }
        for each in found.members[:MEMBERS_MAX]
    ]  # fmt: skip
    missing = [{"id": each.member, "pod": each.pod} for each in found.missing[:MEMBERS_MAX]]
    return {
        "lineage": found.lineage,
        "best": found.best,
        "members": members,
        "missing": missing,
        "report": found.text[:TEXT_CHARS],
    }
