"""Who drains a host is given one member, and the next only once the first has caught up."""

import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import pytest

from tests.cluster import paths
from tests.cluster.cutting import cut_off
from tests.cluster.gates import assert_told
from tests.cluster.halting import halted
from tests.cluster.loading import CLIENT, TRANSFER_S, Load
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator
from tests.cluster.pausing import uids, wait_for_another
from tests.support import SHOWN

MANY = 5000
"""Records by which a member is behind."""
LAG_S = 4.0
"""Twice an election timeout: who lags by less than one counts as caught up."""


@pytest.fixture
def log(log: ManagedLog, cluster: Cluster, namespace: str) -> ManagedLog:
    """Three members that are ready, of which one may fail."""
    log.wait("one may be taken", lambda: allowed(cluster, namespace) == 1)
    return log


def allowed(cluster: Cluster, namespace: str) -> int:
    """How many pods the budget lets go now."""
    path = paths.of(paths.POLICY, namespace, "poddisruptionbudgets", LOG)
    return int(cluster.api.get(path)["status"].get("disruptionsAllowed", 0))


def evicted(cluster: Cluster, namespace: str, ordinal: int) -> int:
    """Ask for the eviction of a member; HTTP's status."""
    pod = f"{LOG}-{ordinal}"
    body: dict[str, Any] = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    return cluster.api.call("POST", paths.pods(namespace, pod, "eviction"), body).status


@pytest.mark.timeout(400, func_only=True)
def test_the_leader_goes_the_second_is_refused_and_no_append_waits_long(
    cluster: Cluster,
    namespace: str,
    log: ManagedLog,
    record_property: Callable[[str, object], None],
) -> None:
    members = Members(cluster, namespace)
    load, times = Load(cluster, namespace, LOG), []

    def leader_goes(go: Callable[[int], None]) -> None:
        leader = members.leader()
        name = f"{LOG}-{leader}"
        uid = cluster.api.get(paths.pods(namespace, name))["metadata"]["uid"]
        times.append(time.time())
        go(leader)
        wait_for_another(cluster, namespace, name, uid)
        log.wait("the next may be taken", lambda: allowed(cluster, namespace) == 1)

    def drained(leader: int) -> None:
        assert evicted(cluster, namespace, leader) == 201
        assert evicted(cluster, namespace, (leader + 1) % 3) == 429

    leader_goes(drained)
    leader_goes(drained)
    leader_goes(lambda leader: cluster.api.delete(paths.pods(namespace, f"{LOG}-{leader}")))
    times.append(time.time())

    loaded = load.end()
    gaps = [loaded.longest_within(*between) for between in pairwise(times)]
    told = ", ".join(f"{gap:.2f}" for gap in gaps)
    record_property(
        SHOWN, f"leader evicted, evicted, deleted: longest gaps {told} s; all {loaded.told()}"
    )
    assert log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
    assert max(gaps) < TRANSFER_S, loaded.told()


@pytest.mark.timeout(400, func_only=True)
def test_nobody_may_be_taken_while_another_member_is_cut_off_or_behind(
    cluster: Cluster, namespace: str, log: ManagedLog, acting: Operator
) -> None:
    """Nor is one by the operator: an edit that restarts pods waits, too."""
    members = Members(cluster, namespace)
    leader = members.leader()
    lacking, other = sorted({0, 1, 2} - {leader})
    assert log.resource()["status"]["tolerates"] == 1

    with cut_off(cluster, namespace, f"{LOG}-{lacking}"):
        assert_none_may_go(cluster, namespace, log, (other, leader))
        assert len(ready(cluster, namespace)) == 3, "Kubernetes' own budget would let one go"
        log.merge(podTemplate={"annotations": {"round": "2"}})
        assert_told(log, acting, "MayNotStop")
        log.merge(podTemplate=None)
        log.append(CLIENT, "meanwhile\n")
    log.wait("one may be taken again", lambda: allowed(cluster, namespace) == 1)

    with halted(cluster, namespace, f"{LOG}-{lacking}"):
        log.append(CLIENT, "\n".join(map(str, range(MANY))) + "\n")
        log.wait("it is behind", lambda: behind(members, leader, lacking) >= MANY)
        time.sleep(LAG_S)
        assert_none_may_go(cluster, namespace, log, (other, leader))
    log.wait("one may be taken again", lambda: allowed(cluster, namespace) == 1)
    assert behind(members, leader, lacking) == 0

    assert log.resource()["status"]["tolerates"] == 1
    assert evicted(cluster, namespace, other) == 201
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["meanwhile", *map(str, range(MANY))]


def assert_none_may_go(
    cluster: Cluster, namespace: str, log: ManagedLog, those: Iterable[int]
) -> None:
    """By the operator's word, which the budget has: whoever asks for one of those is refused."""
    log.wait("none may fail", lambda: log.resource()["status"]["tolerates"] == 0)
    log.wait("none may be taken", lambda: allowed(cluster, namespace) == 0)
    budget = cluster.api.get(paths.of(paths.POLICY, namespace, "poddisruptionbudgets", LOG))
    assert budget["spec"]["maxUnavailable"] == 0
    assert [evicted(cluster, namespace, ordinal) for ordinal in those] == [429, 429]


def behind(members: Members, leader: int, ordinal: int) -> int:
    """How many offsets a member lacks, as the leader knows it."""
    at = f"{LOG}-{ordinal}."
    known = members.status(leader)["members"]
    member = next(each["id"] for each in known if each["address"].startswith(at))
    return int(members.call(leader, "GET", f"/v1/cluster/members/{member}:may-stop")["behind"])


def ready(cluster: Cluster, namespace: str) -> list[str]:
    """The members' pods that Kubernetes takes for ready."""
    return [name for name in uids(cluster, namespace) if name != CLIENT]
