"""The operator dies before and after each kind of write, and the next one goes on from there.

The list of places comes from the code; one that is not reached fails the test. A log is founded,
grows, has its pods replaced, loses its NetworkPolicy, builds a snapshot and rises to the feature
level of a newer image on the way.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from replog_node.model.features import FEATURE_LEVEL
from replog_operator.failpoints import EXIT_FAILPOINT, NAMES, VARIABLE
from tests.cluster.images import NEWER
from tests.cluster.logs import log
from tests.cluster.members import Members
from tests.cluster.node import Cluster
from tests.cluster.operators import Operator
from tests.support.processes import eventually

OPERATOR = "replog_operator"
PHASE_S = 120.0


class Phase(NamedTuple):
    """An edit, the kinds of writes that follow, and how its end is seen.

    Each operator dies at the next of them: a kind that is written once only stands before those
    that come later.
    """

    edit: Callable[["Place"], None]
    writes: tuple[str, ...]
    done: Callable[["Place"], bool]


class Place:
    """The log `orders` in a namespace, and one operator after another."""

    def __init__(self, cluster: Cluster, namespace: str, directory: Path) -> None:
        self._cluster = cluster
        self.api = cluster.api
        self.members = Members(cluster, namespace)
        self.namespace = namespace
        self._directory = directory
        self.logs = f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogs"
        self.tasks = f"/apis/replog.dev/v1alpha1/namespaces/{namespace}/replicatedlogtasks"
        self._started = 0

    def start(self, failpoint: str) -> Operator:
        """The next operator, which dies at the failpoint; it need not wait for the lease."""
        lease = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases/replog-operator"
        if self.api.found(lease) is not None:
            self.api.merge(lease, {"spec": {"holderIdentity": ""}})
        self._started += 1
        operator = Operator(
            self._cluster, self.namespace, f"operator-{self._started}", self._directory,
            module=OPERATOR, environment={VARIABLE: failpoint},
        )  # fmt: skip
        operator.start()
        return operator

    def edit(self, **spec: Any) -> None:
        """Change the log's spec."""
        self.api.merge(f"{self.logs}/orders", {"spec": spec})

    def is_ready(self, voters: int) -> bool:
        """Whether all is as the spec wants it, with so many voters."""
        found = self.api.get(f"{self.logs}/orders")
        status = found.get("status") or {}
        current = status.get("observedGeneration") == found["metadata"]["generation"]
        updated = {each["type"]: each["status"] for each in status.get("conditions", ())}
        return bool(
            current
            and status.get("voters") == voters
            and status.get("summary") == "Ready"
            and updated.get("Updated") == "True"
        )

    def pods(self) -> list[Any]:
        """Its pods."""
        return self.api.items(f"/api/v1/namespaces/{self.namespace}/pods")


def make(place: Place) -> None:
    place.api.create(place.logs, log("orders"))


def snapshot(place: Place) -> None:
    task = {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLogTask",
        "metadata": {"name": "now"},
        "spec": {"log": "orders", "action": "Snapshot"},
    }
    place.api.create(place.tasks, task)


def renewed(place: Place) -> bool:
    notes = [pod["metadata"].get("annotations", {}).get("round") for pod in place.pods()]
    return notes == ["2", "2", "2"] and place.is_ready(3)


def open_to_all(place: Place) -> bool:
    policies = f"/apis/networking.k8s.io/v1/namespaces/{place.namespace}/networkpolicies"
    return place.api.items(policies) == [] and place.is_ready(3)


def built(place: Place) -> bool:
    task = place.api.get(f"{place.tasks}/now")
    return bool((task.get("status") or {}).get("state") == "Done")


def raised(place: Place) -> bool:
    return place.members.status(0)["feature_level"] == FEATURE_LEVEL + 1 and place.is_ready(3)


PHASES = (
    Phase(
        make,
        ("apply-status", "apply", "create", "bootstrap", "target"),
        lambda place: place.is_ready(1),
    ),
    Phase(
        lambda place: place.edit(replicas=3),
        ("patch", "event"),
        lambda place: place.is_ready(3),
    ),
    Phase(
        lambda place: place.edit(podTemplate={"annotations": {"round": "2"}}),
        ("evict", "transfer"),
        renewed,
    ),
    Phase(lambda place: place.edit(networkPolicy={"enabled": False}), ("delete",), open_to_all),
    Phase(snapshot, ("snapshot",), built),
    Phase(lambda place: place.edit(image=NEWER), ("raise-feature-level",), raised),
)


def pass_through(place: Place, phase: Phase) -> list[str]:
    """The places at which an operator died on the way."""
    phase.edit(place)
    hit = [f"{when}-{write}" for write in phase.writes for when in ("before", "after")]
    for failpoint in hit:
        with operating(place, failpoint) as operator:
            eventually(f"it dies {failpoint}", operator.ended, PHASE_S)
            assert operator.wait() == EXIT_FAILPOINT, operator.said()
    with operating(place, "") as operator:
        eventually("all is as it should be", lambda: phase.done(place), PHASE_S)
    return hit


@contextmanager
def operating(place: Place, failpoint: str) -> Iterator[Operator]:
    """One operator; it is gone after the block."""
    operator = place.start(failpoint)
    try:
        yield operator
    finally:
        operator.kill()


@pytest.mark.timeout(900, func_only=True)
def test_whatever_write_it_dies_at_the_next_one_goes_on(
    cluster: Cluster, definitions: None, namespace: str, tmp_path: Path
) -> None:
    place = Place(cluster, namespace, tmp_path)
    hit = [name for phase in PHASES for name in pass_through(place, phase)]
    assert set(NAMES) == set(hit)
