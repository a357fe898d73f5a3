"""What members say to each other about consensus; the same values are wire, trace and scenario.

Decides: fields and meaning of every message of the core (paper figure 2; thesis 3.10, 6.4, 9.6).
Sender and receiver, their incarnations, cluster and lineage travel in the envelope, once for all.
Must not know: sockets, encodings (driver/wire.py writes `entries` as raw bytes after the body).
Read next: events.py, effects.py.
"""

import msgspec

from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.model.snapshots import SnapshotMeta


class Message(msgspec.Struct, frozen=True, tag_field="type"):
    """A message's common part. term: of the sender when it was made (pre-votes: the next one)."""

    term: Term


class RequestVote(Message, frozen=True, tag="RequestVote"):
    """Ask for a vote, or with pre=True whether one would be given (thesis 9.6).

    last: end of the candidate's log. transfer: asked for by the leader, so the voter's stickiness
    (thesis 4.2.3) doesn't apply. attempt: the candidate's counter; the reply carries it back.
    """

    last: Position
    pre: bool
    transfer: bool
    attempt: int


class VoteReply(Message, frozen=True, tag="VoteReply"):
    """term: of the voter (of the request when a pre-vote is granted)."""

    granted: bool
    pre: bool
    attempt: int


class AppendEntries(Message, frozen=True, tag="AppendEntries"):
    """Entries after `prev`, and how far the leader has committed.

    session: the leader's counter for this follower, new at every probe after a loss; a reply
    that carries an older session moves nothing (openraft cecb5de8).
    """

    session: int
    prev: Position
    commit: Offset
    entries: tuple[Entry, ...]


class AppendReply(Message, frozen=True, tag="AppendReply"):
    """ok: everything up to `match` is in the follower's log *and durable*.

    Not ok: `prev` didn't match; `hint` is the highest end of the follower's log at which the
    leader's may still agree (ends of its terms, so that probing takes one round per term).
    full: the follower's disk takes nothing more; `match` is what it holds.
    """

    session: int
    ok: bool
    match: Position
    hint: Position
    full: bool = False


class SnapshotOffer(Message, frozen=True, tag="SnapshotOffer"):
    """What the follower lacks is no longer in the leader's log: here is what to begin with.

    Answered by AppendReply (ok, match = S) once the follower's log has S; until then repeated.
    session: as in AppendEntries. The bytes are fetched beside the core (paper, section 7, pushes
    them; a pull can be resumed, and can ask anybody who has the same).
    """

    session: int
    snapshot: SnapshotMeta


class Heartbeat(Message, frozen=True, tag="Heartbeat"):
    """The leader lives. commit: min(leader's commit, this follower's match).

    round: counts the leader's heartbeat rounds; the reply proves leadership at the time the round
    was sent (ReadIndex, thesis 6.4; a round is never reused: etcd-raft #397).
    """

    commit: Offset
    round: int
    clock_ms: int


class HeartbeatReply(Message, frozen=True, tag="HeartbeatReply"):
    """clock_ms: the follower's wall clock when it answered.

    free_bytes, low, full: of its disk (events.DiskState); -1: not known. whole: its log can be read
    from end to end, up to all that it ever acknowledged; one that isn't whole must not lead, and a
    learner hasn't caught up.
    """

    round: int
    clock_ms: int
    free_bytes: int = -1
    low: bool = False
    full: bool = False
    whole: bool = True


class TimeoutNow(Message, frozen=True, tag="TimeoutNow"):
    """Campaign at once, without pre-vote (thesis 3.10)."""


class ReadIndexRequest(Message, frozen=True, tag="ReadIndexRequest"):
    """A follower asks the leader for a read index. context: unique in the sender's incarnation."""

    context: int


class ReadIndexReply(Message, frozen=True, tag="ReadIndexReply"):
    """ok: the follower may answer once it has applied up to `index` (inclusive)."""

    context: int
    ok: bool
    index: Offset


CoreMessage = (
    RequestVote
    | VoteReply
    | AppendEntries
    | AppendReply
    | SnapshotOffer
    | Heartbeat
    | HeartbeatReply
    | TimeoutNow
    | ReadIndexRequest
    | ReadIndexReply
)


class Incarnation(msgspec.Struct, frozen=True, order=True):
    """One run of a member's process: (durable counter, random 64 bits)."""

    number: int
    nonce: int


class Envelope(msgspec.Struct, frozen=True):
    """A message with who sent it to whom.

    to_incarnation: the receiver's incarnation that a reply answers; None in requests. A reply to
    another incarnation moves nothing.
    """

    sender: MemberId
    to: MemberId
    incarnation: Incarnation
    to_incarnation: Incarnation | None
    message: CoreMessage
