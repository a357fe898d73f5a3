"""What a core refuses to live with: each check of invariants.py, broken once by hand."""

from collections.abc import Callable

import pytest

from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.core import Core
from replog_node.raft.events import HardState, PeerDown, Received, Started, Tick
from replog_node.raft.messages import Envelope, Heartbeat, Incarnation, TimeoutNow
from replog_node.raft.state import CoreState
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import LIMITS, Cluster, Disk, founding, framer


def _falling_commit(state: CoreState) -> None:
    state.commit = Position(Term(0), Offset(-1))


def _commit_beyond_the_log(state: CoreState) -> None:
    state.commit = Position(Term(2), Offset(99))


def _durable_beyond_the_log(state: CoreState) -> None:
    state.log.durable = Position(Term(2), Offset(99))


def _leader_that_follows(state: CoreState) -> None:
    state.leader = MemberId("b")


@pytest.mark.parametrize(
    "break_it",
    [
        _falling_commit, _commit_beyond_the_log, _durable_beyond_the_log,
        _leader_that_follows,
    ],
)  # fmt: skip
def test_a_broken_state_is_noticed_in_the_next_step(break_it: Callable[[CoreState], None]) -> None:
    cluster = Cluster("abc")
    core = cluster.elect("a").core
    break_it(core._s)
    with pytest.raises(InvariantViolation):
        core.step(PeerDown(MemberId("b")))


def test_a_term_that_falls_is_noticed_in_the_next_step() -> None:
    b = Cluster("abc")["b"]
    b.hear("a", Heartbeat(Term(9), Offset(-1), 1, 0))
    b.core._s.hard = HardState(Term(8), None)
    with pytest.raises(InvariantViolation, match="term 9"):
        b.tick()


def test_a_disk_with_entries_of_a_later_term_than_its_hard_state_is_not_started_on() -> None:
    disk = Disk([founding("ab")], term=0)
    core = Core(Started(MemberId("a"), Cluster("a")["a"].incarnation, disk.hard, disk.bounds()),
                framer, LIMITS)  # fmt: skip
    with pytest.raises(InvariantViolation):
        core.step(Tick(1))


def test_two_leaders_that_a_follower_hears_in_one_term_are_a_violation() -> None:
    cluster = Cluster("abc")
    b = cluster["b"]
    b.hear("a", Heartbeat(Term(2), Offset(-1), 1, 0))
    with pytest.raises(InvariantViolation, match="both lead term 2"):
        b.hear("c", Heartbeat(Term(2), Offset(-1), 1, 0))


def test_messages_for_somebody_else_move_nothing() -> None:
    b = Cluster("abc")["b"]
    beat = Heartbeat(Term(9), Offset(-1), 1, 0)
    envelope = Envelope(MemberId("c"), MemberId("a"), Incarnation(1, 7), None, beat)
    assert b.step(Received(envelope, 1)) == []
    assert b.core.term == 1


def test_the_runs_of_strangers_are_not_collected() -> None:
    b = Cluster("abc")["b"]
    for number in range(3 * LIMITS.peers_max):
        b.hear(f"stranger-{number}", TimeoutNow(Term(1)))
    assert len(b.core._incarnations) == LIMITS.peers_max
