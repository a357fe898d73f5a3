"""What the planner may ask of a platform: one immutable value a deed.

Those on objects, foundings and targets name what they were planned from (a uid with a
resourceVersion, a configuration offset, an operation id), so that they change nothing if that is
not so any more; and each may be repeated.

Decides: that there are no other deeds. Must not know: how one is done.
Read next: plan.py; kube/hands.py and local/ carry them out.
"""

from typing import NamedTuple

from replog.wire.schemas import MemberAddress
from replog_operator.model.surveys import Decided, Report


class Object(NamedTuple):
    """A thing as this pass saw it; a deed on it is refused if it is another by now."""

    name: str
    uid: str
    resource_version: str


class ApplyChildren(NamedTuple):
    """Make the children, the workload aside, as they should be. names: those that are not."""

    names: tuple[str, ...]


class MakeWorkload(NamedTuple):
    """Make the workload, which keeps so many pods."""

    replicas: int


class ApplyTemplate(NamedTuple):
    """Give the workload the template that the resource asks for; no pod restarts by it.

    forget_bad: a task asks to try once more what was given up.
    """

    workload: Object
    template: str
    forget_bad: bool = False


class RollBack(NamedTuple):
    """Give the workload the last good template again, and note in the same write which one was
    given up; both are hashes."""

    workload: Object
    good_template: str
    bad_template: str


class NoteGood(NamedTuple):
    """Note on the workload that every pod is well with this template (its hash)."""

    workload: Object
    template: str


class SetReplicas(NamedTuple):
    """Keep so many pods. Claims stay."""

    workload: Object
    replicas: int


class MakeClaim(NamedTuple):
    """Make the claim of an ordinal, of the size that is asked for now, for data of this cluster.

    It bears no member's id before its member is in the configuration.
    """

    ordinal: int
    cluster_id: str
    owned: bool


class StampClaim(NamedTuple):
    """Note on a claim whose data it holds."""

    claim: Object
    cluster_id: str
    member_id: str


class RetireClaim(NamedTuple):
    """Note on a claim that its member was removed. The data stays."""

    claim: Object


class DeleteClaim(NamedTuple):
    """Delete a claim and its data: of a member that the committed configuration lacks."""

    claim: Object
    why: str


class ExpandClaim(NamedTuple):
    """Ask for more room."""

    claim: Object
    size_bytes: int


class OwnClaim(NamedTuple):
    """Let a claim go with the resource, or stay without it."""

    claim: Object
    owned: bool


class Bootstrap(NamedTuple):
    """Found the cluster at this ordinal's member; the same again is the same cluster."""

    ordinal: int
    member_id: str
    cluster_id: str
    operation: str


class SetTarget(NamedTuple):
    """Ask the leader, the member of this ordinal, for these members.

    why: one word for people: `found`, `scale`, `replace`, `move`, `claim` (only the operator's
    epoch changes).
    """

    leader: int
    members: tuple[MemberAddress, ...]
    planned_from: int
    operation: str
    why: str


class Transfer(NamedTuple):
    """Ask the leader, the member of this ordinal, to hand over. to: a member id."""

    leader: int
    to: str


class EvictPod(NamedTuple):
    """Ask for a ready pod to go; a budget may forbid it."""

    pod: Object
    why: str


class DeletePod(NamedTuple):
    """Delete a pod that is not ready, so that it is made anew."""

    pod: Object
    why: str


class RaiseFeatureLevel(NamedTuple):
    """Ask the leader for what every member speaks by now."""

    leader: int
    feature_level: int


class TakeSnapshot(NamedTuple):
    """Ask the leader for a snapshot, as a task wants it."""

    leader: int
    task: str


class FenceMember(NamedTuple):
    """Have a member take part in nothing, so that what it says of itself stays true."""

    ordinal: int
    operation: str


class UnfenceMember(NamedTuple):
    """Let a member take part again, if it is this operation that fenced it."""

    ordinal: int
    operation: str


class RaiseLineage(NamedTuple):
    """Note for all members that another lineage is in force, and who alone may begin it.

    before: what was noted when this was planned; if that is not so any more, nothing is written.
    """

    decided: Decided
    before: Decided


class ForceMembers(NamedTuple):
    """Have a fenced member go on alone in the lineage of this number.

    last_offset, chain: of its last entry, as it was surveyed. stopped: all other voters.
    """

    ordinal: int
    operation: str
    number: int
    last_offset: int
    chain: str
    stopped: tuple[str, ...]


class FinishTask(NamedTuple):
    """Note on a task what became of it. report: of a survey."""

    task: str
    done: bool
    message: str
    report: Report | None = None


Step = (
    ApplyChildren | MakeWorkload | ApplyTemplate | RollBack | NoteGood | SetReplicas | MakeClaim
    | StampClaim | RetireClaim | DeleteClaim | ExpandClaim | OwnClaim | Bootstrap | SetTarget
    | Transfer | EvictPod | DeletePod | RaiseFeatureLevel | TakeSnapshot | FinishTask
    | FenceMember | UnfenceMember | RaiseLineage | ForceMembers
)  # fmt: skip
