"""A plan in words: for `replog plan`, the status of the resource, and events.

Decides: the wording of lines; what a step is for is in the plan already. Must not know: terminals.
Read next: model/plan.py.
"""

from collections.abc import Iterator

from replog_operator.model.plan import LaneStep, Plan, Wait


def describe(plan: Plan) -> list[str]:
    """One line a step or wait; one line that says so if there is neither."""
    lines = [*_lines(plan)]
    return lines or ["nothing to do: all is as the resource wants it"]


def title(step: LaneStep) -> str:
    """The step's name as words: `set target`."""
    name = type(step.step).__name__
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()


def _lines(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        yield f"{step.lane:8} {title(step):18} {step.why}"
    for wait in plan.waits:
        yield f"{wait.lane:8} {_waits(wait):18} {wait.evidence}"


def _waits(wait: Wait) -> str:
    return f"waits: {wait.code}"
