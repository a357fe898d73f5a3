"""A log in the terms of its status: what people are told, before it has the form of JSON.

Nothing that changes with every append is in it: a status is written when it says something new.

Decides: that these facts, and no others, make a status.
Must not know: how they are found out, how they are stored.
Read next: status.py.
"""

from typing import NamedTuple


class MemberRow(NamedTuple):
    """One member, or a pod that is none yet.

    role: as in ClusterStatus; "" while it is no member. ordinal, pod: None and "" for a member
    without a pod. caught_up: None if nobody knows. state: how its pod is (pods.PodState).
    """

    id: str
    role: str
    ordinal: int | None
    pod: str
    leads: bool
    ready: bool
    caught_up: bool | None
    version: str
    state: str


class WaitRow(NamedTuple):
    """Something that is waited for. code: of replog.wire.codes; evidence: what is so, just now."""

    code: str
    evidence: str


class OperationRow(NamedTuple):
    """The most important thing under way. kind: Bootstrap, Scale, Roll …; step: one sentence.

    blocked_on: the code of the wait that holds it; "" while it goes on.
    """

    kind: str
    step: str
    blocked_on: str = ""


class Picture(NamedTuple):
    """All of it.

    wanted: spec.replicas. pods: that there are; ready: of them. cluster_id, lineage: "" before
    there is a cluster. admitting: the leader takes appends. reached: the members are those that are
    wanted. updated: every pod is of the wanted template; None while that isn't known; not_updated:
    why not, a code and a sentence. tolerates: None if nobody knows. retention: what is in force.
    storage_bytes: what volumes were asked for that can't be taken back; 0 if nothing was.
    waits: the worst first.
    """

    name: str
    namespace: str
    generation: int
    wanted: int
    pods: int
    ready: int
    image: str
    retention: str
    storage_bytes: int
    cluster_id: str
    lineage: str
    members: tuple[MemberRow, ...]
    admitting: bool
    reached: bool
    updated: bool | None
    not_updated: tuple[str, str]
    tolerates: int | None
    operation: OperationRow | None
    waits: tuple[WaitRow, ...]
    suspended: bool
    hibernating: bool
    insecure: bool = True
