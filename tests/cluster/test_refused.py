"""A step that the API server refuses is told wherever waits are told, and taken once it may be."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators

PORT = 18081
CODE = "StepFailed"
SAYS = "exceeded quota"


@pytest.fixture
def log(
    cluster: Cluster, namespace: str, definitions: None, tmp_path: Path
) -> Iterator[ManagedLog]:
    """A member that is ready, where there may be no second claim."""
    options = ("--port", str(PORT))
    operator = Operator(
        cluster, namespace, "one", tmp_path, module="replog_operator", options=options
    )
    quota = {"metadata": {"name": "disks"}, "spec": {"hard": {"persistentvolumeclaims": "1"}}}
    cluster.api.create(paths.of("/api/v1", namespace, "resourcequotas"), quota)
    with operators(operator):
        made = ManagedLog(cluster, namespace, operator.said)
        made.apply("one")
        made.wait_until_ready(1)
        yield made


def waits(log: ManagedLog) -> dict[str, Any]:
    """What is waited for, by code."""
    return {wait["code"]: wait for wait in log.resource()["status"].get("waits", ())}


@pytest.mark.timeout(300, func_only=True)
def test_a_claim_beyond_the_quota_is_told_in_each_place_and_made_when_there_is_room(
    cluster: Cluster, log: ManagedLog
) -> None:
    log.scale(3)
    log.wait("it is told", lambda: CODE in waits(log))
    status = log.resource()["status"]
    wait = waits(log)[CODE]
    assert SAYS in wait["message"] and "admission webhook" in wait["next"]
    assert CODE in status["summary"] and status["operation"]["blockedOn"] == CODE
    assert (log.condition("Waiting"), SAYS in log.condition("Waiting", "message")) == ("True", True)
    events = log.kubectl("get", "events", "-o", "jsonpath={.items[*].reason} {.items[*].message}")
    assert CODE in events and SAYS in events
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert f'replog_operator_wait_since_timestamp_seconds{{code="{CODE}",log="{LOG}"' in text

    quota = paths.of("/api/v1", log.namespace, "resourcequotas", "disks")
    cluster.api.merge(quota, {"spec": {"hard": {"persistentvolumeclaims": "3"}}})
    log.wait_until_ready(3)
    assert CODE not in waits(log)
