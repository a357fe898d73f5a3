"""When the next pass over a log is due (replog_operator/kube/reconcile.py)."""

from typing import Any

import pytest

from replog_operator.kube.reconcile import (
    AFTER_STEP_S,
    CALM_S,
    UNDER_WAY_S,
    next_in_s,
)
from replog_operator.kube.wishes import wishes
from replog_operator.kube.workqueue import RESYNC_S
from replog_operator.members.outcomes import DONE, Became, Outcome
from replog_operator.model.plan import Lane, LaneStep, Plan, Wait
from replog_operator.model.steps import ApplyChildren
from tests.unit.kube.world import resource

REFUSED = Outcome(Became.REFUSED, "TooManyRequests", "the budget forbids it")
STEP = Plan((LaneStep(Lane.OBJECTS, ApplyChildren(("Service/orders",)), "why"),))
HELD = Plan((), (Wait(Lane.MEMBERS, "NoLeader", "nobody leads"),))


@pytest.mark.parametrize(
    ("plan", "outcomes", "calm", "spec", "wanted"),
    [
        (Plan(), [], True, {}, CALM_S),
        (Plan(), [], False, {}, UNDER_WAY_S),
        (HELD, [], True, {}, UNDER_WAY_S),
        (HELD, [DONE], False, {}, AFTER_STEP_S),
        (STEP, [DONE, REFUSED], False, {}, AFTER_STEP_S),
        (STEP, [REFUSED], False, {}, UNDER_WAY_S),
        (STEP, [], True, {}, UNDER_WAY_S),
        (HELD, [], False, {"suspend": True}, RESYNC_S),
        (Plan(), [], False, {"hibernate": True}, RESYNC_S),
    ],
)
def test_it_is_soon_while_something_is_under_way(
    plan: Plan, outcomes: list[Outcome], calm: bool, spec: dict[str, Any], wanted: float
) -> None:
    log = wishes(resource(**spec))
    assert next_in_s(log, plan, outcomes, calm=calm) == wanted
