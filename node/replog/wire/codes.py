"""Every refusal and every wait by name: what it means, whether to repeat, what became of it.

One table for HTTP errors, /v1/why, conditions, metrics, logs and documents (docs/codes.md, compared
by a test). A code never changes its meaning.

Decides: status, retryable, outcome, words. Must not know: when a code is used.
Read next: problems.py.
"""

from typing import Final

import msgspec

NONE: Final = "none"
UNKNOWN: Final = "unknown"


class Row(msgspec.Struct, frozen=True):
    """One code. kind: "error" (an answer to a call) or "wait" (something that is waited for).

    status: HTTP's; 0 for waits. retryable: whether the same call may succeed later without a
    change. elsewhere: whether it is this member's matter alone, so that another one may serve the
    same call; only if the outcome is none, or repeating is harmless. outcome: what became of the
    call: "none" (nothing happened and nothing will), "unknown" (it may have happened or still
    happen). next: what to do.
    """

    code: str
    kind: str
    status: int
    title: str
    retryable: bool
    elsewhere: bool
    outcome: str
    meaning: str
    next: str


def _error(
    code: str, status: int, title: str, meaning: str, next_: str, *,
    retryable: bool = False, elsewhere: bool = False, outcome: str = NONE,
) -> Row:  # fmt: skip
    return Row(code, "error", status, title, retryable, elsewhere, outcome, meaning, next_)


def _wait(code: str, title: str, meaning: str, next_: str) -> Row:
    return Row(code, "wait", 0, title, True, False, NONE, meaning, next_)


_AGAIN: Final = "Repeat the call after the time in Retry-After."
_FIX: Final = "Correct the request; repeating it as it is can't succeed."
_CLOCK: Final = (
    "Set the clock right; or, if it is right, say so: "
    "POST /v1/cluster:acknowledge-clock on the peer listener."
)
_SAFE: Final = (
    "Repeat it within a producer session, which appends it once; or read the log to find out."
)

ERRORS: Final = (
    _error("no_leader", 503, "No leader", "No leader was found in the time that was given.",
           _AGAIN + " If it lasts, ask GET /v1/why.", retryable=True),
    _error("not_leader", 503, "Not the leader", "The member that was asked does not lead, and the leader could not be reached.",
           _AGAIN, retryable=True),
    _error("not_ready", 503, "Not ready", "The member or its leader can't serve this yet; `wait` names why.",
           _AGAIN + " If it lasts, look up the wait.", retryable=True),
    _error("transferring", 503, "Leadership is being handed over", "Nothing is appended while the next leader catches up.",
           _AGAIN, retryable=True),
    _error("superseded", 503, "Superseded", "It was appended by a leader that lost the lead, and another entry is committed in its place.",
           "Repeat the call; it was not and will not be applied.", retryable=True),
    _error("overloaded", 429, "Overloaded", "A bound of this member is reached; nothing was done.",
           _AGAIN + " If it lasts, spread the load or raise the bound.", retryable=True),
    _error("disk_full", 507, "No room on disk", "The leader, or so many members that a quorum isn't left, have less free space than the soft limit; `members` names them. Nothing was done; trims and membership changes still work.",
           "Free space there, or trim the log; writing resumes by itself.", retryable=True),
    _error("timeout", 504, "Not in time", "It was taken but not committed in the time that was given.",
           _SAFE, retryable=True, outcome=UNKNOWN),
    _error("outcome_unknown", 504, "Outcome unknown", "The way to the leader broke after the call was sent on.",
           _SAFE, retryable=True, outcome=UNKNOWN),
    _error("shutting_down", 503, "Shutting down", "This member is stopping.",
           "Ask another member.", retryable=True, elsewhere=True),
    _error("read_unconfirmed", 503, "Read not confirmed", "No quorum confirmed in time that this view is the newest.",
           _AGAIN + " Or read with consistency=local.", retryable=True),
    _error("read_too_stale", 412, "Read too stale", "This member can't show that it knew everything until so recently; `staleness_ms` tells how long ago it did (null: never).",
           "Ask another member, or with a greater bound, or with consistency=local.", retryable=True, elsewhere=True),
    _error("sequence_gap", 409, "Gap in the sequence", "A batch before this one is missing; `expected` tells the next sequence.",
           "Send the missing batch first, then this one again.", retryable=True),
    _error("sequence_conflict", 409, "Sequence used before", "The sequence was used by another batch, or by one that is no longer remembered.",
           "Stop this session: two writers share it, or a batch was changed between two tries."),
    _error("producer_unknown", 409, "Unknown producer", "The session was never allocated here or has expired.",
           "Allocate a new session with POST /v1/producers."),
    _error("producer_fenced", 403, "Producer fenced", "A newer epoch of this producer exists.",
           "Stop: another instance has taken over."),
    _error("epoch_exhausted", 409, "Epochs used up", "This producer has no epoch left.",
           "Allocate a new producer id."),
    _error("producers_full", 429, "Too many producers", "The log remembers 100000 sessions, as many as it may, and none has expired.",
           "Use one session for many appends, ask for a smaller expires_after_ms, or wait until some expire.", retryable=True),
    _error("last_record_mismatch", 412, "Another last record", "The log's last record is not the one that the condition names; `last_record` tells which it is.",
           "Read up to last_record, decide anew, and send the call with that condition."),
    _error("batch_invalid", 422, "Batch not valid", "The record batch is not one that the log may hold; `detail` tells the first fault.", _FIX),
    _error("record_invalid", 422, "Record not valid", "A record can't be appended; `line` or `index` tells which.", _FIX),
    _error("json_invalid", 400, "Not JSON", "The body, or the line that is named, is not JSON.", _FIX),
    _error("body_invalid", 422, "Body not valid", "The JSON body is not what this call takes.", _FIX),
    _error("body_incomplete", 400, "Body incomplete", "The connection ended within the body; nothing was done.",
           "Send the whole body.", retryable=True),
    _error("body_too_large", 413, "Body too large", "The body exceeds the limit that is named.",
           "Send smaller batches."),
    _error("content_type_unsupported", 415, "Content type not supported", "This call does not take such a body; `supported` lists what it takes.", _FIX),
    _error("not_acceptable", 406, "Not acceptable", "The answer can't be given in the form that was asked for; `supported` lists the forms.", _FIX),
    _error("parameter_unknown", 400, "Unknown parameter", "The query has a parameter that this call does not know.", _FIX),
    _error("parameter_invalid", 400, "Parameter not valid", "A query parameter has no sensible value.", _FIX),
    _error("header_invalid", 400, "Header not valid", "A request header has no sensible value.", _FIX),
    _error("request_invalid", 400, "Request not valid", "The request is not HTTP that this listener can serve.", _FIX),
    _error("offset_out_of_range", 416, "Offset out of range", "The offset lies beyond the end of the log, `end_offset`.",
           "Read from end_offset, or from earliest or latest."),
    _error("offset_trimmed", 410, "Offset trimmed", "Records before `log_start_offset` are gone.",
           "Read from log_start_offset."),
    _error("unauthorized", 401, "Token missing or unknown", "This listener wants a token, and none that it knows was given.",
           "Send Authorization: Bearer with a token of the token file."),
    _error("forbidden", 403, "Not permitted", "The token lacks the permission that this call needs.",
           "Use a token with that permission."),
    _error("not_found", 404, "No such path", "This listener serves no such path.", "See docs/api.md; admin calls are on the peer listener."),
    _error("method_not_allowed", 405, "Method not allowed", "The path does not take this method; `allowed` lists those it takes.", _FIX),
    _error("request_timeout", 408, "Request too slow", "The body did not arrive in time; nothing was done.",
           "Send it faster, or in smaller parts.", retryable=True),
    _error("already_bootstrapped", 409, "Already bootstrapped", "This member belongs to a cluster already; nothing was changed.",
           "Use the cluster that it belongs to, or an empty data directory."),
    _error("unassigned", 503, "Unassigned", "This member belongs to no cluster yet.",
           "Ask another member; or bootstrap this one, or add it to a cluster.", retryable=True, elsewhere=True),
    _error("stale_epoch", 409, "Older epoch", "A newer operator has changed the membership since.", "Stop: another operator is in charge."),
    _error("other_holder", 409, "Other holder", "Another operator holds this very epoch.", "Stop: another operator is in charge."),
    _error("stale_plan", 409, "Planned from an older configuration", "The configuration has changed since the plan was made.",
           "Read GET /v1/cluster, plan anew, and send the call with the new offset.", retryable=True),
    _error("change_in_progress", 409, "A change is in progress", "A membership change has entered its joint phase.",
           "Wait until it has ended.", retryable=True),
    _error("invalid_target", 422, "Target not valid", "The membership that was asked for can't be; `detail` tells why.", _FIX),
    _error("feature_level_lower", 409, "Lower feature level", "The log is at a higher feature level already, and that is never lowered: what was written at it can't be unwritten.",
           "Keep to builds that speak it; the level in force is in GET /v1/cluster."),
    _error("feature_level_unsupported", 409, "Feature level not spoken", "A member's build does not speak this feature level; `detail` names the member.",
           "Upgrade that member, then repeat the call."),
    _error("feature_level_unknown", 409, "Feature level not known", "A member is not connected to the leader, so nobody knows what its build speaks; `detail` names it.",
           "Start that member, or take it out of the membership, then repeat the call.", retryable=True),
    _error("feature_level_needed", 409, "Higher feature level needed", "What this call writes is known only to builds that speak a higher feature level than the one in force.",
           "Upgrade every member, then raise it: POST /v1/cluster:raise-feature-level on the peer listener."),
    _error("unknown_member", 404, "Unknown member", "No member of the configuration has this id.", _FIX),
    _error("member_behind", 409, "Member behind", "The member does not answer, so it can't take over.",
           "Start it, or see why it can't be reached.", retryable=True),
    _error("quorum_at_risk", 409, "Quorum at risk", "It would leave the log without a quorum.",
           "Bring members back first.", retryable=True),
    _error("transfer_failed", 503, "Transfer failed", "The member did not take over in time; the old leader goes on.",
           _AGAIN, retryable=True),
    _error("clock_jump", 503, "Clock jumped", "The only voter's clock leapt ahead; nothing is appended until that is acknowledged.",
           _CLOCK, retryable=True),
    _error("other_cluster", 409, "Another cluster", "The peer belongs to another cluster.", "Correct the addresses."),
    _error("other_lineage", 410, "Another lineage", "The peer or cursor belongs to another life of this log.", "Start over from the beginning of this lineage."),
    _error("removed", 410, "Removed", "This member was removed from its cluster, for good.", "Ask another member; an empty directory makes a new one.", elsewhere=True),
    _error("fenced", 503, "Fenced", "A newer lineage of this log exists, or somebody has fenced this member to look at what it has.", "Ask another member; of the newer lineage, if there is one.", elsewhere=True),
    _error("conflict", 409, "Another operation", "An operation other than the one that calls holds this member, or the one that calls has ended here; `operation` names it.",
           "Look at GET /v1/cluster/survey on the peer listener; go on under that operation, or end it first."),
    _error("not_fenced", 409, "Not fenced", "The operation that calls doesn't hold the fence of this member, so what it knows of the member may not be so any more.",
           "Fence the member, POST /v1/cluster:fence on the peer listener, and decide anew by what that answers."),
    _error("recovery_refused", 409, "Recovery refused", "The member can't go on alone so; `detail` tells the precondition that isn't met. Nothing was changed.",
           "Look at GET /v1/cluster/survey on the peer listener, and decide anew."),
    _error("protocol_unsupported", 426, "Protocol not supported", "The peer speaks no version of the protocol that this member knows.",
           "Upgrade the older of the two."),
    _error("storage_failed", 500, "Storage failed", "The disk refused. After a write the process ends, and recovers at its next start; a read fails alone.",
           "Look at the disk and the node's log.", elsewhere=True, outcome=UNKNOWN),
    _error("not_alive", 503, "Not alive", "A restart would help; `detail` tells why.", "Restart the process.", retryable=True),
    _error("internal", 500, "Internal error", "The node failed; its log tells more under `id`.",
           "Report it with that part of the log.", outcome=UNKNOWN),
)  # fmt: skip

WAITS: Final = (
    _wait("Unassigned", "Belongs to no cluster", "The member waits to be bootstrapped or added.",
          "Bootstrap it, or set a target that names it."),
    _wait("Removed", "Removed", "The member was removed and stays so.", "Stop the process and delete its directory when the data is not needed."),
    _wait("Fenced", "Fenced", "A newer lineage of this log exists, or an operation has fenced this member; the evidence tells which.", "If it is of an older lineage: stop the process, and use the newer log. If an operation holds it: end that, by going on alone or by lifting the fence."),
    _wait("Stopping", "Stopping", "The member hands over, drains and stops.", "Nothing."),
    _wait("NoLeader", "No leader", "No member has a majority's votes.", "See whether a majority of the voters runs and can reach each other."),
    _wait("DiskStalled", "Disk stalled", "A write has not come back from the disk for long.", "Look at the disk's latency and errors."),
    _wait("DiskSlow", "Disk slow", "A write has not come back from the disk for half a second.", "Look at the disk's latency; a leader hands over when a quorum is ahead of its disk."),
    _wait("DiskFull", "No room on disk", "A member has less free space than disk_soft_limit_bytes, or none left. While that is the leader, or leaves no quorum, data is refused with disk_full.", "Free space there, or trim the log; it passes by itself."),
    _wait("HoleBeingFilled", "Part of the log is lost", "Damage on this disk; other members are asked for what it lost. Until then it is not served here.", "Nothing, if it is rare; if it comes again, replace the disk."),
    _wait("UnfillableHole", "Part of the log is lost", "Damage on this disk, and no member that can be reached has what it lost; they are asked again.", "Bring the other members back. If none has it, replace this member by one with an empty directory."),
    _wait("Unproven", "The log's end is lost", "Damage has taken the end of this member's log, so it may have acknowledged what it can't prove; it neither votes nor leads until a leader has replicated past that.", "Keep a majority of the other members up; it ends by itself. If a majority is in this state, the log needs a forced recovery."),
    _wait("LogUnreadable", "Log unreadable", "The disk does not give records that the member has to apply.", "Look for log_damaged in its log; replace the member by one with an empty directory."),
    _wait("StateDiverged", "States differ", "Members built different snapshots at the same offset, which must never be.", "Stop the member that differs from the majority and replace it by one with an empty directory; keep both directories for a report."),
    _wait("SnapshotTransfer", "Fetching a snapshot", "The log of this member ends before the others' begin, so it fetches a snapshot to begin with.", "Wait; if it lasts, look at the network and the disk."),
    _wait("ClockJump", "Clock jumped", "The only voter's clock leapt ahead of its monotonic clock.", _CLOCK),
    _wait("ClocksDisagree", "Clocks disagree", "The voters' clocks lie more than a minute apart, so nothing is trimmed for its age.", "Set the clocks right; it passes by itself."),
    _wait("NotCaughtUp", "Not caught up", "The member has not yet applied what was committed when it started.", "Wait; if it lasts, look at its disk and its connection to the leader."),
    _wait("FirstTargetPending", "First target pending", "Client writes wait until the first target is reached.", "Set a target, or see why its members don't join."),
    _wait("ChangeInProgress", "Membership is changing", "Both halves of a joint configuration must agree.", "Wait; if it lasts, see whether a majority of each half runs."),
    _wait("TargetMemberUnavailable", "Target member unavailable", "A member of the target does not answer.", "Start it, or set a target without it."),
    _wait("LearnerBehind", "Learner behind", "A new member has not caught up.", "Wait; if it lasts, look at its disk and network."),
    _wait("FeatureLevelUnsupported", "Feature level not spoken", "A member's build does not speak the feature level in force, so it is kept out and never becomes a voter.", "Upgrade that member, or set a target without it."),
    _wait("PeerUnreachable", "Member unreachable", "A member does not answer its leader.", "Start it, or look at the network between."),
    _wait("Transferring", "Handing over", "Leadership is being handed over.", "Nothing; it ends within an election timeout."),
    _wait("MembersSilent", "Members do not answer", "A pod that should be a member gives no answer yet.",
          "See why its pod does not run: kubectl describe pod; on one machine, its log."),
    _wait("QuorumLost", "Quorum lost", "So many members have lost their disks that the others can't prove what was committed. Nothing is done by itself.",
          "Bring lost disks back. If they are gone for good, the log needs a forced recovery by a person."),
    _wait("ClusterIDMismatch", "Data of different logs", "The claims or members belong to more than one cluster. Nothing is changed.",
          "Take away the claims that belong to another log."),
    _wait("UnknownData", "Unknown data", "A claim holds data of which nobody can say whose they are, and a new member would need its place.",
          "Look at the data; if it may go, acknowledge it with a ReplicatedLogTask with the action AcknowledgeUnknownData."),
    _wait("ClaimTerminating", "Claim being deleted", "A new member waits until the disk of a removed one is gone.",
          "Wait; if it lasts, see who still uses the claim."),
    _wait("UnknownObject", "Unknown object", "A pod or claim carries the labels of this log, but can't have been made for it. It is left alone.",
          "Take the labels off it, or delete it."),
    _wait("ForeignObject", "Object of somebody else", "An object of the log's name is controlled by somebody else, so it is left alone.",
          "Rename one of the two, or delete that object."),
    _wait("WorkloadTerminating", "Workload being deleted", "The workload is being deleted; it is made anew when it is gone.",
          "Wait; if it lasts, see which finalizer holds it."),
    _wait("TwinMembers", "One member twice", "Two pods hold one and the same member, so a disk was copied.",
          "Empty the copy; a new member takes its place."),
    _wait("OtherOperator", "Another operator", "The log is in the care of an operator of another lease.",
          "Stop one of the two; to take over, make a ReplicatedLogTask with the action AcknowledgeOtherOperator that names the other lease."),
    _wait("NewerOperator", "A newer operator", "The log knows a newer epoch than this operator's, which therefore changes nothing.",
          "Nothing: this operator takes a higher epoch or ends."),
    _wait("MemberRestarting", "Member restarting", "A member that was replaced is not well yet, so no other one is touched.",
          "Wait; if it lasts, see its pod's events and log."),
    _wait("MayNotStop", "Member may not stop", "The leader says that the others can't do without this member now.",
          "See the evidence; it ends when the others are caught up and alive."),
    _wait("RollQueued", "Roll queued", "As many logs are being rolled as may be at a time.",
          "Wait, or raise the operator's limit of concurrent rolls."),
    _wait("BadVersion", "Bad version", "What got the new template did not come to be well, so the last good one is in force again.",
          "Correct the resource; to try the same once more, make a ReplicatedLogTask with the action RetryVersion."),
    _wait("ExpansionRefused", "Expansion refused", "A claim does not grow to the size that is asked for.",
          "See the evidence; choose a storage class that can expand, or a size that it allows."),
    _wait("StepFailed", "Step failed", "A step that is due was refused, or nobody knows whether it was done; it is tried again, ever more seldom.",
          "See the evidence: rights, a quota, an admission webhook or a disruption budget may be in the way."),
    _wait("Suspended", "Suspended", "spec.suspend is set: the log is looked at, and nothing of it is changed.",
          "Take spec.suspend away to go on."),
)  # fmt: skip

_ROWS: Final = {row_.code: row_ for row_ in (*ERRORS, *WAITS)}


def row(code: str) -> Row:
    """Return the row of a code; raises KeyError for one that is in no table."""
    return _ROWS[code]


def known(code: str) -> bool:
    """Whether this build knows the code (a newer node may answer with others)."""
    return code in _ROWS
