"""What a ReplicatedLogTask says of itself: how far it is, what holds it, what became of it.

Done and Failed are final, and written by the step that ends it (act.py); all else is told here, of
each task that has not ended, after the steps of a pass.

Decides: the fields, and when a task that ended is in the way no longer.
Must not know: what a task asks for (planner/tasks.py), whose log is gone (orphans.py), how it is
stored. Read next: task_telling.py, orphans.py, conditions.py.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.conditions import Condition, conditions, timestamp
from replog_operator.kube.recovery import written
from replog_operator.model.surveys import Report
from replog_operator.planner.answer import Answer, Do, Hold

ENDED: Final = frozenset({"Done", "Failed"})
FINISHED: Final = "Finished"
"""The condition by which `kubectl wait` waits."""
MESSAGE_CHARS: Final = 1024
"""As many as the definition allows."""


def task_status(task: Object, answer: Answer, now_s: float) -> dict[str, Any]:
    """Of a task that has not ended. answer: the planner's word about it."""
    match answer:
        case Do(why=why):
            return _status(task, now_s, state="Running", reason="Running", message=why)
        case Hold(code=code, evidence=evidence):
            found = _status(task, now_s, state="Pending", reason=code, message=evidence)
            return {**found, "blockedOn": code}
        case _:
            return pending(task, "its turn has not come", now_s)


def pending(task: Object, message: str, now_s: float) -> dict[str, Any]:
    """Of one that waits for what is no wait of the log's."""
    return _status(task, now_s, state="Pending", reason="Pending", message=message)


def ended(
    task: Object, *, done: bool, message: str, now_s: float, report: Report | None = None
) -> dict[str, Any]:
    """The last status of a task. report: of a survey."""
    state = "Done" if done else "Failed"
    found = _status(task, now_s, state=state, reason=state, message=message)
    more = {} if report is None else {"survey": written(report)}
    return {**found, "finishedAt": timestamp(now_s), **more}


def expired(tasks: Sequence[Object], log: str, now_s: float) -> list[Object]:
    """Tasks about this log that ended longer ago than they are to be kept, oldest first.

    Not those that somebody's finalizer keeps: they are deleted already.
    """
    about = [
        task
        for task in tasks
        if task["spec"]["log"] == log and "deletionTimestamp" not in task["metadata"]
    ]
    ends = [(due_s, task) for task in about if (due_s := _removed_at_s(task)) is not None]
    return [task for due_s, task in sorted(ends, key=lambda each: each[0]) if due_s <= now_s]


def _removed_at_s(task: Object) -> float | None:
    """When it is to go, in seconds since 1970; None while it hasn't ended, or if it is to stay."""
    status, kept_s = task.get("status") or {}, task["spec"].get("ttlSecondsAfterFinished")
    if status.get("state") not in ENDED or "finishedAt" not in status or kept_s is None:
        return None
    return float(datetime.fromisoformat(status["finishedAt"]).timestamp() + kept_s)


def _status(task: Object, now_s: float, *, state: str, reason: str, message: str) -> dict[str, Any]:
    before: Mapping[str, Any] = task.get("status") or {}
    generation = task["metadata"].get("generation", 1)
    said = Condition(FINISHED, state in ENDED, reason, message)
    found = {
        "observedGeneration": generation,
        "state": state,
        "message": message[:MESSAGE_CHARS],
        "startedAt": before.get("startedAt", "" if state == "Pending" else timestamp(now_s)),
        "conditions": conditions(
            (said,), before.get("conditions") or (), generation=generation, now_s=now_s
        ),
    }
    return {name: value for name, value in found.items() if value != ""}
