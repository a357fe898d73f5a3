"""What Kubernetes remembers of a lost majority is read as it was written (kube/recovery.py)."""

from typing import Any

import pytest

from replog_operator.kube.children.config_map import config_map
from replog_operator.kube.children.names import CLUSTER_ID
from replog_operator.kube.kinds import CONFIG_MAP
from replog_operator.kube.recovery import (
    MEMBERS_MAX,
    decided_of,
    needs_surveys,
    read,
    surveyed_of,
    written,
)
from replog_operator.kube.task_status import ended
from replog_operator.model.surveys import Decided, Ended, Missing, Report, Surveyed, number_of
from tests.support.definitions import fields, part
from tests.unit.kube.test_wishes import task
from tests.unit.kube.wanting import wanted
from tests.unit.kube.world import World

REPORT = Report(
    lineage=1,
    best="m-2",
    members=(Surveyed("m-2", "orders-2", True, 4, 99, "0a", 90, True, True),),
    missing=(Missing("m-0", "orders-0"), Missing("m-1", "")),
    text="m-2 has most.",
)
NOTED = {"metadata": {"annotations": {CLUSTER_ID: "c"}}}


def surveyed(**status: Any) -> dict[str, Any]:
    """A task SurveyQuorum with this status."""
    found = task("look", "2026-11-25T10:00:00Z", action="SurveyQuorum")
    return {**found, "metadata": {**found["metadata"], "generation": 1}, "status": status}


def test_a_report_is_read_as_it_was_written_and_the_definition_has_each_field() -> None:
    assert read(written(REPORT)) == REPORT

    known = {
        path for path, _ in fields(part("ReplicatedLogTask", "status")["properties"]["survey"])
    }
    told = written(REPORT)
    lists = {f"{name}[].{key}" for name in ("members", "missing") for key in told[name][0]}
    assert {*told, *lists} == known


def test_a_report_of_too_many_is_cut_and_not_refused() -> None:
    told = written(REPORT._replace(missing=REPORT.missing * MEMBERS_MAX, text="x" * 5000))
    assert (len(told["missing"]), len(told["report"])) == (MEMBERS_MAX, 1024)


def test_of_a_survey_that_failed_there_is_no_report() -> None:
    over = ended(surveyed(), done=True, message="", now_s=0.0, report=REPORT)
    failed = ended(surveyed(), done=False, message="somebody leads", now_s=0.0)

    assert surveyed_of("orders", [surveyed(**over)]) == {"look": Ended("survey-uid-look", REPORT)}
    assert surveyed_of("orders", [surveyed(**failed)]) == {"look": Ended("survey-uid-look", None)}
    assert surveyed_of("others", [surveyed(**over)]) == {}
    assert surveyed_of("orders", [surveyed(state="Running")]) == {}


def test_members_are_asked_only_while_a_task_looks_at_what_they_have() -> None:
    assert needs_surveys("orders", [surveyed()])
    assert not needs_surveys("orders", [surveyed(state="Done")])
    assert not needs_surveys("others", [surveyed()])
    assert not needs_surveys("orders", [task("t", "2026-11-25T10:00:00Z", action="Snapshot")])


@pytest.mark.parametrize(
    ("lineage", "number"), [(None, 0), ("", 0), ("1.9f2c", 1), ("12", 12), ("x", 0), ("٣", 0)]
)
def test_a_lineage_is_known_by_its_number(lineage: str | None, number: int) -> None:
    assert number_of(lineage) == number


def test_the_number_that_members_read_never_falls_behind_what_was_decided() -> None:
    def told(lineage: str, decided: Decided) -> tuple[str, str]:
        data = config_map(wanted(lineage=lineage, decided=decided))["data"]
        return data["lineage"], data.get("survivor", "")

    assert told("", Decided()) == ("", "")
    assert told("1.9f", Decided()) == ("1", "")
    assert told("1.9f", Decided(2, "m-2")) == ("2", "m-2")
    assert told("2.0a", Decided(2, "m-2")) == ("2", "m-2")
    assert told("3.0b", Decided(2, "m-2")) == ("3", ""), "it is not the survivor of that one"


def test_what_was_decided_is_read_back_and_not_of_another_log_of_that_name() -> None:
    stored = config_map(wanted(decided=Decided(2, "m-2")))

    assert decided_of(stored, [NOTED], "") == Decided(2, "m-2")
    assert decided_of(stored, [], "c") == Decided(2, "m-2")
    assert decided_of(stored, [{"metadata": {}}], "") == Decided()
    assert decided_of(None, [NOTED], "c") == Decided()


def test_a_pass_keeps_what_was_decided_although_the_leader_is_of_an_older_lineage() -> None:
    world = World()
    world.objects[CONFIG_MAP] = [config_map(wanted(decided=Decided(2, "m-2")))]

    assert world.wanted().decided == world.observed().decided == Decided(2, "m-2")
    assert config_map(world.wanted())["data"]["lineage"] == "2"
