"""What a log waits for, as people are told it: the column STATUS, a condition, an event, a metric.

Decides: where each of them is read. Must not know: what has brought it about.
Read next: test_gates.py.
"""

import json
from collections.abc import Mapping
from typing import Any

from replog.wire.codes import WAITS
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.operators import Operator

MEANINGS = {row.code: row.meaning for row in WAITS}
NOTHING = "there is no metric for it"


def assert_told(log: ManagedLog, operator: Operator, code: str, name: str = LOG) -> None:
    """Wait until the log waits for this above all, and it is told everywhere.

    name: of another log in the same namespace. An event follows the status, and so does the metric.
    """
    meaning = MEANINGS[code]
    lacking: list[str] = []

    def told() -> bool:
        lacking[:] = _lacking(log, operator, code, meaning, name)
        return not lacking

    try:
        log.wait(f"{name} waits for {code}, which is told everywhere", told)
    except AssertionError as problem:
        raise AssertionError(f"{code} is not told in: {', '.join(lacking)}\n{problem}") from problem


def assert_told_beside(log: ManagedLog, operator: Operator, code: str) -> None:
    """Wait until the log waits for this, too, and it is told wherever there is room for several."""
    above_all = {"STATUS", "conditions"}
    meaning = MEANINGS[code]
    log.wait(
        f"{LOG} waits for {code}, too",
        lambda: set(_lacking(log, operator, code, meaning, LOG)) <= above_all,
    )


def assert_passed(log: ManagedLog, operator: Operator, code: str) -> None:
    """Wait until it is told that the log has waited for this, and does no more."""
    over = f'replog_operator_wait_seconds_count{{code="{code}"}}'

    def passed() -> bool:
        found = log.resource()
        waits = [wait["code"] for wait in (found.get("status") or {}).get("waits", ())]
        noted = any(MEANINGS[code] in note for note in _notes(log, found, code))
        return noted and code not in waits and over in operator.metrics()

    log.wait(f"{LOG} has waited for {code}", passed)


def _lacking(log: ManagedLog, operator: Operator, code: str, meaning: str, name: str) -> list[str]:
    found = json.loads(log.kubectl("get", "rlog", name, "-o", "json"))
    status = found.get("status") or {}
    conditions = {each["type"]: each for each in status.get("conditions", ())}
    waiting = conditions.get("Waiting", {})
    places = {
        "STATUS": code in _column(log, name),
        "waits": code in [wait["code"] for wait in status.get("waits", ())],
        "conditions": waiting.get("status") == "True" and waiting["reason"] == code,
        "the condition's message": meaning in waiting.get("message", ""),
        "events": any(meaning in note for note in _notes(log, found, code)),
        "metrics": _metric(operator, found["metadata"], code) in operator.metrics(),
    }
    return [place for place, is_there in places.items() if not is_there]


def _column(log: ManagedLog, name: str) -> str:
    """STATUS of `kubectl get rlog`, which may be of several words."""
    head, row = log.kubectl("get", "rlog", name).splitlines()
    return row[head.index("STATUS") : head.index("AGE")]


def _notes(log: ManagedLog, found: Any, code: str) -> list[str]:
    """Of events with this reason about this very resource."""
    fields = f"regarding.uid={found['metadata']['uid']},reason={code}"
    said = log.kubectl("get", "events.events.k8s.io", "--field-selector", fields, "-o", "json")
    return [event["note"] for event in json.loads(said)["items"] if event["type"] == "Warning"]


def _metric(operator: Operator, metadata: Mapping[str, Any], code: str) -> str:
    labels = f'code="{code}",log="{metadata["name"]}",namespace="{metadata["namespace"]}"'
    return f"replog_operator_wait_since_timestamp_seconds{{{labels}}}"
