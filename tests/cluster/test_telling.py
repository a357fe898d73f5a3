"""What people are told lies at the API server as they read it (kube/telling.py)."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from replog.logs import Log
from replog_operator.kube.gauges import LogGauges
from replog_operator.kube.picture import OperationRow, WaitRow
from replog_operator.kube.telling import Telling
from tests.cluster.logs import log
from tests.cluster.node import Cluster
from tests.cluster.operating import Parts, parts
from tests.unit.kube.pictures import picture

THEN_S = 1795600000.0


def path(namespace: str) -> str:
    """Of the log `orders`."""
    return f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs/orders"


def telling(made: Parts) -> Telling:
    """A new process's."""
    gauges = LogGauges(CollectorRegistry())
    return Telling(made.writes, gauges, "operator-1", Log("replog_operator.test"))


def events(cluster: Cluster, namespace: str) -> list[Any]:
    """All of the namespace, by reason."""
    found = cluster.api.items(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events")
    return sorted((each for each in found if each.get("reportingInstance") == "operator-1"),
                  key=lambda each: str(each["reason"]))  # fmt: skip


@pytest.mark.asyncio
async def test_a_status_is_kept_to_the_last_field_and_written_only_when_it_says_something_new(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    first = cluster.api.create(path(namespace).rpartition("/")[0], log("orders"))
    waiting = picture(
        namespace=namespace,
        waits=(WaitRow("NoLeader", "no member leads"),),
        operation=OperationRow("Scale", "3 become 5", "NoLeader"),
    )
    async with parts(cluster) as made:
        await telling(made).tell(first, waiting, THEN_S)
        second = cluster.api.get(path(namespace))
        assert second["status"]["waits"][0]["code"] == "NoLeader"
        assert second["status"]["operation"]["blockedOn"] == "NoLeader"
        assert len(second["status"]["members"]) == 3
        await telling(made).tell(second, waiting, THEN_S + 60)
        third = cluster.api.get(path(namespace))
        assert third["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
        await telling(made).tell(third, picture(namespace=namespace), THEN_S + 120)
        last = cluster.api.get(path(namespace))
    assert "operation" not in last["status"] and not last["status"]["waits"]
    assert last["metadata"]["generation"] == first["metadata"]["generation"]


@pytest.mark.asyncio
async def test_a_wait_is_told_as_an_event_about_the_log(
    cluster: Cluster, definitions: None, namespace: str
) -> None:
    resource = cluster.api.create(path(namespace).rpartition("/")[0], log("orders"))
    waiting = picture(namespace=namespace, waits=(WaitRow("NoLeader", "no member leads"),))
    async with parts(cluster) as made:
        process = telling(made)
        await process.tell(resource, waiting, THEN_S)
        await process.tell(resource, waiting, THEN_S + 1)
    (found,) = events(cluster, namespace)
    assert (found["type"], found["reason"]) == ("Warning", "NoLeader")
    assert found["regarding"]["name"] == "orders" and "no member leads" in found["note"]
