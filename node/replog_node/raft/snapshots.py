"""How a member that lacks what nobody has any more begins at a snapshot (paper, section 7).

The leader offers, the member fetches beside the core, and the log begins anew. The paper pushes the
bytes within the call; here the core only knows what is wanted, and when it is there.

Decides: whether an offered or fetched snapshot is needed, and what is answered when.
Must not know: a snapshot's bytes, how they travel.
Read next: follower.py, replication.py (the leader's side), state.py (install).
"""

from replog_node.model.positions import Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import FetchSnapshot
from replog_node.raft.messages import AppendReply, Envelope, SnapshotOffer
from replog_node.raft.state import CoreState
from replog_node.raft.violation import InvariantViolation


class Snapshots:
    """A member's side: what it is offered, what it has fetched, what it keeps."""

    def __init__(self, state: CoreState) -> None:
        self._s = state
        self._asked: tuple[Envelope, SnapshotOffer] | None = None

    def offered(self, envelope: Envelope, offer: SnapshotOffer) -> None:
        """The leader can't send what is missing here; say so if it isn't, else fetch it."""
        position = offer.snapshot.position
        if self._holds(position):
            self._s.commit_to(position)
            self._reply(envelope, offer)
        else:
            self._asked = (envelope, offer)
            self._s.emit(FetchSnapshot(offer.snapshot, envelope.sender))

    def fetched(self, snapshot: SnapshotMeta) -> None:
        """It is here, whoever offered it: what it holds is committed in any term.

        If the log has come to hold S meanwhile, everything behind S stays (figure 13, step 6).
        """
        if self._holds(snapshot.position):
            return
        self._s.install(snapshot)
        asked, self._asked = self._asked, None
        if asked is None or asked[1].term != self._s.term or asked[1].snapshot != snapshot:
            return  # the leader of today asks for itself
        self._reply(*asked)

    def kept(self, base: SnapshotMeta, start: Position) -> None:
        """The storage has let go of what lies at or below start; base is what is offered from now.

        Any role's: a leader offers it, everybody else may come to lead.
        """
        s = self._s
        if not start.offset <= base.position.offset <= s.commit.offset:
            raise InvariantViolation(
                f"base {base.position} for a log from {start} on, {s.commit} is committed"
            )
        s.base = base
        s.log.release(start)

    def _holds(self, position: Position) -> bool:
        """Whether everything up to S is here: matched by the log, or committed before.

        A snapshot that says otherwise of what is committed here is of another history, and whoever
        took it for held would hide that (openraft #1892).
        """
        s = self._s
        if s.log.has(position):
            return True
        if s.log.start.offset <= position.offset <= s.commit.offset:
            raise InvariantViolation(f"a snapshot at {position}, but {s.commit} is committed here")
        return position.offset <= s.commit.offset

    def _reply(self, envelope: Envelope, offer: SnapshotOffer) -> None:
        s = self._s
        match = max(offer.snapshot.position, s.log.start, key=lambda position: position.offset)
        reply = AppendReply(s.term, offer.session, True, match, match, s.disk.full)
        ticket = max(s.hard_ticket, s.log.ticket_for(match.offset))
        s.send(envelope.sender, reply, after_ticket=ticket, answering=envelope.incarnation)
