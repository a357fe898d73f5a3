"""What is read from a pod's status: each state that the planner tells apart."""

from typing import Any

import pytest

from replog_operator.kube.pods import PodFacts, pod_facts, seconds
from replog_operator.model.observed import PodState
from tests.unit.kube.pod_objects import (
    CHANGED,
    MADE,
    NOW_S,
    conditions,
    container,
    ended,
    pod,
    running,
    waiting,
)


def facts(found: dict[str, Any]) -> PodFacts:
    return pod_facts("orders", found, NOW_S)


def between_two_crashes(*, finished: str) -> dict[str, Any]:
    """It runs again, is not ready, and has crashed before."""
    return pod(
        phase="Running",
        conditions=conditions(ready=False),
        containerStatuses=container(
            restartCount=3,
            started=False,
            state={"running": {"startedAt": finished}},
            lastState={"terminated": ended(1, finished)},
        ),
    )


def deleted(grace_s: int) -> dict[str, Any]:
    found = running(ready=True)
    found["metadata"] |= {
        "deletionTimestamp": "2026-11-25T12:00:30Z",
        "deletionGracePeriodSeconds": grace_s,
    }
    return found


STATES = {
    "ready": (running(ready=True), PodState.READY),
    "up and not ready": (running(ready=False), PodState.UNREADY),
    "proving its disk": (running(ready=False, started=False), PodState.STARTING),
    "just made": (pod(), PodState.PENDING),
    "no host has room": (
        pod(phase="Pending", conditions=conditions(False, scheduled=False)),
        PodState.PENDING,
    ),
    "its host prepares it": (
        waiting("ContainerCreating", ""),
        PodState.PENDING,
    ),
    "no such image": (
        waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/x:1"'),
        PodState.IMAGE_ERROR,
    ),
    "an image's name that is none": (waiting("InvalidImageName", "x"), PodState.IMAGE_ERROR),
    "crashes": (
        waiting("CrashLoopBackOff", "back-off 40s restarting", ended=ended(3)),
        PodState.CRASH_LOOP,
    ),
    "a command that is not there": (
        waiting("CreateContainerError", "exec: not found"),
        PodState.CRASH_LOOP,
    ),
    "between two crashes": (
        between_two_crashes(finished="2026-11-25T12:00:50Z"),
        PodState.CRASH_LOOP,
    ),
    "crashed long ago, and starts now": (
        between_two_crashes(finished="2026-11-25T08:00:00Z"),
        PodState.STARTING,
    ),
    "evicted by its host": (
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        PodState.FAILED,
    ),
    "its host is gone": (pod(phase="Unknown", reason="NodeLost"), PodState.LOST),
    "being deleted": (deleted(30), PodState.TERMINATING),
}


@pytest.mark.parametrize("name", STATES)
def test_the_state_of_a_pod(name: str) -> None:
    found, state = STATES[name]

    assert facts(found).state is state


@pytest.mark.parametrize(
    "name", [name for name in STATES if name not in ("ready", "up and not ready")]
)
def test_a_pod_that_is_not_well_says_why(name: str) -> None:
    assert facts(STATES[name][0]).message


def test_a_state_is_as_old_as_the_change_of_readiness() -> None:
    assert facts(running(ready=True)).since_s == seconds(CHANGED, 0)


def test_without_conditions_it_is_as_old_as_the_pod() -> None:
    assert facts(pod()).since_s == seconds(MADE, 0)


def test_a_deletion_is_as_old_as_the_wish_and_not_as_the_end_of_its_grace() -> None:
    assert facts(deleted(30)).since_s == NOW_S - 60


def test_how_a_container_ended_is_told() -> None:
    assert "last with 3" in facts(STATES["crashes"][0]).message


def test_a_pod_that_somebody_else_named_has_no_ordinal() -> None:
    assert facts(pod("orders-debug")).ordinal is None
    assert facts(pod("orders-12")).ordinal == 12


def test_what_identifies_a_pod_is_told_as_it_is() -> None:
    found = facts(running(ready=True))

    assert (found.uid, found.resource_version) == ("uid-of-orders-1", "4711")
    assert (found.revision, found.image) == ("orders-6b7f", "replicated-log:1.0")


def test_a_long_message_is_cut_and_on_one_line() -> None:
    found = facts(waiting("ErrImagePull", "a\nb " * 1000))

    assert len(found.message) == 200 and "\n" not in found.message
