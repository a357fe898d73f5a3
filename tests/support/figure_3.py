"""What must hold between members, looked at after every step (paper, figure 3; thesis 6.4).

- Election safety: one leader a term, and one vote a member and term, over all its lives.
- Leader append-only: a leader cuts nothing of its own log.
- Log matching: entries of equal term and offset are equal, with everything before them (the chain).
- Commit: a leader commits by an entry of its own term, which lies on the disks of a quorum, of both
  halves while joint, at that very moment (5.4.2; 6).
- Leader completeness: a new leader holds everything that leaders before it had committed.
- State machine safety: nobody commits another entry, or one that no leader had committed.
- Holes: nobody acknowledges what it can't read, unless it is committed already.
- Reads: a read is ready no earlier than at what was committed when it was asked for.

Decides: what is a breach. Must not know: how the core works; it looks at roles, effects and disks.
Read next: ../unit/raft/cluster.py (who calls it), ../properties/test_figure_3.py.
"""

from bisect import bisect_left

from replog_node.model.entries import Entry
from replog_node.model.positions import ORIGIN, Position
from replog_node.model.snapshots import SnapshotMeta
from replog_node.raft.effects import Commit, Effect, InstallSnapshot, Persist, ReadReady, Send
from replog_node.raft.events import Event, ReadRequested
from replog_node.raft.messages import AppendReply, Envelope, RequestVote, VoteReply
from tests.properties.naive import is_quorum
from tests.unit.raft.cluster import Node


class Breach(AssertionError):
    """A property of figure 3 doesn't hold."""


class Figure3:
    """Sees every step of every member of one cluster.

    highest: the furthest commit of any leader, and as it stood in each term.
    """

    def __init__(self) -> None:
        self.highest = ORIGIN
        self._leaders: dict[int, str] = {}
        self._votes: dict[tuple[str, int], str] = {}
        self._chains: dict[tuple[int, int], bytes] = {}
        self._committed: list[tuple[int, bytes]] = []
        self._led: list[tuple[int, Position]] = []
        self._asked: dict[tuple[str, int, int], int] = {}
        self._was: dict[str, str] = {}

    # Called by the cluster.

    def before(self, node: Node, event: Event) -> None:
        """Remember what was committed when a read was asked for."""
        self._was[node.member] = node.core.role
        if isinstance(event, ReadRequested):
            self._asked[node.member, node.life, event.context] = self.highest.offset

    def after(self, node: Node, effects: list[Effect]) -> None:
        """Look at what a member wants to write, to commit and to answer."""
        log = node.entries
        installed: SnapshotMeta | None = None
        for effect in effects:
            match effect:
                case InstallSnapshot(snapshot=snapshot):
                    log, installed = [], snapshot
                case Commit(position=position) if installed and position == installed.position:
                    self._installs(node, installed)
                case Persist():
                    self._written(node, effect)
                    log = _after(log, effect)
                case Commit(position=position):
                    self._commits(node, log, position)
                case Send(message=AppendReply(ok=True, match=match)):
                    self._acknowledges(node, match)
                case ReadReady(context=context, index=index):
                    self._ready(node, context, index)
                case _:
                    pass
        if node.core.role == "leader" and self._was[node.member] != "leader":
            self._elected(node, log)

    def posted(self, envelope: Envelope) -> None:
        """A vote that leaves is given for good."""
        match envelope.message:
            case VoteReply(granted=True, pre=False, term=term):
                self._voted(envelope.sender, term, envelope.to)
            case RequestVote(pre=False, term=term):
                self._voted(envelope.sender, term, envelope.sender)
            case _:
                pass

    # The properties.

    def _voted(self, member: str, term: int, candidate: str) -> None:
        given = self._votes.setdefault((member, term), candidate)
        if given != candidate:
            raise Breach(f"{member} voted for {given} and {candidate} in term {term}")

    def _elected(self, node: Node, log: list[Entry]) -> None:
        term = node.core.term
        if self._leaders.setdefault(term, node.member) != node.member:
            raise Breach(f"{self._leaders[term]} and {node.member} both lead term {term}")
        held = {entry.last: entry for entry in log}
        for led, position in self._led:
            entry = held.get(position.offset)
            begins = position.offset <= node.begins.offset
            if led < term and not begins and (entry is None or entry.position != position):
                raise Breach(f"{node.member} leads {term} without {position}, committed in {led}")

    def _written(self, node: Node, persist: Persist) -> None:
        leads = self._was[node.member] == node.core.role == "leader"
        if leads and persist.truncate_to is not None:
            raise Breach(f"{node.member} leads and cuts its log at {persist.truncate_to}")
        for entry in persist.entries:
            known = self._chains.setdefault((entry.term, entry.last), entry.chain)
            if known != entry.chain:
                raise Breach(f"{node.member} holds another history up to {entry.position}")

    def _commits(self, node: Node, log: list[Entry], position: Position) -> None:
        end = _find(log, position.offset)
        if end is None or end.position != position:
            raise Breach(f"{node.member} commits {position}, which it doesn't hold")
        if node.core.role == "leader":
            self._led_to(node, log, end)
        elif position.offset > self.highest.offset:
            raise Breach(f"{node.member} commits {position}; leaders committed {self.highest}")
        self._agrees(node, position, end.chain)

    def _acknowledges(self, node: Node, match: Position) -> None:
        hole, commit = node.disk.state.first_hole, node.core.status().commit
        if hole is not None and hole <= match.offset and match.offset > commit.offset:
            raise Breach(f"{node.member} acknowledges {match}, it can't read {hole}")

    def _installs(self, node: Node, snapshot: SnapshotMeta) -> None:
        """A log begins anew behind what leaders have committed."""
        if node.core.role == "leader" or snapshot.position.offset > self.highest.offset:
            raise Breach(f"{node.member} installs {snapshot.position}, {self.highest} is committed")
        self._agrees(node, snapshot.position, snapshot.chain)

    def _led_to(self, node: Node, log: list[Entry], end: Entry) -> None:
        if end.term != node.core.term:
            raise Breach(
                f"{node.member} leads {node.core.term} and commits {end.position} , an older term's"
            )
        known = [entry.configuration for entry in log if entry.configuration]
        if node.disk.base is not None:
            known.insert(0, node.disk.base.configuration)
        configuration = known[-1]
        holding: set[str] = {
            other.member for other in node.cluster.nodes.values() if _holds(other, end)
        }
        if not is_quorum(
            holding, set(configuration.voter_ids()), set(configuration.outgoing_ids())
        ):
            raise Breach(f"{node.member} commits {end.position}, durable at {sorted(holding)} only")
        if end.last > self.highest.offset:
            self.highest = end.position
        self._led.append((node.core.term, end.position))

    def _agrees(self, node: Node, end: Position, chain: bytes) -> None:
        offset: int = end.offset
        place = bisect_left(self._committed, offset, key=_offset_of)
        if place < len(self._committed) and self._committed[place][0] == offset:
            if self._committed[place][1] != chain:
                raise Breach(f"{node.member} commits another history up to {end}")
        else:
            self._committed.insert(place, (offset, chain))

    def _ready(self, node: Node, context: int, index: int) -> None:
        needed = self._asked.pop((node.member, node.life, context))
        if index < needed:
            raise Breach(f"{node.member} reads at {index}, {needed} was committed before it asked")


def _holds(node: Node, end: Entry) -> bool:
    """Whether its disk has this entry, or has it in a snapshot, or had it and knows that it did."""
    if node.disk.begins.offset >= end.last:
        return True
    mark = node.disk.state.unproven
    if mark is not None and mark >= end.position and node.core.status().unproven:
        return True
    found = _find(node.disk.entries, end.last)
    return found is not None and found.chain == end.chain


def _offset_of(known: tuple[int, bytes]) -> int:
    return known[0]


def _after(log: list[Entry], persist: Persist) -> list[Entry]:
    end = persist.truncate_to
    kept = [entry for entry in log if end is None or entry.last <= end.offset]
    return [*kept, *persist.entries]


def _find(log: list[Entry], offset: int) -> Entry | None:
    """The entry that ends at this offset."""
    place = bisect_left(log, offset, key=lambda entry: entry.last)
    return log[place] if place < len(log) and log[place].last == offset else None
