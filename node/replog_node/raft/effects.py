"""What the core asks for: the only way out. The order within one step's list means something.

Decides: the meaning of each effect and what must be durable before what. The driver carries them
out in the written order.
Must not know: how they are carried out.
Read next: core.py, ../driver/driver.py.
"""

from enum import StrEnum

import msgspec

from replog_node.model.configuration import Configuration
from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.events import HardState
from replog_node.raft.messages import CoreMessage, Incarnation


class Persist(msgspec.Struct, frozen=True):
    """Make durable: the hard state if given, then cut the log after `truncate_to` if given, then
    the entries. Answered by Persisted(ticket); tickets count up by one and end in order.

    truncate_to is never below what is committed.
    """

    ticket: int
    hard_state: HardState | None
    truncate_to: Position | None
    entries: tuple[Entry, ...]


class InstallSnapshot(msgspec.Struct, frozen=True):
    """Begin the log anew at S+1 with this snapshot; what the log had is gone.

    In order with every Persist: those before it are overtaken, those after it follow S. Answered by
    Persisted(ticket) when the snapshot is the log's durable beginning; a crash before that leaves
    the old log or finishes the install. Followed in the same list by ConfigurationActive, and by
    Commit(S): everything up to S is applied by loading the snapshot.
    """

    ticket: int
    snapshot: SnapshotMeta


class FetchSnapshot(msgspec.Struct, frozen=True):
    """This member needs this snapshot, which `source` offers; answered by SnapshotFetched.

    Any member that has the same position and digest may serve it. The same effect comes again as
    long as the leader repeats its offer: a fetch that is under way just goes on. Another snapshot
    replaces the one wanted before.
    """

    snapshot: SnapshotMeta
    source: MemberId


class Send(msgspec.Struct, frozen=True):
    """Send a message, best effort, in order per receiver, but not before Persisted(after_ticket).

    after_ticket: 0 for messages that promise nothing (a leader's AppendEntries travel beside its
    own write: thesis 10.2.1); votes and append replies wait for what they promise to be durable.
    to_incarnation: for replies, the incarnation that asked.
    """

    to: MemberId
    message: CoreMessage
    after_ticket: int
    to_incarnation: Incarnation | None = None


class Commit(msgspec.Struct, frozen=True):
    """Everything up to this end is committed. Emitted when it grows, and never falls."""

    position: Position


class ReadEntries(msgspec.Struct, frozen=True):
    """Read entries from disk for a follower that is far behind; answered by EntriesRead.

    At least one entry, then more while they fit in max_bytes.
    """

    follower: MemberId
    after: Position
    max_bytes: int


class ReadReady(msgspec.Struct, frozen=True):
    """The read may be answered once everything up to `index` (inclusive) is applied here."""

    context: int
    index: Offset


class ReadFailed(msgspec.Struct, frozen=True):
    """The read can't be confirmed now (no leader, or it changed): nothing was read; ask again."""

    context: int


class Accepted(msgspec.Struct, frozen=True):
    """The proposal, target or level is appended as this entry; it is not committed yet."""

    entry: Entry


class Reason(StrEnum):
    """Why the core refused; the value is the code of codes.py where one exists."""

    NOT_LEADER = "not_leader"
    TRANSFERRING = "transferring"
    NOT_READY = "not_ready"
    OVERLOADED = "overloaded"
    ALREADY_DONE = "already_done"
    STALE_EPOCH = "stale_epoch"
    OTHER_HOLDER = "other_holder"
    STALE_PLAN = "stale_plan"
    CHANGE_IN_PROGRESS = "change_in_progress"
    INVALID_TARGET = "invalid_target"
    UNKNOWN_MEMBER = "unknown_member"
    MEMBER_BEHIND = "member_behind"
    CLOCK_JUMP = "clock_jump"
    QUORUM_AT_RISK = "quorum_at_risk"
    LEVEL_LOWER = "feature_level_lower"
    LEVEL_UNSUPPORTED = "feature_level_unsupported"
    LEVEL_UNKNOWN = "feature_level_unknown"


class Rejected(msgspec.Struct, frozen=True):
    """The last Proposed or …Requested changed nothing."""

    reason: Reason
    detail: str = ""


class TransferEnded(msgspec.Struct, frozen=True):
    """A transfer is over: done (that member leads), or not (it did not win: this member admits
    again if it still leads).
    """

    to: MemberId
    done: bool


class HandingOver(msgspec.Struct, frozen=True):
    """This leader begins a transfer by itself. Followed by TransferEnded, as one on request.

    why: "slow_disk" (a quorum has on disk what this member's disk doesn't get done) | "hole" (this
    member can't read a part of its log) | "leaving" (the configuration doesn't name it any more).
    """

    to: MemberId
    why: str


class RoleChanged(msgspec.Struct, frozen=True):
    """This member's role, term or known leader changed.

    role: "follower" | "pre-candidate" | "candidate" | "leader". ready_at: for a leader, the end of
    its no-op; it admits nothing before that is applied.
    """

    role: str
    term: Term
    leader: MemberId | None
    ready_at: Offset


class ConfigurationActive(msgspec.Struct, frozen=True):
    """A configuration took effect (on append, or again after a truncation); connect accordingly."""

    offset: Offset
    configuration: Configuration


class MemberRemoved(msgspec.Struct, frozen=True):
    """The leave-joint record without this member is committed: it parks, for good."""

    at: Offset


Effect = (
    Persist
    | InstallSnapshot
    | FetchSnapshot
    | Send
    | Commit
    | ReadEntries
    | ReadReady
    | ReadFailed
    | Accepted
    | Rejected
    | TransferEnded
    | HandingOver
    | RoleChanged
    | ConfigurationActive
    | MemberRemoved
)
