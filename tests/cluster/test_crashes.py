"""The operator dies at each of its failpoints while a log is scaled, mended, rolled under load.

The list comes from the code: one that is not reached, or reached twice, fails the test. Each
operator dies hard, and the next one goes on from what lies at the API server and in the log.
"""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from replog_node.model.features import FEATURE_LEVEL
from replog_operator.failpoints import NAMES, RECOVERY_WRITES
from tests.cluster.dying import Place
from tests.cluster.images import NEWER
from tests.cluster.loading import CLIENT, Load, client_pod
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.records import JOINT, joint_changes, records
from tests.support import SHOWN

LOST = f"{LOG}-0"
"""Whose pod and disk are lost: it founded the log."""
SNAPSHOT = """\
apiVersion: replog.dev/v1alpha1
kind: ReplicatedLogTask
metadata: {name: now}
spec: {log: orders, action: Snapshot}
"""


class Phase(NamedTuple):
    """What becomes of the log, where operators die on the way to it, and what is so in the end.

    A write that comes once only stands before those that come later.
    """

    begin: Callable[[ManagedLog], None]
    places: tuple[str, ...]
    end: Callable[[Place], None]


def found(log: ManagedLog) -> None:
    log.apply("three")


def lose(log: ManagedLog) -> None:
    log.kubectl("delete", "pvc", f"data-{LOST}", "--wait=false")
    log.kubectl("delete", "pod", LOST)


def roll(log: ManagedLog) -> None:
    """With something to delete and something to do once beside it."""
    log.merge(image=NEWER, networkPolicy={"enabled": False})
    log.kubectl("apply", "-f", "-", said=SNAPSHOT)


def ready(replicas: int) -> Callable[[Place], None]:
    return lambda place: place.log.wait_until_ready(replicas)


def rolled(place: Place) -> None:
    log, level = place.log, FEATURE_LEVEL + 1
    log.wait("the level is raised", lambda: place.members.status(0)["feature_level"] == level)
    log.wait("all are of the newer image", lambda: log.condition("Updated") == "True")
    state = ("get", "rlogtask", "now", "-o", "jsonpath={.status.state}")
    log.wait("the snapshot is built", lambda: log.kubectl(*state) == "Done")
    assert log.kubectl("get", "networkpolicies", "-o", "name") == ""
    log.wait_until_ready(3)


FOUNDING = Phase(found, ("before-bootstrap", "after-bootstrap"), ready(3))
UNDER_LOAD = (
    Phase(
        lambda log: log.scale(5),
        ("before-create", "after-create", "before-patch", "after-target"),
        ready(5),
    ),
    Phase(lambda log: log.scale(3), ("before-target", "after-patch"), ready(3)),
    Phase(
        lose,
        ("before-apply-status", "after-apply-status", "before-apply", "after-apply",
         "before-event", "after-event"),
        ready(3),
    ),
    Phase(
        roll,
        ("before-delete", "after-delete", "before-snapshot", "after-snapshot",
         "before-evict", "after-evict", "before-transfer", "after-transfer",
         "before-raise-feature-level", "after-raise-feature-level"),
        rolled,
    ),
)  # fmt: skip
CHANGES = (5, 3, 3)
"""Voters after each change of members under load."""


def go_through(place: Place, phase: Phase) -> tuple[str, ...]:
    """Have it done; the failpoints at which an operator died on the way."""
    phase.begin(place.log)
    for failpoint in phase.places:
        place.dies(failpoint)
    with place.operator():
        phase.end(place)
    return phase.places


def member_ids(log: ManagedLog) -> dict[str, str]:
    """Of each pod's member."""
    return {each["pod"]: each["id"] for each in log.resource()["status"]["members"]}


@pytest.mark.timeout(600, func_only=True)
def test_the_operator_dies_once_at_each_failpoint_and_no_record_and_no_change_is_lost_or_doubled(
    cluster: Cluster,
    definitions: None,
    namespace: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    place, began_s = Place(cluster, namespace, tmp_path), time.monotonic()
    with client_pod(cluster, namespace):
        hit = [*go_through(place, FOUNDING)]
        first = member_ids(place.log)
        founded = joint_changes(records(place.members, place.log, 0))
        load = Load(cluster, namespace, LOG)
        for phase in UNDER_LOAD:
            hit += go_through(place, phase)
        loaded = load.end()

        of_recovery = {name for name in NAMES if name.partition("-")[2] in RECOVERY_WRITES}
        assert Counter(hit) == Counter(NAMES) - Counter(of_recovery)  # see test_recovery.py
        assert loaded.acknowledged > 100
        assert place.log.read(CLIENT) == [str(number) for number in range(loaded.acknowledged)]
        changes = joint_changes(records(place.members, place.log, 1))[len(founded) :]
    assert [(kind, voters) for kind, _, voters in changes] == [
        (kind, voters) for voters in CHANGES for kind in JOINT
    ]
    last = member_ids(place.log)
    assert [pod for pod in first if first[pod] != last[pod]] == [LOST]
    took_s = time.monotonic() - began_s
    record_property(
        SHOWN, f"{len(hit)} crashes of the operator in {took_s:.0f} s: gaps {loaded.told()}"
    )
