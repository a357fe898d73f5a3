"""All oracles of one world, and who of them is to see what.

Decides: that. Must not know: what must be true (oracles/, one thing a file).
Read next: oracles/oracle.py, world.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replog_node.driver.wire import decode
from replog_node.raft.messages import CoreMessage, Envelope
from tests.simulation.oracles.appendonly import LeaderAppendOnly
from tests.simulation.oracles.chains import Chains
from tests.simulation.oracles.commits import Commits
from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.completeness import LeaderCompleteness
from tests.simulation.oracles.durable import Durable, kept_by
from tests.simulation.oracles.elections import ElectionSafety
from tests.simulation.oracles.exactly_once import ExactlyOnce
from tests.simulation.oracles.folds import TrueSnapshots
from tests.simulation.oracles.frames import EqualFrames
from tests.simulation.oracles.holes import Holes
from tests.simulation.oracles.joined import JoinedSegments
from tests.simulation.oracles.levels import SpokenLevels
from tests.simulation.oracles.linearizable import Linearizable
from tests.simulation.oracles.liveness import Liveness
from tests.simulation.oracles.machine import StateMachineSafety
from tests.simulation.oracles.matching import LogMatching
from tests.simulation.oracles.memory import NothingForgotten
from tests.simulation.oracles.monotonic import Monotonic
from tests.simulation.oracles.oracle import Broken
from tests.simulation.oracles.outcomes import DefiniteAnswers
from tests.simulation.oracles.parking import Parking, committed_configurations
from tests.simulation.oracles.promises import TrueAcknowledgements
from tests.simulation.oracles.quorum import CommittedOnQuorum
from tests.simulation.oracles.readiness import Readiness
from tests.simulation.oracles.retention import Retention
from tests.simulation.oracles.snapshots import EqualSnapshots
from tests.simulation.oracles.stale_reads import BoundedReads, LocalReads
from tests.simulation.oracles.standins import StandIns
from tests.simulation.oracles.states import EqualStates
from tests.simulation.oracles.targets import TrueTargets
from tests.simulation.oracles.time_reads import TimeReads
from tests.simulation.oracles.unharmed import Unharmed
from tests.simulation.oracles.views import View, look
from tests.simulation.oracles.votes import OneVote
from tests.simulation.oracles.whole_logs import EqualLogs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replog_node.driver.view import ReadView
    from replog_node.model.entries import Entry
    from replog_node.model.positions import MemberId
    from replog_node.model.snapshots import SnapshotMeta
    from replog_node.raft.effects import Persist
    from tests.simulation.clients.history import History, Viewed
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

__all__ = ["Broken", "Checks"]

HEARD = (b"VoteReply", b"RequestVote", b"AppendReply")
"""Of what members send, that which promises something: these names stand in the bytes."""

HEARD_BYTES_MAX = 600
"""None of those is longer; entries and snapshots are."""


class Checks:
    """What a world tells, handed to whom it concerns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.log = CommittedLog()
        self._views: dict[str, View] = {}
        self._durable = Durable()
        self._chains = chains = Chains()
        self._commits = commits = Commits(chains)
        self._elections = ElectionSafety()
        self._matching = LogMatching(chains)
        self._memory = NothingForgotten(chains, commits)
        self._readiness = Readiness(commits)
        self._votes = OneVote()
        self._acknowledgements = TrueAcknowledgements(chains)
        self._levels = SpokenLevels()
        self.retention = Retention()
        self.liveness = Liveness()
        self._stepping = (
            Monotonic(),
            LeaderAppendOnly(chains),
            LeaderCompleteness(chains, commits),
            CommittedOnQuorum(chains, commits, self._durable),
            self.retention,
        )
        self._machine = StateMachineSafety(self.log)
        self._states = EqualStates()
        self._frames = EqualFrames(self.log)
        self._snapshots = EqualSnapshots()
        self._true_snapshots = TrueSnapshots(self.log)
        self._targets = TrueTargets(self.log)
        self._stand_ins = StandIns()
        self._unharmed = Unharmed()
        self._holes = Holes()
        self._joined = JoinedSegments()
        self._parking = Parking()
        self._local_reads = LocalReads(commits)
        self._bounded_reads = BoundedReads()
        self._times = TimeReads(self.log)
        self._whole_logs = EqualLogs()
        self._exactly_once = ExactlyOnce()
        self._answers = DefiniteAnswers()
        self._linearizable = Linearizable()

    @property
    def committed(self) -> list[Entry]:
        """Every entry that was applied anywhere, in order."""
        return self.log.entries

    @property
    def snapshots(self) -> dict[int, SnapshotMeta]:
        """The snapshots that were built, by offset."""
        return self._snapshots.found

    # While it runs.

    def started(self, node: SimNode) -> None:
        """A process runs, on what it found on its disk."""
        if node.storage is None:
            return
        store, left = node.storage.store, self._durable.of(node.member)
        if left is not None:
            damaged = store.unproven is not None
            self._memory.restarted(node.name, left, kept_by(store), damaged=damaged)
        self._unharmed.started(node.name, node.disk, store)
        self._holes.forget(node.name)
        self._readiness.started(node.name)
        self._durable.started(node)
        self._levels.began(node.member, node.speaks)
        self._chains.tips[node.name] = store.tail.chain
        self._views.pop(node.name, None)

    def ended(self, node: SimNode) -> None:
        """A process has died."""
        self._durable.ended(node)

    def stepped(self, node: SimNode) -> None:
        """A member had a turn: look at what has changed."""
        if node.driver is None:
            return
        self._readiness.stepped(
            node.name,
            ready=node.driver._catch_up.done,
            applied=node.driver.applied.offset,
        )
        now, was = look(node.driver), self._views.get(node.name)
        if now == was or now is None:
            return
        self._views[node.name] = now
        if node.storage is not None:
            self._joined.seen(node.name, node.storage.store.segments())
        if was is not None:
            for oracle in self._stepping:
                oracle.stepped(node.name, was, now)
            self._holes.stepped(node.name, was, now)

    def writing(self, node: SimNode, persist: Persist) -> None:
        """A member gives something to its disk."""
        self._matching.writing(node.name, persist)
        if node.driver is not None and node.leads and persist.entries:
            term = node.driver.kernel.term()
            self._levels.appends(node.member, [e for e in persist.entries if e.term == term])

    def hears(self, node: SimNode, of: MemberId, level: int) -> None:
        """A member was told which feature level another one's build speaks."""
        self._levels.hears(node.member, of, level)

    def installing(self, node: SimNode, snapshot: SnapshotMeta) -> None:
        """A member lets its log begin anew behind a snapshot."""
        self._chains.tips[node.name] = snapshot.chain

    def sent(self, node: SimNode, to: MemberId, data: bytes) -> None:
        """A member sends a message."""
        if len(data) > HEARD_BYTES_MAX or not any(name in data for name in HEARD):
            return
        message, kept = decode(data), self._durable.of(node.member)
        if isinstance(message, Envelope) and kept is not None:
            self._votes.sent(node.member, to, message.message, kept)
            self._acknowledgements.sent(node.name, message.message, kept)
            self._sent_with_damage(node, message.message)

    def _sent_with_damage(self, node: SimNode, message: CoreMessage) -> None:
        if node.driver is not None and node.storage is not None:
            self._holes.sent(
                node.name, message,
                commit=node.driver.kernel.committed.offset,
                unproven=node.storage.store.unproven is not None,
            )  # fmt: skip

    def parks(self, node: SimNode) -> None:
        """A member parks as removed, for good."""
        if node.driver is not None:
            self._parking.parks(
                node.name, node.member, committed_configurations(node.driver, self.log)
            )

    def released(self, node: SimNode, start: int) -> None:
        """A member has let go of what is before this offset."""
        self._stand_ins.released(node.name, node.disk, start)

    def set(self, operation: str) -> None:
        """An operator was told that this target is set."""
        self._targets.answered(operation)

    def met(self, node: SimNode, problem: Exception) -> None:
        """A member met this on its disk, at its start or while it read."""
        self._unharmed.found(node.name, node.disk, problem)

    def leader(self, node: str, term: int) -> None:
        """A member became leader."""
        self._elections.led(node, term)

    def applied(self, node: str, entry: Entry) -> None:
        """A member has applied an entry."""
        self._machine.applied(node, entry)
        self._times.applied(node, entry)

    def state(self, node: str, offset: int, digest: bytes) -> None:
        """A member's state at an offset."""
        self._states.reached(node, offset, digest)

    def snapshot(self, node: str, snapshot: SnapshotMeta) -> None:
        """A member has built a snapshot."""
        self._snapshots.built(node, snapshot)
        self._true_snapshots.built(node, snapshot)

    def page(self, node: str, at: int, entries: tuple[Entry, ...]) -> None:
        """A member gave a page of the log."""
        self._frames.page(node, at, entries)

    def trimmed(self, node: str, at: int, log_start: int) -> None:
        """A member refused to read at an offset, and told where its log begins."""
        self.retention.refused(node, at, log_start)

    def viewed(self, view: Viewed) -> None:
        """A member has shown its log without asking others, or within a bound."""
        self._local_reads.viewed(view)

    def from_time(self, node: str, view: ReadView, time_ms: int, offset: int) -> None:
        """A member said where in its view a time begins."""
        self._times.found(node, view, time_ms, offset)

    # At the end.

    def whole_log(self, node: SimNode, entries: Sequence[Entry], *, first: int, last: int) -> None:
        """This is all of a member's log."""
        self._whole_logs.shown(node.name, entries, first=first, last=last)

    def values(self) -> dict[bytes, list[int]]:
        """Every value in the committed log, with its offsets."""
        return self.log.values()

    def history(self, history: History) -> None:
        """Everything that clients did, and were told."""
        values = self.values()
        self._exactly_once.check(history, values)
        self._answers.check(history, values)
        self._linearizable.check(history, values)
        self._bounded_reads.check(history)
