"""What is told of steps that failed, and when they are tried again (kube/setbacks.py)."""

import pytest

from replog_operator.kube.setbacks import (
    JITTER,
    LONGEST_PAUSE_S,
    UNTOLD,
    AllSetbacks,
    Setbacks,
    after,
    pause_s,
    tried_now,
    waits,
)
from replog_operator.kube.workqueue import Key
from replog_operator.members.outcomes import DONE, Became, Outcome
from replog_operator.model.plan import Lane, LaneStep, Plan
from replog_operator.model.steps import EvictPod, Object, SetReplicas

REFUSED = Outcome(Became.REFUSED, "Forbidden", "pods is\nforbidden: quota")
LATE = Outcome(Became.UNKNOWN, "Unanswered", "no answer in 5 s")
KEY = Key("shop", "orders")


def eviction(version: str, name: str = "orders-1") -> LaneStep:
    """Of a pod, which has another version in each pass."""
    pod = Object(name, f"uid-{name}", version)
    return LaneStep(Lane.MEMBERS, EvictPod(pod, "outdated"), f"{name} is replaced")


def scaling() -> LaneStep:
    return LaneStep(Lane.REPAIR, SetReplicas(Object("orders", "u", "1"), 3), "from 2 to 3 pods")


def failed(outcome: Outcome, times: int) -> Setbacks:
    """After so many tries, each as soon as it was due."""
    known, now_s = Setbacks("u", 1, {}), 0.0
    for version in range(times):
        made = Plan((eviction(str(version)),))
        known = after(known, made, [outcome], now_s, random=0.0)
        now_s += LONGEST_PAUSE_S
    return known


def test_a_refusal_is_told_in_the_next_pass_and_what_became_of_it_only_if_it_comes_again() -> None:
    now = Plan((eviction("9"),))
    (told,) = waits(failed(REFUSED, 1), now)
    assert (told.lane, told.code) == (Lane.MEMBERS, "StepFailed")
    assert told.evidence == "orders-1 is replaced: refused, Forbidden: pods is forbidden: quota"
    assert waits(failed(LATE, UNTOLD), now) == ()
    (told,) = waits(failed(LATE, UNTOLD + 1), now)
    assert told.evidence == (
        "orders-1 is replaced: not known to be done, Unanswered: no answer in 5 s"
    )


def test_what_is_planned_no_more_or_is_done_is_not_told() -> None:
    known = failed(REFUSED, 3)
    assert waits(known, Plan((eviction("9", "orders-2"),))) == ()
    assert after(known, Plan(), [], 0.0, random=0.0).steps == {}
    assert after(known, Plan((eviction("9"),)), [DONE], 1000.0, random=0.0).steps == {}


def test_a_step_that_failed_waits_while_others_are_taken() -> None:
    made = Plan((scaling(), eviction("1")))
    known = after(Setbacks("u", 1, {}), made, [DONE, REFUSED], 100.0, random=0.0)
    assert tried_now(known, made, 100.4) == (scaling(),)
    known = after(known, made, [DONE], 100.4, random=0.0)
    assert tried_now(known, made, 100.5) == made.steps
    assert [wait.code for wait in waits(known, made)] == ["StepFailed"]


def test_pauses_double_up_to_a_bound_and_are_not_all_alike() -> None:
    assert [pause_s(times) for times in (1, 2, 3, 7, 1000)] == [0.5, 1, 2, LONGEST_PAUSE_S, 30]
    (found,) = after(
        Setbacks("u", 1, {}), Plan((eviction("1"),)), [REFUSED], 10.0, random=1.0
    ).steps.values()
    assert found.until_s == pytest.approx(10 + 0.5 * (1 - JITTER))


def test_a_clock_that_is_set_back_holds_no_step() -> None:
    made = Plan((eviction("1"),))
    known = after(Setbacks("u", 1, {}), made, [REFUSED], 10_000.0, random=0.0)
    assert tried_now(known, made, 10_000.1) == ()
    assert tried_now(known, made, 6_400.0) == made.steps


def test_an_edited_resource_is_tried_at_once() -> None:
    every, made = AllSetbacks(lambda: 0.0), Plan((eviction("1"),))
    every.note(KEY, every.of(KEY, "u", 1), made, [REFUSED], 10.0)
    assert tried_now(every.of(KEY, "u", 1), made, 10.1) == ()
    assert tried_now(every.of(KEY, "u", 2), made, 10.1) == made.steps
    every.forget(KEY)
    assert every.of(KEY, "u", 1).steps == {}


def test_a_log_that_was_made_anew_inherits_no_wait() -> None:
    every, made = AllSetbacks(lambda: 0.0), Plan((eviction("1"),))
    every.note(KEY, every.of(KEY, "u", 1), made, [REFUSED], 10.0)
    assert every.of(KEY, "u", 1).steps
    assert every.of(KEY, "v", 1) == Setbacks("v", 1, {})
