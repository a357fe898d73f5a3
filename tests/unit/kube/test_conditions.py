"""Conditions keep Kubernetes' conventions."""

import pytest

from replog_operator.kube.conditions import Condition, conditions, timestamp

THEN_S, NOW_S = 1795600000.0, 1795608060.4


def stored(*found: Condition, at_s: float = THEN_S, generation: int = 1) -> list[dict[str, object]]:
    return conditions(found, [], generation=generation, now_s=at_s)


def test_a_time_is_in_whole_seconds_and_utc() -> None:
    assert timestamp(NOW_S) == "2026-11-25T12:01:00Z"


@pytest.mark.parametrize(("true", "word"), [(True, "True"), (False, "False"), (None, "Unknown")])
def test_what_is_not_known_is_unknown(true: bool | None, word: str) -> None:
    (found,) = stored(Condition("Ready", true, "AsExpected", "all is well"))

    assert found["status"] == word


def test_the_time_stays_while_the_status_does() -> None:
    before = stored(Condition("Ready", False, "NoLeader", "nobody leads"))
    still = Condition("Ready", False, "DiskFull", "no room")

    (now,) = conditions([still], before, generation=2, now_s=NOW_S)

    assert now["lastTransitionTime"] == timestamp(THEN_S)
    assert (now["reason"], now["observedGeneration"]) == ("DiskFull", 2)


def test_the_time_is_new_when_the_status_is() -> None:
    before = stored(Condition("Ready", False, "NoLeader", "nobody leads"))

    (now,) = conditions([Condition("Ready", True, "Ready", "")], before, generation=1, now_s=NOW_S)

    assert now["lastTransitionTime"] == timestamp(NOW_S)


def test_a_message_is_bounded() -> None:
    (found,) = stored(Condition("Ready", None, "Unknown", "x" * 5000))

    assert len(str(found["message"])) == 1024
