"""The page of the operator has a row for each field that people may write."""

import re

from replog_operator.kube.status import status
from tests.support.definitions import fields, part
from tests.unit.house.files import text_of
from tests.unit.kube.pictures import picture

PAGE = "docs/operator.md"
DEFAULTS = {True: "yes", False: "no"}


def rows(title: str) -> dict[str, list[str]]:
    """The table below a heading: first cell, without its backquotes → the others."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", text_of(PAGE), re.M | re.S)
    lines = re.findall(r"^\| `(.*?)` \| (.*) \|$", str(section), re.M)
    return {name: re.split(r" ?\| ?", rest) for name, rest in lines}


def named(kind: str) -> list[str]:
    """Fields of a spec; what a list holds is as in a pod."""
    return [path for path, _ in fields(part(kind, "spec")) if "[]" not in path]


def test_each_field_of_a_log_has_its_row_in_the_order_of_the_definition() -> None:
    assert list(rows("The resource")) == named("ReplicatedLog")


def test_each_field_of_a_task_has_its_row() -> None:
    assert list(rows("Tasks")) == named("ReplicatedLogTask")


def test_the_defaults_are_those_that_the_api_server_fills_in() -> None:
    told = {name: cells[0] for name, cells in rows("The resource").items()}
    filled = {
        path: inner["default"]
        for path, inner in fields(part("ReplicatedLog", "spec"))
        if inner.get("default", {}) != {}
    }

    assert {path: told[path] for path in filled} == {
        path: str(DEFAULTS.get(value, value)) if isinstance(value, bool) else str(value)
        for path, value in filled.items()
    }


def test_each_action_of_a_task_is_named() -> None:
    (action,) = [
        inner for path, inner in fields(part("ReplicatedLogTask", "spec")) if path == "action"
    ]

    assert rows("Tasks")["action"][1] == ", ".join(action["enum"])


def test_each_condition_of_a_status_is_explained() -> None:
    told = status(picture(), {}, 0.0)["conditions"]

    assert list(rows("Look after it")) == [each["type"] for each in told]
