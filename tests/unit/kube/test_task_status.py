"""How far tasks say that they are, and when they go (kube/task_status.py, task_telling.py)."""

import asyncio
from typing import Any

import pytest

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.task_status import ended, expired, task_status
from replog_operator.kube.task_telling import (
    REMOVED_MAX,
    TOLD_MAX,
    standing,
    tell_orphans,
    tell_tasks,
)
from replog_operator.members.outcomes import DONE, Outcome
from replog_operator.model.plan import Lane, LaneStep, Plan, Wait
from replog_operator.model.steps import FinishTask, Transfer
from replog_operator.model.surveys import Report
from replog_operator.planner.answer import Answer, Do, Hold
from tests.support.definitions import part
from tests.unit.kube.world import resource

NOW_S = 1_700_000_000.0
WEEK_S = 604_800


def task(
    name: str = "t",
    *,
    keep_s: int | None = WEEK_S,
    created: str = "2023-11-14T22:00:00Z",
    **status: Any,
) -> Object:
    spec = {"log": "orders", "action": "Snapshot"}
    kept = {} if keep_s is None else {"ttlSecondsAfterFinished": keep_s}
    return {
        "metadata": {
            "name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1",
            "creationTimestamp": created,
        },
        "spec": {**spec, **kept},
        "status": status,
    }  # fmt: skip


def test_it_waits_runs_and_is_done_and_times_stay() -> None:
    held = task_status(task(), Hold("NoLeader", "task t waits for a leader"), NOW_S)
    assert (held["state"], held["blockedOn"], "startedAt" in held) == ("Pending", "NoLeader", False)
    assert held["conditions"][0]["status"] == "False"
    assert held["conditions"][0]["reason"] == "NoLeader"

    running = task_status(task(**held), Do(Transfer(0, "m1"), "m1 is to lead"), NOW_S + 5)
    assert (running["state"], running["message"]) == ("Running", "m1 is to lead")
    assert "blockedOn" not in running
    again = task_status(task(**running), Do(Transfer(0, "m1"), "m1 is to lead"), NOW_S + 9)
    assert again == running, "nothing new is nothing to write"

    over = ended(task(**running), done=True, message="m1 leads", now_s=NOW_S + 60)
    assert (over["state"], over["startedAt"]) == ("Done", running["startedAt"])
    assert (over["finishedAt"], over["conditions"][0]["status"]) == ("2023-11-14T22:14:20Z", "True")
    failed = ended(task(), done=False, message="no member", now_s=NOW_S)
    assert (failed["state"], failed["conditions"][0]["reason"]) == ("Failed", "Failed")


def test_who_is_acknowledged_elsewhere_is_pending() -> None:
    assert task_status(task(), None, NOW_S)["state"] == "Pending"


@pytest.mark.parametrize(
    ("found", "gone"),
    [
        (task(state="Done", finishedAt="2023-11-07T22:13:20Z"), True),
        (task(state="Failed", finishedAt="2023-11-07T22:13:20Z"), True),
        (task(state="Done", finishedAt="2023-11-07T22:13:21Z"), False),
        (task(state="Done", finishedAt="2023-11-14T22:13:20Z", keep_s=0), False),
        (task(state="Done"), False),
        (task(state="Running", finishedAt="2023-11-01T00:00:00Z"), False),
        (task(), False),
    ],
)
def test_one_that_ended_goes_when_its_time_is_over(found: Object, gone: bool) -> None:
    del found["spec"]["ttlSecondsAfterFinished"]
    assert expired([found], "orders", NOW_S) == [], "without a time it stays"
    found["spec"]["ttlSecondsAfterFinished"] = WEEK_S
    assert expired([found], "orders", NOW_S) == ([found] if gone else [])
    assert expired([found], "ledger", NOW_S) == []


class Hands:
    """What is written, in its order."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []
        self.messages: list[str] = []
        self.deleted: list[str] = []

    async def note_task(self, found: Object, status: Object) -> Outcome:
        self.noted.append((found["metadata"]["name"], status["state"]))
        self.messages.append(status["message"])
        return DONE

    async def delete_task(self, found: Object) -> Outcome:
        self.deleted.append(found["metadata"]["name"])
        return DONE


def told(tasks: list[Object], answers: dict[str, Answer], plan: Plan) -> Hands:
    hands = Hands()
    telling = tell_tasks(resource(), tasks, answers, plan, hands, NOW_S)  # type: ignore[arg-type]
    asyncio.run(telling)
    return hands


def test_a_task_that_a_step_ends_is_left_to_that_step() -> None:
    step = LaneStep(Lane.TASKS, FinishTask("t", True, "done"), "done")
    answers: dict[str, Answer] = {"t": Do(step.step, "done"), "u": Hold("NoLeader", "waits")}
    hands = told([task("t"), task("u")], answers, Plan((step,)))
    assert hands.noted == [("u", "Pending")]


def test_what_does_not_run_is_not_said_to_run() -> None:
    step = Transfer(0, "m1")
    answers: dict[str, Answer] = {"t": Do(step, "m1 is to lead")}
    planned = Plan((LaneStep(Lane.TASKS, step, "m1 is to lead"),))
    failed = Wait(Lane.TASKS, "StepFailed", "refused")
    suspended = Wait(Lane.MEMBERS, "Suspended", "spec.suspend is set")
    assert told([task()], answers, planned).noted == [("t", "Running")]
    assert told([task()], answers, planned._replace(waits=(failed,))).noted == [("t", "Pending")]
    assert told([task()], answers, Plan((), (suspended,))).noted == [("t", "Pending")]
    assert standing(answers["t"], Plan((), (suspended,))) == Hold("Suspended", suspended.evidence)
    assert told([task()], answers, Plan()).noted == [("t", "Pending")]


def test_so_many_are_told_and_so_many_removed_in_a_pass_and_neither_starves_the_other() -> None:
    many = [task(f"t{number}") for number in range(TOLD_MAX + 3)]
    old = [
        task(f"old{number}", state="Done", finishedAt="2020-01-01T00:00:00Z")
        for number in range(REMOVED_MAX + 3)
    ]
    hands = told([*many, *old], {each["metadata"]["name"]: None for each in many}, Plan())
    assert (len(hands.noted), len(hands.deleted)) == (TOLD_MAX, REMOVED_MAX)


def test_a_task_is_not_the_log_and_goes_in_its_time_while_that_is_suspended() -> None:
    old = task("old", state="Done", finishedAt="2020-01-01T00:00:00Z")
    suspended = Wait(Lane.OBJECTS, "Suspended", "spec.suspend is set")
    assert told([old], {}, Plan((), (suspended,))).deleted == ["old"]


def test_one_whose_state_is_new_is_told_before_those_whose_words_are() -> None:
    held = Hold("NoLeader", "1 of 3 voters answer")
    words = [
        task(f"t{number}", **task_status(task(), held, NOW_S)) for number in range(TOLD_MAX + 3)
    ]
    answers: dict[str, Answer] = {
        each["metadata"]["name"]: held._replace(evidence="2 of 3 voters answer") for each in words
    }
    hands = told([*words, task("new")], {**answers, "new": held}, Plan())
    assert hands.noted[0] == ("new", "Pending")
    assert len(hands.noted) == TOLD_MAX


def test_one_that_is_being_deleted_takes_no_other_ones_turn() -> None:
    held = [
        task(f"held{number}", state="Done", finishedAt="2020-01-01T00:00:00Z")
        for number in range(REMOVED_MAX)
    ]
    for each in held:
        each["metadata"]["deletionTimestamp"] = "2020-01-01T00:00:00Z"
    late = task("late", state="Done", finishedAt="2021-01-01T00:00:00Z")
    assert told([*held, late], {}, Plan()).deleted == ["late"]


def test_what_was_asked_of_a_former_log_fails_and_is_not_done_to_its_successor() -> None:
    asked = [
        task("before", created="2023-10-31T23:58:59Z"),
        task("with", created="2023-10-31T23:59:00Z"),
    ]
    hands = told(asked, {"with": Hold("NoLeader", "waits")}, Plan())
    assert hands.noted == [("before", "Failed"), ("with", "Pending")]
    assert "the log orders that this was asked of is gone" in hands.messages[0]


def test_what_is_asked_of_no_log_waits_a_little_then_fails_then_goes() -> None:
    asked = [
        task("typo", created="2023-11-14T22:12:19Z"),
        task("early", created="2023-11-14T22:12:20Z"),
        task("over", state="Failed", finishedAt="2020-01-01T00:00:00Z"),
        task("done", state="Done", finishedAt="2023-11-14T22:00:00Z"),
    ]
    other = task("other")
    other["spec"]["log"] = "ledger"
    hands = Hands()
    asyncio.run(tell_orphans("orders", [*asked, other], hands, NOW_S))  # type: ignore[arg-type]
    assert sorted(hands.noted) == [("early", "Pending"), ("typo", "Failed")]
    assert all("there is no ReplicatedLog orders" in message for message in hands.messages)
    assert hands.deleted == ["over"]


def test_the_definition_knows_every_field_that_is_written() -> None:
    known = part("ReplicatedLogTask", "status")["properties"]
    written = {
        *task_status(task(), Hold("NoLeader", "waits"), NOW_S),
        *ended(task(startedAt="x"), done=True, message="", now_s=NOW_S, report=Report(1)),
        "message",
    }
    assert written == set(known)
