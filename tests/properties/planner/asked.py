"""A model of the tasks that people made, and of what has come of each.

Decides: that a task ends once, that what it names is meant by its uid (as kube/wishes.py has it),
and how often each may have had an effect. Must not know: the planner. Read next: world.py.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from replog_operator.model.observed import Task, TaskKind


class EndedTwice(AssertionError):
    """What became of a task was told already."""


@dataclass
class Asked:
    """made, open: oldest first. claims: the uid that a task means, by the task's name.

    ended: by the task's name, whether it is done, and what was said. effects: by kind.
    """

    made: list[Task] = field(default_factory=list)
    open: list[Task] = field(default_factory=list)
    claims: dict[str, str] = field(default_factory=dict)
    ended: dict[str, tuple[bool, str]] = field(default_factory=dict)
    effects: Counter[TaskKind] = field(default_factory=Counter)

    def ask(self, kind: TaskKind, subject: str = "", claim_uid: str = "") -> None:
        """Somebody makes a task."""
        name = f"task-{len(self.made)}"
        self.claims[name] = claim_uid
        self.made.append(Task(name, f"uid-{name}", kind, subject))
        self.open.append(self.made[-1])

    def seen(self, claims: dict[str, str]) -> tuple[Task, ...]:
        """As a pass reads them. claims: the uids that there are, by name."""
        return tuple(self._meant(task, claims) for task in self.open)

    def _meant(self, task: Task, claims: dict[str, str]) -> Task:
        if task.kind is not TaskKind.ACKNOWLEDGE_DATA:
            return task
        uid = self.claims[task.name]
        return task if claims.get(task.subject) == uid else task._replace(subject=f"gone ({uid})")

    def finish(self, name: str, *, done: bool, message: str) -> None:
        """It is told what became of it. One that is gone is no matter."""
        if name in self.ended:
            raise EndedTwice(f"{name} was {self.ended[name]}, and is told {message!r}")
        self.open = [task for task in self.open if task.name != name]
        self.ended[name] = (done, message)
