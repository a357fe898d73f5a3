"""The status says what is so, in the words of the table of codes, and changes only with it."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from replog.wire.codes import WAITS, Row
from replog_operator.kube.events import events
from replog_operator.kube.gauges import LogGauges
from replog_operator.kube.picture import OperationRow, Picture, WaitRow
from replog_operator.kube.status import status
from tests.unit.kube.pictures import picture, row

THEN_S, NOW_S = 1795600000.0, 1795608060.0
SCALING = OperationRow("Scale", "3 members become 5: ordinals 3 and 4 join")


def written(found: Picture, before: dict[str, Any] | None = None, at_s: float = NOW_S) -> Any:
    return status(found, before or {}, at_s)


def condition(found: Any, kind: str) -> dict[str, Any]:
    (only,) = [item for item in found["conditions"] if item["type"] == kind]
    assert isinstance(only, dict)
    return only


def words(found: Any) -> dict[str, str]:
    return {item["type"]: item["status"] for item in found["conditions"]}


def test_a_log_that_is_well_says_so_in_every_column() -> None:
    found = written(picture())

    assert (found["ready"], found["voters"], found["leader"]) == ("3/3", 3, "orders-0")
    assert (found["tolerates"], found["version"], found["summary"]) == (1, "1.0.0", "Ready")
    assert words(found) == {
        "Ready": "True", "Available": "True", "Progressing": "False", "Updated": "True",
        "Degraded": "False", "Waiting": "False", "Suspended": "False", "Insecure": "True",
    }  # fmt: skip


def test_what_scale_reads_is_there() -> None:
    found = written(picture(pods=2))

    assert found["replicas"] == 2
    assert found["selector"] == (
        "app.kubernetes.io/component=node,app.kubernetes.io/instance=orders,"
        "app.kubernetes.io/name=replicated-log"
    )


def test_all_conditions_are_there_from_the_first_and_are_of_this_generation() -> None:
    nothing = picture(
        cluster_id="", lineage="", members=(), pods=0, ready=0, admitting=False, reached=False,
        updated=None, tolerates=None,
    )  # fmt: skip

    found = written(nothing)

    assert words(found).keys() == words(written(picture())).keys()
    assert {item["observedGeneration"] for item in found["conditions"]} == {4}
    assert words(found)["Degraded"] == words(found)["Updated"] == "Unknown"
    assert "tolerates" not in found and "clusterID" not in found


def test_nothing_is_written_when_only_time_has_passed() -> None:
    found = picture(operation=SCALING, waits=(WaitRow("LearnerBehind", "orders-3 copies"),))

    before = written(found, at_s=THEN_S)

    assert written(found, before) == before


def test_a_wait_is_as_old_as_its_code_whatever_its_evidence() -> None:
    before = written(picture(waits=(WaitRow("NoLeader", "asked twice"),)), at_s=THEN_S)

    now = written(picture(waits=(WaitRow("NoLeader", "asked three times"),)), before)

    assert now["waits"][0]["since"] == before["waits"][0]["since"]
    assert "three times" in now["waits"][0]["message"]


def test_a_step_is_as_old_as_its_words() -> None:
    before = written(picture(operation=SCALING), at_s=THEN_S)
    held = SCALING._replace(blocked_on="LearnerBehind")

    assert written(picture(operation=held), before)["operation"] == {
        **before["operation"], "blockedOn": "LearnerBehind",
    }  # fmt: skip
    other = written(picture(operation=SCALING._replace(step="joint")), before)
    assert other["operation"]["since"] != before["operation"]["since"]


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ({"operation": SCALING}, "Scale"),
        ({"operation": SCALING, "waits": (WaitRow("NoLeader", ""),)}, "Scale: NoLeader"),
        ({"waits": (WaitRow("NoLeader", ""), WaitRow("DiskFull", ""))}, "NoLeader"),
        ({"suspended": True, "waits": (WaitRow("NoLeader", ""),)}, "Suspended"),
        ({"hibernating": True, "admitting": False}, "Hibernating"),
        ({"ready": 2}, "NotReady"),
    ],
)
def test_the_column_says_what_a_person_should_know_first(
    changes: dict[str, Any], summary: str
) -> None:
    assert written(picture(**changes))["summary"] == summary


def test_a_member_that_is_down_degrades_the_log_and_leaves_it_available() -> None:
    members = (row(0), row(1), row(2, ready=False, caught_up=False, state="crash-loop"))

    found = written(picture(members=members, ready=2, tolerates=0))

    expected = {"Available": "True", "Degraded": "True", "Ready": "False"}
    assert words(found).items() >= expected.items()
    assert condition(found, "Degraded")["message"] == "not well: orders-2"
    assert condition(found, "Ready")["reason"] == "MembersMissing"


def test_without_a_leader_nothing_is_available() -> None:
    unled = tuple(row(ordinal, leads=False) for ordinal in range(3))
    found = written(picture(admitting=False, members=unled, tolerates=None))

    assert condition(found, "Available")["reason"] == "NoLeader"
    assert condition(found, "Ready")["reason"] == "NoLeader"


def test_a_leader_that_takes_no_appends_says_why() -> None:
    """Nobody must look for a leader that is there."""
    full = written(picture(admitting=False, waits=(WaitRow("DiskFull", "member-1: 3 MiB"),)))
    beginning = written(picture(admitting=False))

    assert condition(full, "Available")["reason"] == "DiskFull"
    assert "member-1: 3 MiB" in condition(full, "Available")["message"]
    assert condition(beginning, "Available")["reason"] == "NotAdmitting"


def test_a_bad_version_is_named_with_its_revision() -> None:
    found = written(picture(updated=False, not_updated=("BadVersion", "orders-6b7f never ran")))

    assert condition(found, "Updated")["reason"] == "BadVersion"
    assert condition(found, "Updated")["message"] == "orders-6b7f never ran"


def test_while_members_are_replaced_both_versions_are_shown() -> None:
    assert written(picture(members=(row(0), row(1, version="1.1.0"))))["version"] == "1.0.0,1.1.0"


def test_much_is_shown_and_not_everything() -> None:
    many = tuple(WaitRow("NoLeader", "x" * 5000) for _ in range(40))

    found = written(picture(waits=many, members=tuple(row(0) for _ in range(99))))

    assert (len(found["waits"]), len(found["members"])) == (16, 32)
    assert len(found["waits"][0]["message"]) <= 512


@pytest.mark.parametrize("wait", WAITS, ids=lambda found: found.code)
def test_each_wait_shows_in_the_column_a_condition_an_event_and_a_metric(wait: Row) -> None:
    held = picture(waits=(WaitRow(wait.code, "evidence"),), operation=SCALING)

    found = written(held)
    registry = CollectorRegistry()
    LogGauges(registry).show("shop", "orders", found)
    (told,) = [event for event in events(written(picture()), found) if event.reason == wait.code]

    assert wait.code in found["summary"]
    assert condition(found, "Waiting")["reason"] == wait.code
    assert found["waits"][0]["next"] == wait.next
    assert told.warning and wait.meaning in told.note and wait.next in told.note
    labels = {"namespace": "shop", "log": "orders", "code": wait.code}
    name = "replog_operator_wait_since_timestamp_seconds"
    assert registry.get_sample_value(name, labels) == NOW_S


def test_a_wait_that_this_build_does_not_know_is_shown_by_its_code() -> None:
    """A newer node may name others."""
    found = written(picture(waits=(WaitRow("MoonTooFar", "by 3 km"),)))

    assert found["summary"] == "MoonTooFar"
    assert found["waits"][0]["message"] == "by 3 km"
