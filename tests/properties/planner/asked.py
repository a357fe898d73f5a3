"""A model of the tasks that people made, and of what has come of each.

Decides: that a task ends once, that what it names is meant by its uid (as kube/wishes.py has it),
and how often each may have had an effect. Must not know: the planner. Read next: world.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from replog_operator.model.observed import Task, TaskKind
from replog_operator.model.surveys import Ended, Report, fence_of


class EndedTwice(AssertionError):
    """What became of a task was told already."""


@dataclass
class Asked:
    """made, open: oldest first. claims: the uid that a task means, by the task's name.

    ended: by the task's name, whether it is done, and what was said. effects: by kind. reports: of
    surveys that are done, by the task's name.
    """

    made: list[Task] = field(default_factory=list)
    open: list[Task] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    ended: dict[str, tuple[bool, str]] = field(default_factory=dict)
    effects: Counter[TaskKind] = field(default_factory=Counter)
    reports: dict[str, Report] = field(default_factory=dict)

    def ask(
        self, kind: TaskKind, subject: str = "", claim_uid: str = "", survey: str = "",
        stopped: tuple[str, ...] = (),
    ) -> str:  # fmt: skip
        """Somebody makes a task; its name."""
        name = f"task-{len(self.made)}"
        self.claims[name] = claim_uid
        self.made.append(Task(name, f"uid-{name}", kind, subject, survey, stopped))
        self.open.append(self.made[-1])
        return name

    def surveyed(self) -> dict[str, Ended]:
        """Surveys that ended, as a pass reads them."""
        return {
            task.name: Ended(fence_of(task.uid), self.reports.get(task.name))
            for task in self.made
            if task.kind is TaskKind.SURVEY and task.name in self.ended
        }

    def needs_surveys(self) -> bool:
        """Whether members are asked for what they have."""
        return self.waits_for(TaskKind.SURVEY, TaskKind.RECOVER, TaskKind.CANCEL_SURVEY)

    def waits_for(self, *kinds: TaskKind) -> bool:
        """Whether one of these kinds has not ended."""
        return any(task.kind in kinds for task in self.open)

    def seen(self, claims: dict[str, str]) -> tuple[Task, ...]:
        """As a pass reads them. claims: the uids that there are, by name."""
        return tuple(self._meant(task, claims) for task in self.open)

    def _meant(self, task: Task, claims: dict[str, str]) -> Task:
        if task.kind is not TaskKind.ACKNOWLEDGE_DATA:
            return task
        uid = self.claims[task.name]
        return task if claims.get(task.subject) == uid else task._replace(subject=f"gone ({uid})")

    def finish(self, name: str, *, done: bool, message: str, report: Report | None = None) -> None:
        """It is told what became of it. One that is gone is no matter."""
        if name in self.ended:
            raise EndedTwice(f"{name} was {self.ended[name]}, and is told {message!r}")
        self.open = [task for task in self.open if task.name != name]
        self.ended[name] = (done, message)
        if report is not None:
            self.reports[name] = report
