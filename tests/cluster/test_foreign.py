"""What others put on a log's objects stays there, and what they hold back holds up nobody else."""

import time

import pytest

from replog_operator.kube.kinds import LOG as LOGS
from tests.cluster import paths
from tests.cluster.foreign import Marks
from tests.cluster.gates import assert_told
from tests.cluster.loading import CLIENT
from tests.cluster.logs import log as smallest
from tests.cluster.managed import LOG, ManagedLog
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator

HELD_S = 4.0
"""For so long a pod that ends is held at first: two looks of the operator."""


@pytest.fixture
def log(log: ManagedLog) -> ManagedLog:
    """Three members that are ready, with a record, and whose template is noted as good."""
    log.append(CLIENT, "one\n")
    log.wait("this template is noted as good", lambda: log.condition("Updated") == "True")
    return log


@pytest.mark.timeout(500, func_only=True)
def test_labels_annotations_and_finalizers_of_others_stay_on_every_kind_of_object(
    cluster: Cluster, log: ManagedLog
) -> None:
    marks = Marks(cluster, log.namespace, LOG)
    marked = marks.mark()
    assert len(marked) == 14, marked

    log.merge(podTemplate={"annotations": {"round": "2"}})
    held_until_s, released = time.monotonic() + HELD_S, set[str]()

    def renewed() -> bool:
        """Whether every pod is of the second round; those that end are let go, after a while."""
        for path in marks.going() if time.monotonic() > held_until_s else ():
            marks.release(path)
            released.add(path)
        found = [pod["metadata"]["annotations"].get("round") for pod in log.pods().values()]
        return found == ["2"] * 3 and log.condition("Updated") == "True"

    log.wait("all are replaced", renewed)
    log.wait_until_ready(3)
    of_pods = {paths.pods(log.namespace, f"{LOG}-{ordinal}") for ordinal in range(3)}
    assert released == of_pods, "none went before it was let go"
    assert set(marks.marked()) == set(marked) - of_pods

    assert len(marks.mark()) == 14
    log.scale(5)
    log.wait_until_ready(5)
    assert set(marked) <= set(marks.marked())
    log.merge(networkPolicy={"enabled": False})
    log.wait("a policy that is not wanted goes", lambda: len(marks.going()) == 1)
    assert set(marked) <= set(marks.marked()), "it is held, and nobody lets it go"
    for path in marks.marked():
        marks.release(path)


@pytest.mark.timeout(500, func_only=True)
def test_a_deleted_log_whose_objects_are_held_holds_up_no_other_and_comes_back_with_its_data(
    cluster: Cluster, log: ManagedLog, acting: Operator
) -> None:
    marks = Marks(cluster, log.namespace, LOG)
    marks.mark()
    logs = paths.of(f"/apis/{LOGS.api_version}", log.namespace, LOGS.plural)

    log.kubectl("delete", "rlog", LOG, "--wait=false")
    marks.release(f"{logs}/{LOG}")
    log.wait("its objects are held", lambda: len(marks.going()) == 7)
    cluster.api.create(logs, smallest("ledger"))
    log.wait("another log is made", lambda: summary(cluster, f"{logs}/ledger") == "Ready")
    log.apply("three")
    assert_told(log, acting, "ForeignObject")
    assert len(marks.going()) == 7, "nobody lets them go"

    for path in marks.marked():
        marks.release(path)
    log.wait_until_ready(3)
    assert log.read(CLIENT) == ["one"]


def summary(cluster: Cluster, path: str) -> str:
    """A log's state in a word."""
    return str((cluster.api.get(path).get("status") or {}).get("summary"))
