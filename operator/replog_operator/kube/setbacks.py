"""Steps that did not come to be: what is told of them, and when they are tried again.

A step that is refused is planned again, since nothing has changed. So that nobody has to read the
operator's log to learn why a log stands still, the refusal is a wait like any other as long as the
step is planned; and it is tried ever more seldom, while the other lanes go on as ever.

Decides: that wait, and the pause. Must not know: what the steps do, how it is told.
Read next: reconcile.py, members/outcomes.py.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from replog_operator.kube.workqueue import Key
from replog_operator.members.outcomes import Became, Outcome
from replog_operator.model.plan import LaneStep, Plan, Wait

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
JITTER: Final = 0.2
"""A pause is up to so much shorter, so that logs that failed together don't try together."""
MESSAGE_CHARS: Final = 400
"""Of a refusal; a webhook may say anything."""
REMEMBERED_MAX: Final = 10_000
"""Logs; past it all is forgotten, and tried at once."""
UNTOLD: Final = 3
"""So often in a row the outcome of a step may be unknown, or its ground gone, before it is told."""


class Setback(NamedTuple):
    """How a step failed. times: in a row. until_s: by the clock of the pass, no try before that."""

    outcome: Outcome
    times: int
    until_s: float


class Setbacks(NamedTuple):
    """Of one log. uid, generation: of the resource that the steps were planned for."""

    uid: str
    generation: int
    steps: Mapping[tuple[str, str], Setback]


class AllSetbacks:
    """Of all logs of one process. random: draws from 0 to 1."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._found: dict[Key, Setbacks] = {}

    def of(self, key: Key, uid: str, generation: int) -> Setbacks:
        """What is known of a log; nothing of an older spec, which somebody has changed, nor of
        another log of that name, which was there before."""
        found = self._found.get(key)
        if found is None or (found.uid, found.generation) != (uid, generation):
            return Setbacks(uid, generation, {})
        return found

    def note(
        self, key: Key, before: Setbacks, plan: Plan, done: Sequence[Outcome], now_s: float
    ) -> None:
        """Remember a pass. done: what became of the steps of `tried_now`, in their order."""
        found = after(before, plan, done, now_s, self._random())
        self._found.pop(key, None)
        if found.steps:
            if len(self._found) >= REMEMBERED_MAX:
                self._found.clear()
            self._found[key] = found

    def forget(self, key: Key) -> None:
        """The log is gone."""
        self._found.pop(key, None)


def tried_now(known: Setbacks, plan: Plan, now_s: float) -> tuple[LaneStep, ...]:
    """The steps of a plan that are tried now."""
    return tuple(step for step in plan.steps if _may_be_tried(known, step, now_s))


def waits(known: Setbacks, plan: Plan) -> tuple[Wait, ...]:
    """What is told of the steps of a plan that failed."""
    return tuple(
        Wait(step.lane, "StepFailed", _sentence(step, found.outcome))
        for step in plan.steps
        if (found := known.steps.get(_name(step))) is not None
        if found.outcome.became is Became.REFUSED or found.times > UNTOLD
    )


def after(
    before: Setbacks, plan: Plan, done: Sequence[Outcome], now_s: float, random: float
) -> Setbacks:
    """What is to be remembered: of the steps of this plan, those that failed last."""
    tried = dict(zip(map(_name, tried_now(before, plan, now_s)), done, strict=False))
    found: dict[tuple[str, str], Setback] = {}
    for name in map(_name, plan.steps):
        held = before.steps.get(name)
        outcome = tried.get(name)
        if outcome is None:
            if held is not None:
                found[name] = held
        elif outcome.became is not Became.DONE:
            times = 1 + (0 if held is None else held.times)
            until_s = now_s + pause_s(times) * (1 - JITTER * random)
            found[name] = Setback(outcome, times, until_s)
    return before._replace(steps=found)


def pause_s(times: int) -> float:
    """How long to wait after a step failed so often in a row: it doubles, up to a bound."""
    return float(min(FIRST_PAUSE_S * 2 ** min(times - 1, 16), LONGEST_PAUSE_S))


def _may_be_tried(known: Setbacks, step: LaneStep, now_s: float) -> bool:
    found = known.steps.get(_name(step))
    if found is None or now_s >= found.until_s:
        return True
    return found.until_s - now_s > LONGEST_PAUSE_S  # the clock was set back


def _name(step: LaneStep) -> tuple[str, str]:
    """The same step in the next plan: versions within it may be others by then."""
    return type(step.step).__name__, step.why


def _sentence(step: LaneStep, outcome: Outcome) -> str:
    what = "refused" if outcome.became is Became.REFUSED else "not known to be done"
    said = " ".join(outcome.message.split())[:MESSAGE_CHARS]
    return f"{step.why}: {what}, {outcome.code}: {said}"
