"""Tasks are told how far they are, and removed when their time is over.

It comes after the steps of a pass: a step that ends a task is fenced by the version of it that was
read, so nothing else may be written on it before.

Decides: which tasks, and that order. Must not know: what is told (task_status.py, orphans.py).
Read next: task_status.py, orphans.py, hands.py.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.hands import Hands
from replog_operator.kube.orphans import is_of_former, orphan_status
from replog_operator.kube.task_status import ENDED, expired, task_status
from replog_operator.model.plan import Lane, Plan
from replog_operator.model.steps import FinishTask, TakeSnapshot
from replog_operator.planner.answer import Answer, Do, Hold

TOLD_MAX: Final = 10
"""A pass, those first that are held by something else, or by nothing; others come in the next."""
REMOVED_MAX: Final = 10
"""A pass, beside those that are told: what is told over and over holds up no removal."""


def standing(answer: Answer, plan: Plan) -> Answer:
    """What is true of a task after planning: a step of it may be held, or come later."""
    if not isinstance(answer, Do):
        return answer
    if all(step.step != answer.step for step in plan.steps):
        return next((Hold(w.code, w.evidence) for w in plan.waits if w.code == "Suspended"), None)
    failed = (w for w in plan.waits if (w.lane, w.code) == (Lane.TASKS, "StepFailed"))
    return next((Hold(w.code, w.evidence) for w in failed), answer)


async def tell_tasks(
    resource: Object,
    tasks: Sequence[Object],
    answers: Mapping[str, Answer],
    plan: Plan,
    hands: Hands,
    now_s: float,
) -> None:
    """Write what is new. A refusal stops nothing: the next pass tells it again."""
    log = resource["metadata"]["name"]
    ending = {
        step.step.task for step in plan.steps if isinstance(step.step, FinishTask | TakeSnapshot)
    }
    told: list[tuple[Object, Object]] = []
    for task in _open(tasks, log):
        name = task["metadata"]["name"]
        if is_of_former(task, resource):
            told.append((task, orphan_status(task, now_s, replaced=True)))
        elif name in answers and name not in ending:
            told.append((task, task_status(task, standing(answers[name], plan), now_s)))
    await _write(told, expired(tasks, log, now_s), hands)


async def tell_orphans(log: str, tasks: Sequence[Object], hands: Hands, now_s: float) -> None:
    """As tell_tasks, where there is no such log."""
    told = [(task, orphan_status(task, now_s, replaced=False)) for task in _open(tasks, log)]
    await _write(told, expired(tasks, log, now_s), hands)


def _open(tasks: Sequence[Object], log: str) -> list[Object]:
    """Those about this log that have not ended."""
    return [
        task
        for task in tasks
        if task["spec"]["log"] == log and (task.get("status") or {}).get("state") not in ENDED
    ]


async def _write(
    told: Sequence[tuple[Object, Object]], over: Sequence[Object], hands: Hands
) -> None:
    news = [(task, now) for task, now in told if now != (task.get("status") or {})]
    for task, now in sorted(news, key=_has_only_new_words)[:TOLD_MAX]:
        await hands.note_task(task, now)
    for task in over[:REMOVED_MAX]:
        await hands.delete_task(task)


def _has_only_new_words(told: tuple[Object, Object]) -> bool:
    before, now = told[0].get("status") or {}, told[1]
    return all(before.get(field) == now.get(field) for field in ("state", "blockedOn"))
