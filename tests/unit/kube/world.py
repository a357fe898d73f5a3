"""A log on a cluster as a pass gathers it: objects as a server keeps them, members that answer.

Decides: three members of the log `orders`, all well, unless a test says otherwise.
Must not know: what is made of it.
Read next: test_observe.py.
"""

from collections.abc import Sequence
from typing import Any

from replog.wire.schemas import ClusterStatus, TargetStatus
from replog_operator.kube.apply import stamped
from replog_operator.kube.children.all import children
from replog_operator.kube.children.claim import data_claim
from replog_operator.kube.children.names import (
    CLUSTER_ID,
    GOOD_TEMPLATE,
    MEMBER_ID,
    peer_address,
)
from replog_operator.kube.children.pod import pod_template, template_of
from replog_operator.kube.children.wanted import Object, Wanted
from replog_operator.kube.gather import BELONGING, Gathered
from replog_operator.kube.kinds import CLAIM, POD, REVISION, STATEFUL_SET, Kind, kind_of
from replog_operator.kube.observe import Around, around, observed, wanted_of
from replog_operator.kube.wishes import Wishes, wishes
from replog_operator.members.nodes import Silent
from replog_operator.model.observed import Capabilities, Observed, Operator
from tests.unit.kube.members import CLUSTER, leader_of, may_stop, member
from tests.unit.kube.pod_objects import NOW_S, running
from tests.unit.kube.wanting import wanted

IMAGE = "replicated-log:1.0"
OPERATOR = Operator(3, "replog-system/replog-operator#one")
REVISION_NAME = "orders-6b7f"


def resource(**spec: Any) -> Object:
    """The ReplicatedLog `orders`, with these fields of its spec changed."""
    plain = {"replicas": 3, "image": IMAGE, "storage": {"size": "10Gi", "className": "standard"}}
    return {
        "apiVersion": "replog.dev/v1alpha1",
        "kind": "ReplicatedLog",
        "metadata": {
            "name": "orders", "namespace": "shop", "uid": wanted().uid, "generation": 4,
            "resourceVersion": "1", "creationTimestamp": "2023-11-01T00:00:00Z",
        },
        "spec": plain | spec,
        "status": {"clusterID": CLUSTER, "lineage": "1.9f2c"},
    }  # fmt: skip


def kept(found: Object, uid: str = "") -> Object:
    """An object as a server keeps it after our apply."""
    name = found["metadata"]["name"]
    marks = {"uid": uid or f"uid-of-{name}", "resourceVersion": "5", "generation": 1}
    return {**found, "metadata": {**found["metadata"], **marks}}


def pod(ordinal: int, **changes: Any) -> Object:
    """A pod that is ready, with these fields of its metadata changed."""
    found = running(ready=True)
    name = f"orders-{ordinal}"
    labels = {"controller-revision-hash": REVISION_NAME}
    found["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "labels": labels} | changes
    found["status"]["podIP"] = f"10.0.0.{ordinal}"
    return found


def claim(ordinal: int, **annotations: str) -> Object:
    """The claim of an ordinal, stamped with its member."""
    found = kept(data_claim(wanted(), ordinal))
    notes = {CLUSTER_ID: CLUSTER, MEMBER_ID: f"member-{ordinal}"} | annotations
    found["metadata"]["annotations"] = notes
    return found


def status(ordinal: int, **changes: Any) -> ClusterStatus:
    """What the member of an ordinal says; that of 0 leads."""
    ids = [f"member-{at}" for at in range(3)]
    members = [
        type(found)(found.id, peer_address("orders", "shop", at), found.role, found.match_offset)
        for at, found in enumerate(map(member, ids))
    ]
    said: dict[str, Any] = {
        "member": f"member-{ordinal}",
        "leader": "member-0",
        "role": "leader" if ordinal == 0 else "follower",
        "target": TargetStatus(ids, "joined", True, OPERATOR.epoch, OPERATOR.holder),
    }
    return leader_of(members, **(said | changes))


def set_of(found: Wanted, good: str | None = None) -> Object:
    """The StatefulSet as its controller has seen it; good: None: its own template."""
    stored = kept(next(c for c in children(found) if kind_of(c) == STATEFUL_SET))
    note = template_of(pod_template(found)) if good is None else good
    stored["metadata"]["annotations"] = {GOOD_TEMPLATE: note}
    stored["status"] = {"observedGeneration": 1, "updateRevision": REVISION_NAME}
    return stored


class World:
    """What there is. Change its parts, then look."""

    def __init__(self, **spec: Any) -> None:
        self.resource = resource(**spec)
        self.objects: dict[Kind, list[Object]] = {kind: [] for kind in BELONGING}
        for child in children(wanted(lineage="1.9f2c")):
            if kind_of(child) != STATEFUL_SET:
                self.objects[kind_of(child)].append(kept(stamped(child)))
        self.objects[STATEFUL_SET] = [set_of(wanted())]
        self.objects[POD] = [pod(ordinal) for ordinal in range(3)]
        self.objects[CLAIM] = [claim(ordinal) for ordinal in range(3)]
        self.objects[REVISION] = []
        self.answers: dict[str, ClusterStatus | Silent] = {
            f"uid-of-orders-{ordinal}": status(ordinal) for ordinal in range(3)
        }
        self.tasks: Sequence[Object] = ()
        self.untouched = False

    def gathered(self) -> Gathered:
        """As a pass gathers it."""
        stops = {f"member-{at}": may_stop(f"member-{at}") for at in range(3)}
        blockers = {"LearnerBehind": "member-2 is behind"}
        return Gathered(self.resource, self.objects, self.answers, stops, blockers, self.tasks)

    def wishes(self) -> Wishes:
        """What the resource asks for."""
        return wishes(self.resource)

    def wanted(self) -> Wanted:
        """What the children should be."""
        return wanted_of(self.wishes(), self.gathered(), IMAGE, None)

    def around(self) -> Around:
        """The children, by the hashes that they bear."""
        return around(self.gathered(), self.wanted(), by_hash, lambda _stored: self.untouched)

    def observed(self, **refused_growth: str) -> Observed:
        """As the planner sees it."""
        return observed(
            self.wishes(), self.gathered(), self.wanted(), self.around(), operator=OPERATOR,
            platform=Capabilities(), refused_growth=refused_growth, now_s=NOW_S,
        )  # fmt: skip


def by_hash(child: Object, stored: Object | None) -> bool:
    """Due unless it bears the hash of just this child."""
    if stored is None:
        return True
    note = "replog.dev/applied-hash"
    notes = stored["metadata"].get("annotations") or {}
    return bool(notes.get(note) != stamped(child)["metadata"]["annotations"][note])
