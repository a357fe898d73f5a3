"""What the core is told: the only way in.

Decides: the meaning of each event. Times are what the driver read: `now_ms` is its wall clock.
Must not know: who calls.
Read next: effects.py, core.py.
"""

import msgspec

from replog_node.model.configuration import Configuration, Target
from replog_node.model.entries import Entry, Payload, Tail
from replog_node.model.positions import ORIGIN, MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.messages import Envelope, Incarnation


class HardState(msgspec.Struct, frozen=True):
    """What must never be forgotten (paper, figure 2: persistent state)."""

    current_term: Term = Term(0)
    voted_for: MemberId | None = None


class LogBounds(msgspec.Struct, frozen=True):
    """What the storage found at start.

    term_starts: (term, first offset of that term), ascending; configurations: (offset of the
    record, configuration), ascending, all of those in the log. tail: what the next entry follows.

    start: the entry end after which the log begins; nothing at or below it can be read. committed:
    the newest snapshot's S, at or after start: known to be committed. base: the snapshot to offer
    to members that need what lies at or below start; its S is in the log, or is start.
    first_hole, unproven, lacking: as in DiskState.
    """

    tail: Tail
    term_starts: tuple[tuple[Term, Offset], ...] = ()
    configurations: tuple[tuple[Offset, Configuration], ...] = ()
    start: Position = ORIGIN
    committed: Position = ORIGIN
    base: SnapshotMeta | None = None
    first_hole: Offset | None = None
    unproven: Position | None = None
    lacking: bool = False


class Started(msgspec.Struct, frozen=True):
    """How a core begins. Everything in `log` and `hard_state` is durable."""

    member: MemberId
    incarnation: Incarnation
    hard_state: HardState
    log: LogBounds


class Tick(msgspec.Struct, frozen=True):
    """One tick of monotonic time has passed (CoreLimits.tick_ms)."""

    now_ms: int


class Received(msgspec.Struct, frozen=True):
    """A message came; lost, late, doubled and reordered ones are normal."""

    envelope: Envelope
    now_ms: int


class Proposed(msgspec.Struct, frozen=True):
    """Append one entry with this payload; answered by Accepted or Rejected in the same step."""

    payload: Payload
    now_ms: int


class Persisted(msgspec.Struct, frozen=True):
    """Everything of the Persist with this ticket, and of all before it, is durable."""

    ticket: int


class EntriesRead(msgspec.Struct, frozen=True):
    """Answer to ReadEntries: consecutive entries after `after`, or None when they can't be read."""

    follower: MemberId
    after: Position
    entries: tuple[Entry, ...] | None


class PeerUp(msgspec.Struct, frozen=True):
    """A connection to the member was made (whatever was in flight before is lost)."""

    member: MemberId


class PeerDown(msgspec.Struct, frozen=True):
    """The connection to the member is gone."""

    member: MemberId


class PeerSpeaks(msgspec.Struct, frozen=True):
    """A member said which feature level its build speaks, whether or not it is let in."""

    member: MemberId
    feature_level: int


class ReadRequested(msgspec.Struct, frozen=True):
    """Somebody wants a linearizable read here; answered by ReadReady or ReadFailed, later.

    context: unique in this incarnation, never reused.
    """

    context: int


class TargetRequested(msgspec.Struct, frozen=True):
    """Take the membership there; answered by Accepted or Rejected in the same step."""

    target: Target
    now_ms: int


class LevelRequested(msgspec.Struct, frozen=True):
    """Raise the feature level; answered by Accepted or Rejected in the same step."""

    feature_level: int
    now_ms: int


class TransferRequested(msgspec.Struct, frozen=True):
    """Hand leadership to this member, or to the best one; answered by Rejected or TransferEnded."""

    to: MemberId | None


class SnapshotFetched(msgspec.Struct, frozen=True):
    """The snapshot of a FetchSnapshot is here: verified, and synced as a file.

    Answered by InstallSnapshot, or by nothing if it isn't needed any more.
    """

    snapshot: SnapshotMeta


class SnapshotKept(msgspec.Struct, frozen=True):
    """The storage keeps this snapshot as its base and has let go of what lies at or below start.

    Neither ever moves back.
    """

    base: SnapshotMeta
    start: Position


class DiskState(msgspec.Struct, frozen=True):
    """What this member's disk is like; told whenever it changes.

    free_bytes: of the file system. low: under the soft limit, above which alone a leader admits
    data. full: the reserve is used up: nothing more can be taken. first_hole: the base of the first
    entry that can't be read; None without one. unproven: the durable mark, when it lies beyond the
    last readable entry; None when it doesn't. lacking: the log begins after the log's logical
    start, so records that must be kept are missing.
    """

    free_bytes: int
    low: bool
    full: bool
    first_hole: Offset | None = None
    unproven: Position | None = None
    lacking: bool = False


class ClockAcknowledged(msgspec.Struct, frozen=True):
    """Somebody looked at a clock that had jumped, and says that it is right (Reason.CLOCK_JUMP)."""


Event = (
    Tick
    | Received
    | Proposed
    | Persisted
    | EntriesRead
    | PeerUp
    | PeerDown
    | PeerSpeaks
    | ReadRequested
    | TargetRequested
    | LevelRequested
    | TransferRequested
    | ClockAcknowledged
    | SnapshotFetched
    | SnapshotKept
    | DiskState
)
