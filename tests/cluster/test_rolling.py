"""Another template comes to one pod after the other; one that never comes to be well goes back."""

from collections.abc import Callable
from typing import Any

import pytest

from replog_operator.kube.children.names import TEMPLATE
from tests.cluster.gates import assert_told
from tests.cluster.images import OURS
from tests.cluster.loading import CLIENT, TRANSFER_S, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator
from tests.support import SHOWN

NOWHERE = "localhost/nowhere:1"
TIMEOUT = "20s"
"""After which a first pod that is not well is given up."""


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, and whose template is noted as good."""
    log.wait("this template is noted as good", lambda: log.condition("Updated") == "True")
    return log


def pods(log: ManagedLog) -> dict[str, tuple[str, str]]:
    """The uid and template of each member's pod."""
    return {
        name: (pod["metadata"]["uid"], pod["metadata"]["annotations"][TEMPLATE])
        for name, pod in log.pods().items()
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

    record_property(SHOWN, f"a roll of three: gaps between appends {loaded.told()}")
    assert loaded.longest_s < TRANSFER_S, loaded.told()
    assert len({template for _, template in pods(log).values()}) == 1
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]


def all_replaced(log: ManagedLog, before: dict[str, Any]) -> bool:
    """Whether each pod is another one, of another template, and the status says so."""
    now = pods(log)
    others = all(now.get(name, before[name])[1] != before[name][1] for name in before)
    return others and len(now) == 3 and log.condition("Updated") == "True"


@pytest.mark.timeout(500, func_only=True)
def test_an_image_that_does_not_exist_stops_at_one_pod_and_the_former_comes_back(
    cluster: Cluster,
    log: ManagedLog,
    acting: Operator,
    record_property: Callable[[str, object], None],
) -> None:
    before = pods(log)
    load = Load(cluster, log.namespace, LOG)

    log.merge(image=NOWHERE, update={"timeout": TIMEOUT}, log={"segmentBytes": "3Mi"})
    log.wait("it is given up", lambda: log.condition("Updated", "reason") == "BadVersion")
    log.wait("the former is back", lambda: templates(pods(log)) == templates(before))
    log.wait_until_ready(3)
    assert_told(log, acting, "BadVersion")
    replaced = [name for name, (uid, _) in pods(log).items() if uid != before[name][0]]
    assert len(replaced) == 1, "one pod was tried, and no other touched"
    settings = log.kubectl("exec", replaced[0], "--", "cat", "/etc/replog/node.yaml")
    assert "segment_bytes" not in settings, "its settings are the former ones, too"

    untouched = next(name for name in before if name not in replaced)
    log.kubectl("delete", "pod", untouched)
    log.wait("it is of the former", lambda: templates(pods(log)) == templates(before))
    log.wait_until_ready(3)

    log.merge(image=OURS, update={"timeout": "10m"}, log=None)
    log.wait("all is well again", lambda: log.condition("Updated") == "True")
    log.wait_until_ready(3)
    assert sum(uid == before[name][0] for name, (uid, _) in pods(log).items()) == 1
    loaded = load.end()
    record_property(SHOWN, f"a bad image, a pod deleted, the former: gaps {loaded.told()}")
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]


@pytest.mark.timeout(500, func_only=True)
def test_another_pod_that_ends_while_a_bad_image_is_tried_comes_back_with_the_former_image(
    log: ManagedLog,
) -> None:
    """A StatefulSet makes it of the bad image first: nobody leads, and ten minutes are left."""
    before = pods(log)
    log.append(CLIENT, "before\n")

    log.merge(image=NOWHERE)
    log.wait("one is tried", lambda: templates(pods(log)) != templates(before))
    tried = {name for name, (uid, _) in pods(log).items() if uid != before[name][0]}
    other = next(name for name in sorted(before) if name not in tried)
    log.kubectl("delete", "pod", other)
    log.wait("it is given up", lambda: log.condition("Updated", "reason") == "BadVersion")
    log.wait("the former is back", lambda: templates(pods(log)) == templates(before))
    log.wait_until_ready(3)

    log.append(CLIENT, "after\n")
    assert log.read(CLIENT) == ["before", "after"]
    assert sum(uid == before[name][0] for name, (uid, _) in pods(log).items()) == 1


def templates(found: dict[str, Any]) -> dict[str, str]:
    """The template of each pod."""
    return {name: template for name, (_, template) in found.items()}
