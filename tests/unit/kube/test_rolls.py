"""Which logs are rolled at the same time (replog_operator/kube/rolls.py)."""

from replog_operator.kube.rolls import Rolls
from replog_operator.kube.workqueue import Key
from replog_operator.model.observed import Capabilities, Observed, Operator, Pod, PodState, Workload
from replog_operator.model.plan import Lane, LaneStep, Plan
from replog_operator.model.steps import EvictPod, Object

A, B = Key("ns", "a"), Key("ns", "b")
EVICTS = Plan((LaneStep(Lane.MEMBERS, EvictPod(Object("x-0", "u", "1"), "outdated"), "why"),))


def seen(*revisions: str, good: str = "t2") -> Observed:
    """A log whose pods have these revisions; new is the one that they should have."""
    workload = Workload("x", "u", "1", len(revisions), "t2", "new", good_template=good)
    pods = tuple(
        Pod(f"x-{at}", str(at), "1", at, PodState.READY, 0.0, 0.0, revision)
        for at, revision in enumerate(revisions)
    )
    return Observed(0.0, Operator(1, "l#a"), Capabilities(), workload, "t2", (), pods=pods)


def test_one_log_is_rolled_and_the_next_when_every_pod_of_it_is_well() -> None:
    rolls = Rolls(1)
    assert rolls.may(A) and rolls.may(B)
    rolls.note(A, seen("old", "old", good="t1"), EVICTS)
    assert rolls.may(A) and not rolls.may(B)
    rolls.note(A, seen("new", "new", good="t1"), Plan())
    assert not rolls.may(B)  # renewed, and not well yet
    rolls.note(A, seen("new", "new"), Plan())
    assert rolls.may(B)


def test_a_log_that_waits_for_its_turn_or_is_never_restarted_holds_no_place() -> None:
    rolls = Rolls(1)
    rolls.note(A, seen("old", "old", good="t1"), Plan())
    assert rolls.may(B)


def test_an_eviction_that_is_no_roll_takes_no_place() -> None:
    rolls = Rolls(1)
    rolls.note(A, seen("new", "new"), EVICTS)
    assert rolls.may(B)


def test_a_new_process_finds_out_who_is_in_the_middle() -> None:
    rolls = Rolls(1)
    rolls.note(A, seen("old", "new", good="t1"), Plan())
    assert rolls.may(A) and not rolls.may(B)
    rolls.forget(A)
    assert rolls.may(B)
