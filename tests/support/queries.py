"""The questions that alerts and dashboard ask of Prometheus, and what they are made of.

Decides: what of a query names a metric. Must not know: who answers.
Read next: operator/replog_operator/resource/alerts.yaml, dashboard.json.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from replog_operator.definitions import ALERTS, DASHBOARD, source
from tests.unit.house.files import text_of

SELECTOR = re.compile(r"\b(replog_\w+)(\{[^}]*\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
DOCUMENTS = ("docs/metrics.md", "docs/operator-metrics.md")
ROW = re.compile(r"^\| `(replog_\w+)` \| (\w+) \| ([\w, ]*) \|", re.MULTILINE)
GIVEN = frozenset({"namespace", "log", "pod", "job"})
"""Labels that a metric has by being scraped."""
WIDE = {"$__rate_interval": "1m", "$namespace": ".*", "$log": ".*"}
"""What Grafana would put in for its variables."""


class Query(NamedTuple):
    """Who asks, and what."""

    name: str
    text: str

    def selectors(self) -> list[tuple[str, str]]:
        """Each metric that it names, with its matchers as they stand."""
        return SELECTOR.findall(self.text)


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in yaml.safe_load(source(ALERTS))["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard, rows aside."""
    return [each for each in json.loads(source(DASHBOARD))["panels"] if each["type"] != "row"]


def alerts() -> list[Query]:
    """The queries of alerts."""
    return [Query(rule["alert"], rule["expr"]) for rule in rules()]


def dashboard() -> list[Query]:
    """The queries of the dashboard, as Grafana would send them, and those of its variables."""
    return [Query(name, _filled(text)) for name, text in _dashboard()]


def _dashboard() -> Iterator[tuple[str, str]]:
    for panel in panels():
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for variable in json.loads(source(DASHBOARD))["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["name"], re.sub(r"label_values\((.*), \w+\)", r"\1", variable["query"])


def _filled(text: str) -> str:
    for name, value in WIDE.items():
        text = text.replace(name, value)
    return text


def documented() -> dict[str, frozenset[str]]:
    """Every metric that a document lists, by the names of its samples, with its labels."""
    return dict(_documented())


def _documented() -> Iterator[tuple[str, frozenset[str]]]:
    for name, kind, labels in ROW.findall("".join(map(text_of, DOCUMENTS))):
        own = frozenset(labels.split(", ")) - {""} | GIVEN
        if kind != "histogram":
            yield name, own
        else:
            yield f"{name}_bucket", own | {"le"}
            yield f"{name}_sum", own
            yield f"{name}_count", own
