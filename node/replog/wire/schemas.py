"""The JSON bodies of the HTTP API, defined once for node, client, operator and documents.

Decides: field names and their meaning. Offsets named `end_offset` and `next_offset` are exclusive
(Kafka's high watermark), all others inclusive. Unknown fields in requests are refused.
Must not know: how they are served.
Read next: codes.py, docs/api.md.
"""

from typing import Annotated

import msgspec

from replog.wire.limits import EXPIRES_AFTER_LEAST_MS, EXPIRES_AFTER_MOST_MS, MEMBERS_MAX, NAME_MAX

Name = Annotated[str, msgspec.Meta(max_length=NAME_MAX)]
"""What a caller names: the log keeps it in a record, whose size is bounded."""


class Record(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One record to append. Text in `value`/`key`, or bytes in the base64 twin, not both.

    headers: [name, value] pairs, names may repeat. timestamp_ms: the user's own time; the moment
    of building the batch when left out.
    """

    value: str | None = None
    value_base64: str | None = None
    key: str | None = None
    key_base64: str | None = None
    headers: list[tuple[str, str]] = []
    timestamp_ms: int | None = None


class ReadRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record as read: value and key as text where they are UTF-8, else the base64 twin."""

    offset: int
    timestamp_ms: int
    value: str | None = None
    value_base64: str | None = None
    key: str | None = None
    key_base64: str | None = None
    headers: list[tuple[str, str]] = []


class Appended(msgspec.Struct, frozen=True):
    """An append is committed: durable on a majority. duplicate: it was so before this request."""

    base_offset: int
    last_offset: int
    count: int
    term: int
    duplicate: bool = False


class RecordsPage(msgspec.Struct, frozen=True):
    """Some records. next_offset: where to go on; end_offset: the high watermark at that moment."""

    records: list[ReadRecord]
    next_offset: int
    end_offset: int
    log_start_offset: int


class LogInfo(msgspec.Struct, frozen=True):
    """GET /v1/log.

    snapshot_offset: of the newest snapshot that the answering member has; null without one.
    """

    cluster_id: str
    lineage: str
    log_start_offset: int
    end_offset: int
    last_record_offset: int | None
    log_time_ms: int
    snapshot_offset: int | None = None


class ProducerRequest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """POST /v1/producers.

    request: a key of the caller's; repeated = the same session, while known. expires_after_ms: of
    log time without an append, after which the session is forgotten.
    """

    request: Name = ""
    expires_after_ms: Annotated[
        int, msgspec.Meta(ge=EXPIRES_AFTER_LEAST_MS, le=EXPIRES_AFTER_MOST_MS)
    ] = EXPIRES_AFTER_MOST_MS


class ProducerSession(msgspec.Struct, frozen=True):
    """A producer session: appends send `Producer-Id`, `Producer-Epoch`, `Producer-Sequence`.

    expires_after_ms: of log time without an append; before the first one at most 10 minutes.
    """

    producer_id: int
    epoch: int
    expires_after_ms: int


class MemberAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A member and its peer listener, host:port.

    priority: -100…100; a leader that hands over by itself prefers the highest.
    """

    id: Name
    address: Name
    priority: int = 0


class BootstrapRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/cluster:bootstrap on the peer listener: found a one-member cluster here."""

    cluster_id: Name
    operation: Name


class TargetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/cluster:target on the peer listener: the membership that there should be.

    planned_from: the offset of the configuration that this was planned from (GET /v1/cluster).
    dry_run: answer with a TargetPlan, or the refusal that there would be, and change nothing.
    """

    members: Annotated[list[MemberAddress], msgspec.Meta(max_length=MEMBERS_MAX)]
    operation: Name
    planned_from: int
    epoch: int = 0
    holder: Name = "replog"
    dry_run: bool = False


class AskedBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which operator asks, as in its targets: refused once another one has set a target."""

    epoch: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
    holder: Name


class TransferRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """POST /v1/cluster:transfer on the peer listener.

    to: a member id, or the best one. asked_by: None is a person, who is always heard.
    """

    to: str | None = None
    asked_by: AskedBy | None = None


class TrimRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/log:trim on the peer listener. before: the first offset that stays."""

    before: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class SnapshotRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """POST /v1/log:snapshot on the peer listener: all members build one at the same offset."""

    asked_by: AskedBy | None = None


class LevelRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """POST /v1/cluster:raise-feature-level on the peer listener. feature_level: to be in force."""

    feature_level: Annotated[int, msgspec.Meta(ge=1, le=2**15 - 1)]
    asked_by: AskedBy | None = None


class ResolveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/producers/{id}:resolve. epoch: the one in which something has no known outcome."""

    epoch: Annotated[int, msgspec.Meta(ge=0, le=2**15 - 1)]


class ProducerResolved(msgspec.Struct, frozen=True):
    """What became of an epoch of a producer session: nothing more of it will be appended.

    epoch: the new one; sequences begin at 0 in it. last_sequence, last_offset: of the last record
    that was appended in the old one, both null if nothing was. repeated: it was resolved before.
    """

    producer_id: int
    epoch: int
    last_sequence: int | None
    last_offset: int | None
    repeated: bool = False


class AcknowledgeClockRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """POST /v1/cluster:acknowledge-clock on the peer listener: nothing needs to be said."""


class Done(msgspec.Struct, frozen=True):
    """An admin call was carried out or already had been. detail: one sentence."""

    done: bool
    detail: str
    offset: int | None = None


class PlannedStep(msgspec.Struct, frozen=True):
    """One configuration on the way to a target; ids of members.

    step: "target" (it is recorded), "learners" (they copy the log), "enter-joint" (outgoing and
    voters decide together), "leave-joint" (the voters decide alone).
    """

    step: str
    voters: list[str]
    outgoing: list[str]
    learners: list[str]


class TargetPlan(msgspec.Struct, frozen=True):
    """What a target would do, if it were asked for now. No steps: the operation is known already.

    planned_from: the offset of the configuration in force.
    """

    steps: list[PlannedStep]
    planned_from: int
    detail: str


class MayStop(msgspec.Struct, frozen=True):
    """Whether a member may be stopped now without harm to reads, writes and safety.

    reasons: why not, one sentence each; empty: it may. caught_up: it lives, lacks no record, and
    lags by less than an election timeout; wait for that before the next one is stopped. behind:
    offsets that are committed and not known to be durable there. role: as in MemberStatus. leads:
    it hands over before it stops.
    """

    member: str
    may_stop: bool
    reasons: list[str]
    caught_up: bool
    behind: int
    role: str
    leads: bool


class MemberStatus(msgspec.Struct, frozen=True):
    """One member as the answering member sees it.

    role: "voter" | "learner" | "outgoing"; in joint a member of both halves is a voter. match
    and alive are known to the leader only (else null): end of what the member holds durably, and
    whether it answered within the election timeout. feature_level_spoken: the highest that its
    build speaks, as it said last; null if it never did.
    """

    id: str
    address: str
    role: str
    match_offset: int | None = None
    alive: bool | None = None
    client_address: str | None = None
    priority: int = 0
    feature_level_spoken: int | None = None


class TargetStatus(msgspec.Struct, frozen=True):
    """The membership asked for; `members` are ids.

    epoch, holder: of the operator that asked; a target of an older epoch is refused from then on.
    """

    members: list[str]
    operation: str
    reached: bool
    epoch: int = 0
    holder: str = ""


class ClusterStatus(msgspec.Struct, frozen=True):
    """GET /v1/cluster, on either listener, answered from local knowledge by any member.

    state: "unassigned" (knows no cluster) | "member" | "removed" | "fenced" | "stopping".
    role: "follower" | "pre-candidate" | "candidate" | "leader". joint: between enter-joint and
    leave-joint. configuration_offset: of the configuration in force; -1 without one. feature_level:
    in force, as far as this member has applied the log; feature_level_spoken: the highest that its
    build speaks.
    """

    member: str
    incarnation: int
    state: str
    cluster_id: str | None
    lineage: str | None
    role: str
    term: int
    leader: str | None
    leader_client_address: str | None
    commit_offset: int
    applied_offset: int
    durable_offset: int
    last_offset: int
    log_start_offset: int
    configuration_offset: int
    joint: bool
    members: list[MemberStatus]
    target: TargetStatus | None
    admitting: bool
    version: str
    feature_level: int
    feature_level_spoken: int = 1


class Wait(msgspec.Struct, frozen=True):
    """One thing that the system waits for, by its row in the table of codes (codes.py)."""

    code: str
    meaning: str
    next: str
    since_s: float
    evidence: str


class Why(msgspec.Struct, frozen=True):
    """GET /v1/why: every wait of this member, worst first; empty: nothing is waited for."""

    member: str
    waits: list[Wait]
