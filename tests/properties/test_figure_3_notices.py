"""The watcher of figure 3 notices every breach that it knows of, each made by hand."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import Commit, Persist, ReadReady
from replog_node.raft.events import ReadRequested, Tick
from replog_node.raft.messages import Envelope, Incarnation, VoteReply
from tests.support.figure_3 import Breach, Figure3
from tests.unit.raft.cluster import Cluster, Node, data, framer

TICK = Tick(0)


class Scene:
    """a leads term 2 and has committed (2,3); b and c hold and know it."""

    def __init__(self) -> None:
        self.watched = Figure3()
        self.cluster = Cluster("abc", watcher=self.watched)
        self.a = self.cluster.elect("a")
        self.a.propose()
        self.cluster.run(2)
        self.b = self.cluster["b"]

    def next(self, node: Node, term: int = 2) -> Entry:
        """An entry that nobody wrote, behind a member's log."""
        return framer(data(), Term(term), node.core.tail, 5)

    def led_by_b_without(self, entries: int) -> None:
        """b becomes the leader of term 3 with all but so many entries."""
        self.cluster.elect("b")
        b = self.b
        b.entries = b.entries[: len(b.entries) - 1 - entries]
        self.watched.before(self.a, TICK)
        self.watched._was["b"] = "candidate"
        self.watched.after(b, [])


def _two_votes(scene: Scene) -> None:
    run = Incarnation(1, 7)
    for candidate in ("a", "c"):
        vote = VoteReply(Term(9), True, False, 1)
        scene.watched.posted(Envelope(MemberId("b"), MemberId(candidate), run, run, vote))


def _two_leaders(scene: Scene) -> None:
    scene.watched._leaders[2] = "c"
    scene.watched._was["a"] = "candidate"
    scene.watched.after(scene.a, [])


def _leader_that_cuts(scene: Scene) -> None:
    scene.watched.before(scene.a, TICK)
    scene.watched.after(scene.a, [Persist(99, None, Position(Term(1), Offset(1)), ())])


def _another_history(scene: Scene) -> None:
    forged = replace(scene.a.entries[-1], chain=b"x" * 16)
    scene.watched.before(scene.b, TICK)
    scene.watched.after(scene.b, [Persist(99, None, Position(Term(2), Offset(2)), (forged,))])


def _leader_without_what_was_committed(scene: Scene) -> None:
    scene.led_by_b_without(1)


def _commit_of_nothing(scene: Scene) -> None:
    scene.watched.before(scene.b, TICK)
    scene.watched.after(scene.b, [Commit(Position(Term(2), Offset(50)))])


def _commit_that_no_leader_made(scene: Scene) -> None:
    entry = scene.next(scene.b)
    scene.watched.before(scene.b, TICK)
    scene.watched.after(scene.b, [Persist(99, None, None, (entry,)), Commit(entry.position)])


def _commit_that_is_not_durable(scene: Scene) -> None:
    entry = scene.next(scene.a)
    scene.watched.before(scene.a, TICK)
    scene.watched.after(scene.a, [Persist(99, None, None, (entry,)), Commit(entry.position)])


def _commit_of_an_older_term(scene: Scene) -> None:
    scene.watched.before(scene.a, TICK)
    scene.watched.after(scene.a, [Commit(scene.a.entries[0].position)])


def _commit_of_something_else(scene: Scene) -> None:
    forged = replace(scene.b.entries[-1], chain=b"x" * 16)
    scene.b.entries = [*scene.b.entries[:-1], forged]
    scene.watched.before(scene.b, TICK)
    scene.watched.after(scene.b, [Commit(forged.position)])


def _stale_read(scene: Scene) -> None:
    scene.watched.before(scene.b, ReadRequested(1))
    scene.watched.after(scene.b, [ReadReady(1, Offset(2))])


@pytest.mark.parametrize(
    ("breach", "said"),
    [
        (_two_votes, "b voted for a and c in term 9"),
        (_two_leaders, "both lead term 2"),
        (_leader_that_cuts, "leads and cuts its log"),
        (_another_history, "b holds another history"),
        (_leader_without_what_was_committed, "b leads 3 without"),
        (_commit_of_nothing, "which it doesn't hold"),
        (_commit_that_no_leader_made, "leaders committed"),
        (_commit_that_is_not_durable, "durable at \\[\\] only"),
        (_commit_of_an_older_term, "leads 2 and commits"),
        (_commit_of_something_else, "b commits another history"),
        (_stale_read, "3 was committed before it asked"),
    ],
)
def test_a_breach_is_noticed(breach: Callable[[Scene], None], said: str) -> None:
    scene = Scene()
    with pytest.raises(Breach, match=said):
        breach(scene)
