"""All oracles of one world, and who of them is to see what.

Decides: that. Must not know: what must be true (oracles/, one thing a file).
Read next: oracles/oracle.py, world.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.oracles.committed import CommittedLog
from tests.simulation.oracles.elections import ElectionSafety
from tests.simulation.oracles.exactly_once import ExactlyOnce
from tests.simulation.oracles.frames import EqualFrames
from tests.simulation.oracles.linearizable import Linearizable
from tests.simulation.oracles.machine import StateMachineSafety
from tests.simulation.oracles.oracle import Broken
from tests.simulation.oracles.outcomes import DefiniteAnswers
from tests.simulation.oracles.snapshots import EqualSnapshots
from tests.simulation.oracles.states import EqualStates

if TYPE_CHECKING:
    from replog_node.model.entries import Entry
    from replog_node.model.snapshots import SnapshotMeta
    from tests.simulation.clients.history import History
    from tests.simulation.world import World

__all__ = ["Broken", "Checks"]


class Checks:
    """What a world tells, handed to whom it concerns."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.log = CommittedLog()
        self._elections = ElectionSafety()
        self._machine = StateMachineSafety(self.log)
        self._states = EqualStates()
        self._frames = EqualFrames(self.log)
        self._snapshots = EqualSnapshots()
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

    def leader(self, node: str, term: int) -> None:
        """A member became leader."""
        self._elections.led(node, term)

    def applied(self, node: str, entry: Entry) -> None:
        """A member has applied an entry."""
        self._machine.applied(node, entry)

    def state(self, node: str, offset: int, digest: bytes) -> None:
        """A member's state at an offset."""
        self._states.reached(node, offset, digest)

    def snapshot(self, node: str, snapshot: SnapshotMeta) -> None:
        """A member has built a snapshot."""
        self._snapshots.built(node, snapshot)

    def page(self, node: str, at: int, entries: tuple[Entry, ...]) -> None:
        """A member gave a page of the log."""
        self._frames.page(node, at, entries)

    # At the end.

    def values(self) -> dict[bytes, list[int]]:
        """Every value in the committed log, with its offsets."""
        return self.log.values()

    def history(self, history: History) -> None:
        """Everything that clients did, and were told."""
        values = self.values()
        self._exactly_once.check(history, values)
        self._answers.check(history, values)
        self._linearizable.check(history, values)
