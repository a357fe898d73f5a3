"""A real Prometheus sees real members and the operator: every question that is asked is answered.

The chart of the operator says whom it asks, its alerts and its dashboard are what it is asked.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replog_operator.definitions import DASHBOARD, source
from tests.cluster.cutting import cut_off
from tests.cluster.delivered import CHARTS, OPERATOR, documents, kustomized, refusal
from tests.cluster.loading import CLIENT, client_pod
from tests.cluster.managed import LOG, LOOK_S, ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.prometheus import KINDS, Prometheus, discovered, missing, prometheus
from tests.cluster.prometheus import definitions as prometheus_definitions
from tests.cluster.test_charts_run import OPERATOR_VALUES
from tests.support.processes import call, eventually
from tests.support.queries import MATCHER, Query, alerts, dashboard

SIGHT = f"{OPERATOR_VALUES},monitoring.enabled=true,monitoring.dashboard=true"
CHART = (str(CHARTS / OPERATOR), "--set", SIGHT)
OURS = ("ConfigMap", "PrometheusRule", "ServiceMonitor", "ServiceMonitor")
SUSPENDED = 'replog_operator_wait_since_timestamp_seconds{code="Suspended"}'
MEMBERS = [f"{LOG}-{ordinal}" for ordinal in range(3)]


@pytest.fixture(scope="module", autouse=True)
def monitoring(cluster: Cluster, definitions: None) -> None:
    """The definitions of Prometheus Operator are in the cluster, as they would be beside it."""
    if lacking := missing():
        pytest.skip(lacking)
    files = prometheus_definitions()
    with cluster.network():
        for path in files:
            cluster.kubectl("apply", "--server-side", "-f", str(path))
        for kind in KINDS:
            crd = f"crd/{kind}.monitoring.coreos.com"
            cluster.kubectl("wait", "--for=condition=Established", crd)


@pytest.fixture
def log(cluster: Cluster, namespace: str) -> Iterator[ManagedLog]:
    """Three members, made by an operator that the chart has installed."""
    cluster.helm("install", "op", *CHART, "-n", namespace, "--wait")
    with client_pod(cluster, namespace):
        made = ManagedLog(cluster, namespace, lambda: "")
        made.apply("three")
        made.wait_until_ready(3)
        yield made


def made(log: ManagedLog, kind: str, name: str) -> Any:
    """An object of the chart, as the API server keeps it."""
    return json.loads(log.kubectl("get", kind, name, "-o", "json"))


def test_prometheus_operators_own_definitions_take_every_document(
    cluster: Cluster, namespace: str
) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in cluster.helm("lint", "--strict", *CHART)
    said = cluster.helm("template", "op", *CHART, "-n", namespace)
    chart = [each for each in documents(said) if each["kind"] in OURS]
    manifests = kustomized(cluster, "manifests/monitoring")
    for each in manifests:
        each["metadata"]["namespace"] = namespace

    for found in (chart, manifests):
        assert sorted(each["kind"] for each in found) == sorted(OURS)
        assert [refusal(cluster, each) for each in found] == [""] * len(OURS)
    monitor = next(each for each in chart if each["kind"] == "ServiceMonitor")
    monitor["spec"]["surplus"] = {}
    assert "surplus" in refusal(cluster, monitor)


@pytest.mark.timeout(300, func_only=True)
def test_every_query_of_alerts_and_dashboard_is_answered(
    cluster: Cluster, namespace: str, log: ManagedLog, tmp_path: Path
) -> None:
    monitors = [made(log, "servicemonitor", name) for name in ("op", "op-logs")]
    rules = made(log, "prometheusrule", "op")["spec"]
    shown = made(log, "configmap", "op-dashboard")["data"]["replicated-log.json"]
    assert json.loads(shown) == json.loads(source(DASHBOARD))
    members = Members(cluster, namespace)
    for monitor in monitors:
        chosen = monitor["spec"].get("namespaceSelector", {})
        assert chosen in ({}, {"matchNames": [namespace]})

    targets = list(discovered(cluster, namespace))
    with prometheus(targets, tmp_path, monitors, rules) as seeing:
        eventually("all are asked", lambda: are_asked(seeing), LOOK_S)
        use(log, members)
        gone = (members.leader() + 1) % 3
        with cut_off(cluster, namespace, f"{LOG}-{gone}"):
            eventually("an alert waits", lambda: pending(seeing, "ReplogToleratesLess"), LOOK_S)
            eventually("a member waits", lambda: seeing.now("replog_waits"), LOOK_S)
        log.merge(suspend=True)
        eventually("the operator waits", lambda: seeing.now(SUSPENDED), LOOK_S)
        log.merge(suspend=False)
        log.wait_until_ready(3)
        use(log, members)
        eventually("the alert is over", lambda: not pending(seeing, "ReplogToleratesLess"), LOOK_S)
        wait_for_answers(seeing, [*dashboard(), *parts()])

        assert {rule["health"] for rule in seeing.rules().values()} == {"ok"}
        assert firing(seeing) == []
        assert len(seeing.now('replog_term{log="orders"}')) == 3
        assert {each["metric"]["namespace"] for each in seeing.now("replog_operator_wanted")} == {
            namespace
        }


def are_asked(seeing: Prometheus) -> bool:
    """Whether every member, and two processes of the operator, are asked, each once."""
    found = seeing.targets()
    members = sorted(each["labels"]["pod"] for each in found if "log" in each["labels"])
    return (
        all(each["health"] == "up" for each in found)
        and members == MEMBERS
        and len(found) == len(MEMBERS) + 2
    )


def use(log: ManagedLog, members: Members) -> None:
    """A little of everything that is counted: appends, reads, a refusal."""
    log.append(CLIENT, "one\ntwo\n")
    members.append(b"three")
    assert log.read(CLIENT)[-1] == "three"
    assert call("GET", members.service, "/v1/records?from=nowhere")[0] == 400


def pending(seeing: Prometheus, alert: str) -> bool:
    """Whether what the alert is about is so just now."""
    return bool(seeing.rules()[alert]["state"] == "pending")


def firing(seeing: Prometheus) -> list[str]:
    """The alerts that somebody would be told of."""
    return [name for name, rule in seeing.rules().items() if rule["state"] == "firing"]


def parts() -> Iterator[Query]:
    """What alerts look at. Of waits that nobody has here, that they are shown at all."""
    for alert in alerts():
        for metric, matchers in alert.selectors():
            of_codes = any(label == "code" for label, _, _ in MATCHER.findall(matchers))
            yield Query(alert.name, metric if of_codes else metric + matchers)


def wait_for_answers(seeing: Prometheus, queries: list[Query]) -> None:
    """Wait until each has had an answer, at any time since the beginning."""
    left = list(queries)

    def all_answered() -> bool:
        left[:] = [each for each in left if not seeing.ever(each.text)]
        return not left

    try:
        eventually("every query is answered", all_answered, LOOK_S)
    except AssertionError as problem:
        told = "\n".join(f"{each.name}: {each.text}" for each in left)
        raise AssertionError(f"never answered:\n{told}") from problem
