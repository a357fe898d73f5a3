"""Tasks whose log is gone: there is none of its name, or only one that was made later.

A task names its log, and means the one that there was, or that came soon, when it was made: what
was asked of a log that somebody deleted is not done to its successor.

Decides: which tasks those are, and what is said of them. Must not know: what they ask for.
Read next: task_status.py, task_telling.py.
"""

from typing import Any, Final

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.pods import seconds
from replog_operator.kube.task_status import ended, pending

GRACE_S: Final = 60.0
"""A task may be so much older than its log: what is applied together comes in any order."""


def is_of_former(task: Object, log: Object) -> bool:
    """Whether it was made for a log of this name that was there before this one."""
    return _made_s(log) - _made_s(task) > GRACE_S


def orphan_status(task: Object, now_s: float, *, replaced: bool) -> dict[str, Any]:
    """Of one that has not ended. replaced: there is another log of that name."""
    name = task["spec"]["log"]
    if replaced:
        what = f"the log {name} that this was asked of is gone; make another task for the new one"
        return ended(task, done=False, message=what, now_s=now_s)
    if now_s - _made_s(task) <= GRACE_S:
        return pending(task, f"there is no ReplicatedLog {name} in this namespace yet", now_s)
    what = f"there is no ReplicatedLog {name} in this namespace (any more)"
    return ended(task, done=False, message=what, now_s=now_s)


def _made_s(item: Object) -> float:
    return seconds(item["metadata"]["creationTimestamp"], 0.0)
