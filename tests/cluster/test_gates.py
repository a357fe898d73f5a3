"""What must wait says so: by its code in STATUS, conditions, an event and a metric (gates.py).

What was held goes on once its reason is gone. Further gates stand where their reasons are: that of
a member that may not stop in test_drain.py, of growth in test_expanding.py, of another owner in
test_foreign.py, of a bad image in test_rolling.py, those that lie with members in
test_gates_of_members.py. All that there are: tests/scenario/planner.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replog_operator.kube.children.names import CLUSTER_ID, labels
from tests.cluster import paths
from tests.cluster.foreign import HOLD
from tests.cluster.gates import assert_told
from tests.cluster.images import OURS
from tests.cluster.loading import CLIENT
from tests.cluster.logs import log as smallest
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator, operators

LEDGER = "ledger"
LOGS = "/apis/replog.dev/v1alpha1"
NOWHERE = "localhost/nowhere:1"
ROUND = {"annotations": {"round": "2"}}
Told = Callable[..., None]


@pytest.fixture
def told(log: ManagedLog, acting: Operator) -> Told:
    """Waits until a code is told of the log, or of the other one that is named."""

    def look(code: str, name: str = LOG) -> None:
        assert_told(log, acting, code, name)

    return look


@contextmanager
def claim(cluster: Cluster, namespace: str, name: str, **notes: str) -> Iterator[str]:
    """A claim of the log that nobody uses; its path. It is held, and let go after the block."""
    made = {
        "metadata": {
            "name": name, "labels": labels(LOG), "annotations": notes, "finalizers": [HOLD],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "directory",
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }  # fmt: skip
    path = paths.claims(namespace, name)
    cluster.api.create(paths.claims(namespace), made)
    try:
        yield path
    finally:
        cluster.api.delete(path)
        cluster.api.merge(path, {"metadata": {"finalizers": None}})


@contextmanager
def cordoned(cluster: Cluster) -> Iterator[None]:
    """No pod finds a host within the block."""
    cluster.kubectl("cordon", "node1")
    try:
        yield
    finally:
        cluster.kubectl("uncordon", "node1")


@pytest.mark.timeout(400, func_only=True)
def test_what_people_leave_lying_around_a_log_is_told_and_holds_up_what_it_must(
    cluster: Cluster, namespace: str, log: ManagedLog, told: Told
) -> None:
    with claim(cluster, namespace, "stray"):
        told("UnknownObject")
    with claim(cluster, namespace, f"data-{LOG}-4", **{CLUSTER_ID: "another"}):
        told("ClusterIDMismatch")

    with cordoned(cluster):
        with claim(cluster, namespace, f"data-{LOG}-3") as lying:
            log.scale(5)
            told("UnknownData")
            cluster.api.delete(lying)
            told("ClaimTerminating")
        told("MembersSilent")
        log.scale(3)
        log.wait_until_ready(3)

    log.merge(suspend=True, podTemplate=ROUND)
    told("Suspended")
    log.merge(suspend=None, podTemplate=None)

    path = paths.sets(namespace, LOG)
    cluster.api.merge(path, {"metadata": {"finalizers": [HOLD]}})
    log.kubectl("delete", "statefulset", LOG, "--cascade=orphan", "--wait=false")
    told("WorkloadTerminating")
    cluster.api.merge(path, {"metadata": {"finalizers": None}})
    log.wait_until_ready(3)


@pytest.mark.timeout(400, func_only=True)
def test_an_edit_that_is_not_safe_now_waits_says_why_and_is_done_or_taken_back_later(
    cluster: Cluster, namespace: str, log: ManagedLog, told: Told
) -> None:
    log.append(CLIENT, "one\n")
    log.wait("this template is noted as good", lambda: log.condition("Updated") == "True")
    logs = paths.of(LOGS, namespace, "replicatedlogs")
    ledger = f"{logs}/{LEDGER}"
    cluster.api.create(logs, smallest(LEDGER))
    log.wait("another log is ready", lambda: summary(cluster, ledger) == "Ready")

    log.merge(image=NOWHERE)
    told("MemberRestarting")
    cluster.api.merge(ledger, {"spec": {"podTemplate": ROUND}})
    told("RollQueued", LEDGER)
    log.merge(image=OURS)
    log.wait("the other one is rolled in its turn", lambda: renewed(cluster, namespace, ledger))
    log.wait_until_ready(3)

    Members(cluster, namespace).lead(2)
    with cordoned(cluster):
        log.kubectl("delete", "pod", f"{LOG}-0", f"{LEDGER}-0")
        log.scale(1)
        told("TargetMemberUnavailable")
        told("NoLeader", LEDGER)
        log.scale(3)
        log.kubectl("delete", "pvc", f"data-{LEDGER}-0")
    told("QuorumLost", LEDGER)
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["one"]


@pytest.mark.timeout(400, func_only=True)
def test_an_operator_with_another_lease_changes_nothing_and_says_in_whose_care_the_log_is(
    cluster: Cluster, namespace: str, log: ManagedLog, acting: Operator, tmp_path: Path
) -> None:
    acting.kill()
    other = Operator(
        cluster, namespace, "other", tmp_path, module="replog_operator",
        options=("--lease-name", "other"),
    )  # fmt: skip
    with operators(other):
        log.scale(5)
        assert_told(log, other, "OtherOperator")
        assert len(log.pods()) == 3

        task = {
            "apiVersion": "replog.dev/v1alpha1",
            "kind": "ReplicatedLogTask",
            "metadata": {"name": "taken-over"},
            "spec": {
                "log": LOG, "action": "AcknowledgeOtherOperator",
                "lease": f"{namespace}/replog-operator",
            },
        }  # fmt: skip
        log.kubectl("apply", "-f", "-", said=json.dumps(task))
        log.wait_until_ready(5)


def renewed(cluster: Cluster, namespace: str, ledger: str) -> bool:
    """Whether the pod of the other log is another one by now, and well."""
    pod = cluster.api.found(paths.pods(namespace, f"{LEDGER}-0"))
    notes = {} if pod is None else pod["metadata"]["annotations"]
    return "round" in notes and summary(cluster, ledger) == "Ready"


def summary(cluster: Cluster, path: str) -> str:
    """A log's state in a word, once it is about what is wanted now."""
    found = cluster.api.get(path)
    status = found.get("status") or {}
    newest = status.get("observedGeneration") == found["metadata"]["generation"]
    return str(status.get("summary")) if newest else ""
