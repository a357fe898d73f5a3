"""Figure 2: AppendEntries, and the leader's rules; 5.3 and 5.4."""

import pytest

from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.effects import Commit
from replog_node.raft.messages import AppendEntries, AppendReply, Heartbeat
from replog_node.raft.violation import InvariantViolation
from tests.unit.raft.cluster import LIMITS, Cluster, Node, messages


def append(term: int, prev: tuple[int, int], commit: int = -1) -> AppendEntries:
    """An AppendEntries without entries."""
    position = Position(Term(prev[0]), Offset(prev[1]))
    return AppendEntries(Term(term), 1, position, Offset(commit), ())


def answer(node: Node) -> AppendReply:
    """The last answer to AppendEntries."""
    return messages(node.effects, AppendReply)[-1]


def deposed() -> tuple[Cluster, Node]:
    """Three members; a wrote two entries that nobody has, b leads the next term."""
    cluster = Cluster("abc")
    a = cluster.elect("a")
    cluster.isolate("a")
    a.propose()
    a.propose()
    cluster.deliver()
    cluster.elect("b").propose()
    cluster.deliver()
    return cluster, a


def test_a_leader_of_an_older_term_is_refused() -> None:
    """AppendEntries 1: reply false if term < currentTerm."""
    cluster = Cluster("abc")
    cluster.elect("a")
    b = cluster["b"]
    b.hear("c", append(1, (1, 1)))
    assert (answer(b).ok, answer(b).term) == (False, 2)


@pytest.mark.parametrize("prev", [(2, 9), (1, 2), (3, 2)])
def test_entries_are_refused_where_the_predecessor_is_missing(prev: tuple[int, int]) -> None:
    """AppendEntries 2: reply false if the log has no entry at prevLogIndex with prevLogTerm."""
    cluster = Cluster("abc")
    cluster.elect("a")
    b = cluster["b"]
    b.hear("a", append(2, prev), run=1)
    assert not answer(b).ok


def test_conflicting_entries_are_deleted_with_all_that_follow() -> None:
    """AppendEntries 3."""
    cluster, a = deposed()
    cluster.heal()
    cluster.run(5)
    assert a.log() == cluster["b"].log()
    assert (2, 3) not in a.log() and (2, 4) not in a.log()


def test_entries_that_are_there_already_are_not_written_again() -> None:
    """AppendEntries 4: append new entries *not already in the log*; 5.5: idempotent."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    leader.propose()
    sent = [m for m in messages(leader.effects, AppendEntries) if m.entries][-1]
    cluster.deliver()
    b = cluster["b"]
    before = b.log()
    b.hear("a", sent, run=1)
    cluster.deliver()
    assert b.log() == before and answer(b).ok


def test_a_late_shorter_message_cuts_nothing_off() -> None:
    """AppendEntries 3 and 4: what agrees stays, also behind the message's end (etcd-raft)."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    leader.propose()
    first = [m for m in messages(leader.effects, AppendEntries) if m.entries][-1]
    cluster.deliver()
    leader.propose()
    cluster.deliver()
    b = cluster["b"]
    before = b.log()
    b.hear("a", first, run=1)
    cluster.deliver()
    assert b.log() == before


def test_a_follower_commits_no_further_than_what_it_has_of_the_leaders_log() -> None:
    """AppendEntries 5: commitIndex = min(leaderCommit, index of last new entry)."""
    cluster = Cluster("abc")
    cluster.elect("a")
    b = cluster["b"]
    b.forget()
    b.hear("a", append(2, (2, 2), commit=50), run=1)
    assert b.core.status().commit.offset == 2


def test_the_next_entry_is_tried_lower_until_logs_agree() -> None:
    """Leaders: if AppendEntries fails because of inconsistency, decrement nextIndex and retry."""
    cluster, a = deposed()
    cluster.heal()
    cluster.run(5)
    assert cluster.leader is not a
    for node in cluster.nodes.values():
        assert node.log() == cluster.leader.log()


def test_an_entry_is_committed_once_a_majority_holds_it() -> None:
    """Leaders: N > commitIndex, a majority of matchIndex ≥ N."""
    cluster = Cluster("abcde")
    leader = cluster.elect("a")
    for name in "cde":
        cluster.isolate(name)
    leader.propose()
    cluster.deliver()
    assert leader.core.status().commit.offset == 2
    cluster.heal()
    cluster.isolate("d")
    cluster.isolate("e")
    cluster.run(LIMITS.resend_ticks + 2)
    assert leader.core.status().commit.offset == 3


def test_half_of_the_members_is_no_majority() -> None:
    """5.2, 5.3: a majority is more than half, for commits and for elections."""
    cluster = Cluster("abcd")
    leader = cluster.elect("a")
    cluster.isolate("c")
    cluster.isolate("d")
    leader.propose()
    cluster.deliver()
    assert leader.core.status().progress[cluster["b"].member].match.offset == 3
    assert leader.core.status().commit.offset == 2
    cluster.run(6 * LIMITS.election_ticks)
    assert all(node.core.role != "leader" for node in cluster.nodes.values())


def test_an_older_terms_entry_is_not_committed_by_counting() -> None:
    """Leaders: … and log[N].term == currentTerm (5.4.2, figure 8)."""
    cluster = Cluster("abc")
    a = cluster.elect("a")
    cluster.doubtful = lambda envelope: isinstance(envelope.message, AppendReply)
    a.propose()
    cluster.deliver()
    assert (2, 3) in cluster["b"].log() and (2, 3) in cluster["c"].log()
    cluster.crash("a")
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries) and e.message.entries != ()
    cluster.run_until(lambda: any(cluster[name].core.role == "leader" for name in "bc"))
    cluster.run(3)
    leader = cluster.leader
    other = next(name for name in "bc" if name != leader.member)
    status = leader.core.status()
    assert status.progress[cluster[other].member].match == (2, 3), "two of three hold it, durably"
    assert status.commit.offset == 2, "of an older term: not committed"
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.resend_ticks + 2)
    assert leader.core.status().commit == leader.core.tail.position, "its own term's commits it"


def test_there_is_one_leader_a_term() -> None:
    """Figure 3, election safety: a second one that claims the term stops the member."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    with pytest.raises(InvariantViolation):
        leader.hear("b", Heartbeat(Term(2), Offset(-1), 1, 0))


def test_a_leader_never_overwrites_its_own_log() -> None:
    """Figure 3, leader append-only."""
    cluster, _ = deposed()
    b = cluster["b"]
    before = b.log()
    cluster.heal()
    cluster.run(10)
    assert b.log()[: len(before)] == before


def test_equal_index_and_term_means_equal_logs_up_to_there() -> None:
    """Figure 3, log matching."""
    cluster, _ = deposed()
    cluster.heal()
    cluster.run(10)
    frames = [[entry.frame for entry in node.disk.entries] for node in cluster.nodes.values()]
    assert frames[0] == frames[1] == frames[2]


def test_a_candidate_without_all_committed_entries_is_not_elected() -> None:
    """Figure 3, leader completeness (5.4.1)."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster.isolate("c")
    leader.propose()
    cluster.deliver()
    cluster.crash("a")
    cluster.heal()
    cluster.run(6 * LIMITS.election_ticks)
    assert cluster.leader.member == "b"


def test_a_leader_that_would_cut_committed_entries_stops_the_member() -> None:
    """Figure 3, state machine safety: never another entry at a committed index."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    leader.propose()
    cluster.run(2)
    b = cluster["b"]
    forged = cluster.leader.disk.entries[0]
    entry = type(forged)(
        base=Offset(2), last=Offset(9), term=Term(9), append_time_ms=0, chain=b"x" * 16, frame=b"x"
    )
    message = AppendEntries(Term(9), 1, Position(Term(1), Offset(1)), Offset(-1), (entry,))
    with pytest.raises(InvariantViolation, match="would cut"):
        b.hear("c", message)


def test_a_crashed_follower_catches_up_without_end() -> None:
    """5.5: the leader retries indefinitely; restarts complete it."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster.crash("c")
    for _ in range(20):
        leader.propose()
        cluster.run()
    cluster.restart("c")
    cluster.run(5)
    assert cluster["c"].log() == leader.log()


def test_an_acknowledgement_counts_for_the_log_it_was_given_for_only() -> None:
    """Leaders: matchIndex; an answer about a position outside the leader's log moves nothing."""
    cluster = Cluster("abc")
    leader = cluster.elect("a")
    cluster.doubtful = lambda envelope: envelope.sender == "a"
    leader.propose()
    cluster.deliver()
    leader.forget()
    leader.hear("b", AppendReply(Term(2), 1, True, Position(Term(7), Offset(3)), ORIGIN))
    assert leader.said(Commit) == []
