"""Section 7 and figure 13: snapshots, and what InstallSnapshot does to its receiver.

The chunks of figure 13 (steps 2 to 4) travel beside the core: it hears of a snapshot that has
arrived whole (SnapshotFetched), which is where steps 5 to 8 begin.
"""

from replog_node.model.configuration import Configuration
from replog_node.model.positions import Offset, Position, Term
from replog_node.raft.effects import Commit, ConfigurationActive, FetchSnapshot, InstallSnapshot
from replog_node.raft.events import HardState, SnapshotFetched
from replog_node.raft.messages import AppendEntries, AppendReply, SnapshotOffer
from tests.unit.raft.cluster import Cluster, Node, data, members, messages, snapshot_at


def at(term: int, offset: int) -> Position:
    return Position(Term(term), Offset(offset))


def follower(last: int = 1) -> Node:
    """Follows b in term 2, holds entries of term 2 up to `last`."""
    cluster = Cluster("abc")
    node = cluster["a"]
    for _ in range(last - 1):
        entry = cluster.framer(data(), Term(2), node.disk.bounds().tail, 0)
        node.disk.entries.append(entry)
    node.disk.hard = HardState(Term(2), None)
    node.start()
    return node


SNAPSHOT = snapshot_at(at(2, 5), Configuration(members("abcd")), 4, b"5" * 16)


def offered(node: Node) -> None:
    """Its leader offers SNAPSHOT."""
    node.hear("b", SnapshotOffer(Term(2), 1, SNAPSHOT))


def test_step_1_an_older_term_is_answered_at_once_and_nothing_is_fetched() -> None:
    node = follower()
    effects = node.hear("b", SnapshotOffer(Term(1), 1, SNAPSHOT))
    (reply,) = messages(effects, AppendReply)
    assert (reply.term, reply.ok) == (2, False)
    assert node.said(FetchSnapshot) == []


def test_step_6_entries_behind_the_snapshot_are_retained_if_its_last_entry_is_in_the_log() -> None:
    node = follower(last=8)
    node.step(SnapshotFetched(SNAPSHOT))
    assert node.said(InstallSnapshot) == []
    assert node.core.status().last == at(2, 8)
    effects = node.hear("b", SnapshotOffer(Term(2), 1, SNAPSHOT))
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.match) == (True, at(2, 5))
    assert node.core.status().last == at(2, 8)


def test_step_7_otherwise_the_entire_log_is_discarded() -> None:
    node = follower(last=3)
    offered(node)
    node.fetched()
    status = node.core.status()
    assert (status.start, status.last) == (at(2, 5), at(2, 5))
    assert [node.core.term_at(Offset(offset)) for offset in (3, 4, 5, 6)] == [None, None, 2, None]


def test_step_8_the_state_is_the_snapshots_and_so_is_the_configuration() -> None:
    node = follower(last=3)
    offered(node)
    effects = node.fetched()
    assert InstallSnapshot(node.ticket + 1, SNAPSHOT) in effects
    assert Commit(SNAPSHOT.position) in effects
    assert ConfigurationActive(Offset(4), SNAPSHOT.configuration) in effects
    assert node.core.configuration == SNAPSHOT.configuration


def test_the_first_entry_behind_a_snapshot_is_checked_against_its_index_and_term() -> None:
    """7: they are kept to support the consistency check of AppendEntries."""
    node = follower(last=3)
    offered(node)
    node.fetched()
    entry = node.cluster.framer(data(), Term(2), SNAPSHOT.tail, 0)
    wrong = AppendEntries(Term(2), 2, at(1, 5), Offset(5), (entry,))
    (reply,) = messages(node.hear("b", wrong), AppendReply)
    assert not reply.ok
    right = AppendEntries(Term(2), 2, at(2, 5), Offset(5), (entry,))
    (reply,) = messages(node.hear("b", right), AppendReply)
    assert (reply.ok, reply.match) == (True, at(2, 6))


def test_a_leader_sends_a_snapshot_only_when_it_has_discarded_the_next_entry_to_send() -> None:
    """7: fortunately, this situation is unlikely in normal operation."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("b")
    leader.propose()
    cluster.isolate("c")
    leader.forget()
    cluster.heal()
    cluster.run(2)
    leader.keep(2)
    leader.propose()
    cluster.run(2)
    assert messages(leader.effects, SnapshotOffer) == []
    cluster.isolate("c")
    leader.propose()
    cluster.run(2)
    leader.keep(leader.core.status().commit.offset)
    cluster.heal()
    cluster.run(2)
    assert {m.snapshot for m in messages(leader.effects, SnapshotOffer)} == {leader.disk.base}


def test_a_server_restarts_from_its_snapshot_which_covers_committed_entries_only() -> None:
    """7: so that its last index is committed, and its configuration is in force."""
    node = follower(last=8)
    node.disk.keep(5, 5)
    node.start()
    status = node.core.status()
    assert (status.commit, status.start, status.last) == (at(2, 5), at(2, 5), at(2, 8))
    assert status.configuration is not None
