"""Another template comes to one pod after the other; one that never comes to be well goes back."""

from collections.abc import Callable
from typing import Any

import pytest

from replog_operator.kube.children.names import TEMPLATE
from tests.cluster.images import OURS
from tests.cluster.loading import CLIENT, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.support import SHOWN

TIMEOUT = "20s"
"""After which a first pod that is not well is given up."""


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, and whose template is noted as good."""
    log.wait("this template is noted as good", lambda: condition(log, "Updated") == "True")
    return log


def condition(log: ManagedLog, kind: str, field: str = "status") -> str:
    """A condition of the log."""
    conditions = log.resource()["status"]["conditions"]
    return str(next(item[field] for item in conditions if item["type"] == kind))


def pods(log: ManagedLog) -> dict[str, Any]:
    """The uid and template of each member's pod."""
    selector = f"app.kubernetes.io/instance={LOG}"
    found = log.objects("pods", selector)
    return {
        item["metadata"]["name"]: (
            item["metadata"]["uid"],
            item["metadata"]["annotations"][TEMPLATE],
        )
        for item in found
    }


@pytest.mark.timeout(500, func_only=True)
def test_every_pod_is_replaced_once_under_load_and_nothing_is_lost(
    cluster: Cluster, log: ManagedLog, record_property: Callable[[str, object], None]
) -> None:
    before = pods(log)
    load = Load(cluster, log.namespace, LOG)

    log.merge(podTemplate={"env": [{"name": "TZ", "value": "UTC"}]})
    log.wait("all are replaced", lambda: all_replaced(log, before))
    log.wait_until_ready(3)
    loaded = load.end()

    record_property(SHOWN, f"a roll of three: no append for {loaded.longest_s:.2f} s at most")
    assert len({template for _, template in pods(log).values()}) == 1
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]


def all_replaced(log: ManagedLog, before: dict[str, Any]) -> bool:
    """Whether each pod is another one, of another template, and the status says so."""
    now = pods(log)
    others = all(now.get(name, before[name])[1] != before[name][1] for name in before)
    return others and len(now) == 3 and condition(log, "Updated") == "True"


@pytest.mark.timeout(500, func_only=True)
def test_an_image_that_does_not_exist_stops_at_one_pod_and_the_former_comes_back(
    log: ManagedLog,
) -> None:
    before = pods(log)

    log.merge(image="localhost/nowhere:1", update={"timeout": TIMEOUT})
    log.wait("it is given up", lambda: condition(log, "Updated", "reason") == "BadVersion")
    log.wait("the former is back", lambda: templates(pods(log)) == templates(before))
    replaced = [name for name, (uid, _) in pods(log).items() if uid != before[name][0]]
    assert len(replaced) == 1, "one pod was tried, and no other touched"

    log.merge(image=OURS, update={"timeout": "10m"})
    log.wait("all is well again", lambda: condition(log, "Updated") == "True")
    log.wait_until_ready(3)
    assert sum(uid == before[name][0] for name, (uid, _) in pods(log).items()) == 2


def templates(found: dict[str, Any]) -> dict[str, str]:
    """The template of each pod."""
    return {name: template for name, (_, template) in found.items()}
