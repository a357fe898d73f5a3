"""Everything that the planner may know of the world, read once before it plans.

A field that could not be read is None or missing, never a guess. Times are seconds since 1970 by
the platform's clock, and so is `now_s`; the planner has no clock of its own.

Decides: which facts there are. Must not know: how they are read.
Read next: steps.py, replog.wire.schemas (members' own answers).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from replog.wire.recovery import Survey
from replog.wire.schemas import ClusterStatus, MayStop
from replog_operator.model.surveys import Decided, Ended


class PodState(StrEnum):
    """How a pod, or a local process, is.

    FAILED: it ended for good (evicted by its host, say) and must be deleted. LOST: its host does
    not answer, so nobody knows.
    """

    READY = "ready"
    UNREADY = "unready"
    STARTING = "starting"
    PENDING = "pending"
    IMAGE_ERROR = "image-error"
    CRASH_LOOP = "crash-loop"
    FAILED = "failed"
    LOST = "lost"
    TERMINATING = "terminating"


class Pod(NamedTuple):
    """A member's process. ordinal: None for one that the workload can't have made.

    since_s: when the state began; created_s: when the pod was made. revision: of the template that
    it was made from. message: one sentence about a state that is not well.
    """

    name: str
    uid: str
    resource_version: str
    ordinal: int | None
    state: PodState
    since_s: float
    created_s: float
    revision: str
    message: str = ""


class Claim(NamedTuple):
    """A member's disk. ordinal: None for one that is no ordinal's of this log.

    cluster_id, member_id: whose data it holds. A cluster without a member: it was made empty for
    that cluster; neither: nobody knows. retired: its member was removed.
    size_bytes: that it asks for; capacity_bytes: that it has, 0 before it has any. owned: it goes
    with the resource. refusal: why it does not grow; "" unless that was refused.
    """

    name: str
    uid: str
    resource_version: str
    ordinal: int | None
    cluster_id: str = ""
    member_id: str = ""
    retired: bool = False
    terminating: bool = False
    size_bytes: int = 0
    owned: bool = False
    refusal: str = ""
    capacity_bytes: int = 0


class Workload(NamedTuple):
    """What keeps the pods: a StatefulSet, or the local supervisor.

    replicas: pods that it keeps. template: hash of the pod template that it has; revision: that
    pods made now get, "" while it has not seen the newest template. good_template: hash of the one
    with which every pod was well last; bad_template: of the one that the last roll gave up; "" if
    none. terminating: it is being deleted. foreign: somebody else's, so nothing of it may be
    touched.
    """

    name: str
    uid: str
    resource_version: str
    replicas: int
    template: str
    revision: str
    good_template: str = ""
    bad_template: str = ""
    terminating: bool = False
    foreign: bool = False


class Operator(NamedTuple):
    """Who plans. epoch: rises with every new holder of the lease; holder: `<lease>#<identity>`."""

    epoch: int
    holder: str

    @property
    def lease(self) -> str:
        """By which lease it acts."""
        return lease_of(self.holder)


def lease_of(holder: str) -> str:
    """The lease in a holder's name; the name itself if it has no lease."""
    return holder.partition("#")[0]


class Capabilities(NamedTuple):
    """What the platform can. sizes: its claims have sizes, and are made before their pods.
    may_roll: no other log's roll is in the way."""

    sizes: bool = True
    may_roll: bool = True


class TaskKind(StrEnum):
    """What a ReplicatedLogTask asks for. The acknowledgements name something that is waited for.

    UNKNOWN: what only a newer operator knows; the subject is its action.
    """

    SNAPSHOT = "Snapshot"
    TRANSFER = "TransferLeader"
    RETRY_VERSION = "RetryVersion"
    ACKNOWLEDGE_DATA = "AcknowledgeUnknownData"
    ACKNOWLEDGE_OPERATOR = "AcknowledgeOtherOperator"
    SURVEY = "SurveyQuorum"
    RECOVER = "RecoverQuorum"
    CANCEL_SURVEY = "CancelSurvey"
    UNKNOWN = ""


class Task(NamedTuple):
    """One that is not done yet. subject: the member, claim or lease that it names, or "".

    survey: the name of the survey's task that it goes by. stopped: ids of members of which a person
    says that they will serve nothing any more.
    """

    name: str
    uid: str
    kind: TaskKind
    subject: str = ""
    survey: str = ""
    stopped: tuple[str, ...] = ()


class Observed(NamedTuple):
    """The world. template: hash of the pod template that the resource asks for now.

    addresses: of the peer listeners, by ordinal, for every ordinal that there is or should be.
    stale: names of children, the workload aside, that are not as they should be. answers: members'
    own words by ordinal, a silent one missing; silent: why it gave none, as far as is known.
    stops: the leader's word about each member's stop, by id. blockers: what the leader itself
    waits for, worst first: its evidence by its code. cluster_id: that the resource's
    status remembers, "" if none. tasks: oldest first. surveys: by ordinal, of members that were
    asked for one, which they are while a task is about a lost majority. surveyed: surveys' tasks
    that ended, by name.
    """

    now_s: float
    operator: Operator
    platform: Capabilities
    workload: Workload | None
    template: str
    addresses: tuple[str, ...]
    stale: tuple[str, ...] = ()
    pods: tuple[Pod, ...] = ()
    claims: tuple[Claim, ...] = ()
    answers: Mapping[int, ClusterStatus] = {}
    stops: Mapping[str, MayStop] = {}
    blockers: Mapping[str, str] = {}
    cluster_id: str = ""
    tasks: tuple[Task, ...] = ()
    silent: Mapping[int, str] = {}
    surveys: Mapping[int, Survey] = {}
    surveyed: Mapping[str, Ended] = {}
    decided: Decided = Decided()
