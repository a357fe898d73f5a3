"""Alerts and dashboard ask for what there is, and whoever is woken finds a page that helps."""

import re
from pathlib import Path
from typing import Any

import pytest

from replog.wire.codes import WAITS
from tests.support.queries import (
    MATCHER,
    Query,
    alerts,
    dashboard,
    documented,
    panels,
    rules,
)
from tests.unit.house.files import ROOT, text_of

QUERIES = [*alerts(), *dashboard()]
METRICS = documented()
RUNBOOKS = "docs/runbooks"
URL = "https://replog.dev/runbooks/"
PARTS = ["## What it means", "## What to look at", "## What to do"]
OF_LABELS = re.compile(r"\b(?:by|on) \(([^)]*)\)")
WAIT_CODES = {row.code for row in WAITS}
GRID = 24


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_query_names_metrics_and_labels_that_a_document_lists(query: Query) -> None:
    selectors = query.selectors()
    assert selectors
    known = set[str]()
    for name, matchers in selectors:
        assert name in METRICS, f"{name} is in no document"
        assert {label for label, _, _ in MATCHER.findall(matchers)} <= METRICS[name]
        known |= METRICS[name]
    for labels in OF_LABELS.findall(query.text):
        assert set(labels.replace(" ", "").split(",")) <= known


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_a_code_that_is_asked_for_is_one_of_a_wait(query: Query) -> None:
    for _, matchers in query.selectors():
        for label, _, value in MATCHER.findall(matchers):
            if label == "code":
                for pattern in value.split("|"):
                    found = [code for code in WAIT_CODES if re.fullmatch(pattern, code)]
                    assert found, f"no wait has the code {pattern}"


def test_a_metric_that_is_not_there_would_be_seen() -> None:
    assert (
        "replog_fsync_seconds_bucket" in METRICS and "le" in METRICS["replog_fsync_seconds_bucket"]
    )
    assert METRICS["replog_waits"] == {"code", "namespace", "log", "pod", "job"}
    assert "replog_fsync_seconds" not in METRICS
    assert Query("", "rate(replog_x[5m]) / replog_y{a='b'}").selectors() == [
        ("replog_x", ""),
        ("replog_y", "{a='b'}"),
    ]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_what_is_so_and_where_to_read_on(rule: dict[str, Any]) -> None:
    assert rule["for"]
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert rule["annotations"].keys() == {"summary", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == URL + rule["alert"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_has_a_page_that_says_what_to_do(rule: dict[str, Any]) -> None:
    page = text_of(f"{RUNBOOKS}/{rule['alert']}.md")

    assert page.startswith(f"# {rule['alert']}\n")
    assert re.findall(r"^## .*$", page, re.MULTILINE) == PARTS
    listed = f"| [{rule['alert']}]({rule['alert']}.md) | {rule['labels']['severity']} |"
    assert listed in text_of(f"{RUNBOOKS}/README.md")


def test_no_page_is_about_an_alert_that_is_gone() -> None:
    pages = {path.stem for path in Path(ROOT, RUNBOOKS).glob("*.md")} - {"README"}

    assert pages == {rule["alert"] for rule in rules()}


def test_every_panel_is_explained_and_in_a_place_of_its_own() -> None:
    taken = set[tuple[int, int]]()
    for panel in panels():
        at = panel["gridPos"]
        place = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert panel["description"] and panel["targets"]
        assert at["x"] + at["w"] <= GRID
        assert not place & taken, panel["title"]
        taken |= place
    assert len({panel["id"] for panel in panels()}) == len(panels())
