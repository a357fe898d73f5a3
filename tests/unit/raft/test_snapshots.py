"""A log that begins at a snapshot, and how a member comes to it (paper, section 7)."""

import pytest

from replog_node.model.configuration import Configuration
from replog_node.model.positions import ORIGIN, MemberId, Offset, Position, Term
from replog_node.raft.effects import (
    Commit,
    ConfigurationActive,
    FetchSnapshot,
    InstallSnapshot,
    Persist,
    RoleChanged,
)
from replog_node.raft.events import SnapshotFetched, SnapshotKept
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    RequestVote,
    SnapshotOffer,
    VoteReply,
)
from replog_node.raft.violation import InvariantViolation
from tests.support.figure_3 import Figure3
from tests.unit.raft.cluster import (
    LIMITS,
    Cluster,
    Node,
    data,
    messages,
    sends,
    snapshot_at,
    target,
)


def at(term: int, offset: int) -> Position:
    return Position(Term(term), Offset(offset))


def trimmed(*, fetching: bool = True) -> tuple[Cluster, Node, Node]:
    """a leads, its log begins behind 6; c was away since 2, is back, and isn't heard yet."""
    cluster = Cluster("abc", watcher=Figure3())
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("c")
    for _ in range(6):
        a.propose()
    cluster.run(2)
    a.keep(6)
    cluster.fetching = fetching
    for node in cluster.nodes.values():
        node.forget()
    return cluster, a, cluster["c"]


def waiting() -> tuple[Cluster, Node, Node]:
    """As trimmed; c wants the snapshot."""
    cluster, a, c = trimmed(fetching=False)
    cluster.heal()
    cluster.run(2)
    assert c.wanted is not None
    return cluster, a, c


def state(leader: Node, member: str) -> tuple[str, int]:
    """What a leader knows: state and match."""
    progress = leader.core.status().progress[MemberId(member)]
    return progress.state, progress.match.offset


# From offer to install.


def test_a_follower_below_the_leaders_start_begins_at_the_snapshot_and_goes_on_behind_it() -> None:
    cluster, a, c = trimmed()
    cluster.heal()
    cluster.run(3)
    assert c.said(FetchSnapshot)
    assert c.log() == [(2, 7), (2, 8)]
    assert c.core.status().start == at(2, 6)
    assert c.core.status().commit == at(2, 8)
    assert state(a, "c") == ("replicate", 8)


def test_an_install_is_one_list_of_effects_with_configuration_and_commit() -> None:
    _, _, c = waiting()
    effects = c.fetched()
    assert [type(effect) for effect in effects[:3]] == [
        InstallSnapshot, ConfigurationActive, Commit,
    ]  # fmt: skip
    assert effects[2] == Commit(at(2, 6))
    assert c.core.configuration is not None


def test_the_answer_waits_until_the_install_is_durable() -> None:
    cluster, a, c = waiting()
    c.disk.stalled = True
    c.fetched()
    cluster.run(3)
    assert state(a, "c")[0] == "snapshot"
    assert c.core.status().durable == ORIGIN
    c.disk.stalled = False
    cluster.run(2)
    assert state(a, "c") == ("replicate", 8)


def test_the_offer_is_repeated_while_nobody_answers_and_the_fetch_just_goes_on() -> None:
    cluster, a, c = waiting()
    a.forget()
    c.forget()
    cluster.run(2 * LIMITS.election_ticks)
    assert len(messages(a.effects, SnapshotOffer)) == 2
    assert len(c.said(FetchSnapshot)) == 2
    assert messages(a.effects, AppendEntries) == []


def test_a_lost_offer_comes_again() -> None:
    cluster, a, c = trimmed()
    cluster.doubtful = lambda e: isinstance(e.message, SnapshotOffer)
    cluster.heal()
    cluster.run(3)
    assert c.wanted is None
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.election_ticks + 2)
    assert state(a, "c") == ("replicate", 8)


def test_whoever_has_it_already_says_so_and_fetches_nothing() -> None:
    cluster, a, _ = trimmed()
    b = cluster["b"]
    assert a.disk.base is not None
    (reply,) = messages(
        b.hear("a", SnapshotOffer(a.core.term, 99, a.disk.base), run=1), AppendReply
    )
    assert (reply.ok, reply.match, reply.session) == (True, at(2, 6), 99)
    assert b.said(FetchSnapshot) == []


def test_an_offer_of_what_the_log_holds_commits_it() -> None:
    cluster, a = _apart()
    b = cluster["b"]
    cluster.isolate("b")
    snapshot = a.keep(3)
    assert b.core.status().commit.offset < 3 == b.core.status().last.offset
    b.hear("a", SnapshotOffer(a.core.term, 9, snapshot), run=1)
    assert b.core.status().commit == at(2, 3)
    assert b.core.status().start == ORIGIN


def test_an_offer_of_what_lies_below_the_start_is_answered_with_the_start() -> None:
    cluster, a, _ = trimmed()
    b = cluster["b"]
    older = snapshot_at(at(2, 4), members_of(b))
    b.keep(6)
    effects = b.hear("a", SnapshotOffer(a.core.term, 9, older), run=1)
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.match) == (True, at(2, 6))
    assert b.wanted is None


def members_of(node: Node) -> Configuration:
    """The configuration that it has in force."""
    assert node.core.configuration is not None
    return node.core.configuration


def _apart() -> tuple[Cluster, Node]:
    """b holds 3 and doesn't know that it is committed."""
    cluster = Cluster("abc", watcher=Figure3())
    a = cluster.elect("a")
    cluster.run(2)
    a.propose()
    while a.core.status().commit.offset < 3:
        assert cluster.move()
    cluster.flying.clear()
    return cluster, a


# What is stale.


def test_an_offer_of_an_older_term_is_refused() -> None:
    _, a, c = trimmed()
    assert a.disk.base is not None
    c.hear("b", RequestVote(Term(7), at(6, 99), False, True, 1))
    effects = c.hear("a", SnapshotOffer(a.core.term, 9, a.disk.base), run=1)
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.term) == (False, 7)
    assert c.wanted is None


def test_an_answer_of_an_older_session_moves_nothing() -> None:
    _, a, _ = waiting()
    a.hear("c", AppendReply(a.core.term, 1, True, at(2, 6), at(2, 6)), run=1)
    assert state(a, "c")[0] == "snapshot"


def test_what_was_fetched_when_the_log_holds_it_already_changes_nothing() -> None:
    cluster, a, _ = trimmed()
    b = cluster["b"]
    assert a.disk.base is not None
    assert b.step(SnapshotFetched(a.disk.base)) == []
    assert b.log()[-1] == (2, 8)


def test_an_older_snapshot_than_the_one_offered_last_does_not_answer_that_offer() -> None:
    cluster, a, c = waiting()
    first = c.wanted
    assert first is not None
    a.keep(8)
    cluster.run(LIMITS.election_ticks)
    assert c.wanted is not None
    assert c.wanted.snapshot.position == at(2, 8)
    effects = c.step(SnapshotFetched(first.snapshot))
    assert c.core.status().last == at(2, 6)
    assert messages(effects, AppendReply) == []
    cluster.fetching = True
    cluster.run(LIMITS.election_ticks + 2)
    assert state(a, "c") == ("replicate", 8)


def test_an_offer_of_a_newer_term_makes_its_sender_the_leader_at_once() -> None:
    _, a, c = trimmed()
    assert a.disk.base is not None
    effects = c.hear("b", SnapshotOffer(Term(9), 1, a.disk.base))
    roles = [effect for effect in effects if isinstance(effect, RoleChanged)]
    assert [(role.term, role.leader) for role in roles] == [(9, "b")]


def test_a_fetched_snapshot_is_installed_though_its_leader_is_gone() -> None:
    cluster, _, c = waiting()
    cluster.isolate("c")
    c.hear("b", RequestVote(Term(9), at(8, 99), False, True, 1))
    cluster.deliver()
    c.forget()
    effects = c.fetched()
    assert [e for e in effects if isinstance(e, InstallSnapshot)]
    assert messages(effects, AppendReply) == []
    assert c.core.status().commit == at(2, 6)


def test_a_broken_connection_begins_anew_and_leads_to_the_same_offer() -> None:
    cluster, a, c = waiting()
    cluster.isolate("c")
    cluster.run()
    cluster.heal()
    cluster.run(2)
    cluster.fetching = True
    cluster.run(LIMITS.election_ticks + 2)
    assert state(a, "c") == ("replicate", 8)
    assert c.log()[-1] == (2, 8)


# What an install replaces, and what it doesn't.


def test_a_tail_that_is_not_the_leaders_is_gone_after_an_install() -> None:
    cluster = Cluster("abc", watcher=Figure3())
    c = cluster.elect("c")
    cluster.run(2)
    cluster.isolate("c")
    for _ in range(8):
        c.propose()
    cluster.deliver()
    assert c.log()[-1] == (2, 10)
    a = cluster.elect("a", still="c")
    for _ in range(3):
        a.propose()
    cluster.run(2)
    a.keep(5)
    cluster.heal()
    cluster.run(5)
    assert c.log() == [(3, 6)]
    assert c.core.status().commit == at(3, 6)
    assert c.core.status().durable == at(3, 6)


def test_writes_before_an_install_do_not_count_as_durable_afterwards() -> None:
    cluster, _, c = waiting()
    c.disk.stalled = True
    (late,) = [entry for entry in cluster["b"].entries if entry.last == 3]
    c.hear("a", AppendEntries(c.core.term, 77, at(2, 2), Offset(-1), (late,)), run=1)
    c.fetched()
    c.persist_one()
    assert c.core.status().durable == ORIGIN
    c.persist_one()
    assert c.core.status().durable == at(2, 6)


def test_a_crash_within_an_install_leaves_the_old_log_and_it_is_offered_again() -> None:
    cluster, a, c = waiting()
    c.disk.stalled = True
    c.fetched()
    cluster.crash("c")
    c.disk.stalled = False
    cluster.restart("c")
    assert c.core.status().last == at(2, 2)
    cluster.fetching = True
    cluster.run(LIMITS.election_ticks + 3)
    assert state(a, "c") == ("replicate", 8)


def test_entries_that_reach_below_the_start_are_taken_from_the_start_on() -> None:
    cluster, a, _ = trimmed()
    b = cluster["b"]
    entries = tuple(b.entries)
    b.keep(6)
    before = [entry for entry in entries if entry.last <= 4][-1]
    more = tuple(entry for entry in entries if entry.base > 4)
    (send,) = sends(
        b.hear("a", AppendEntries(a.core.term, 9, before.position, Offset(8), more), run=1),
        AppendReply,
    )
    assert isinstance(send.message, AppendReply)
    assert (send.message.ok, send.message.match) == (True, at(2, 8))
    assert b.said(Persist) == []


def test_entries_that_all_lie_below_the_start_are_answered_with_the_start() -> None:
    cluster, a, _ = trimmed()
    b = cluster["b"]
    entries = tuple(b.entries)
    b.keep(6)
    before = [entry for entry in entries if entry.last <= 2][-1]
    some = tuple(entry for entry in entries if 2 < entry.base <= 4)
    effects = b.hear("a", AppendEntries(a.core.term, 9, before.position, Offset(8), some), run=1)
    (reply,) = messages(effects, AppendReply)
    assert (reply.ok, reply.match) == (True, at(2, 6))


def test_a_leader_goes_on_where_a_follower_says_that_its_log_begins() -> None:
    """Its own knowledge was older: the follower began at a snapshot that an earlier leader sent."""
    cluster, a, c = waiting()
    c.fetched()
    cluster.deliver()
    progress = a.core.status().progress[MemberId("c")]
    assert (progress.state, progress.next) == ("replicate", 9)


def test_the_configuration_in_force_is_the_snapshots_and_it_is_what_is_offered_on() -> None:
    cluster = Cluster("abc", others="x", watcher=Figure3())
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("c")
    a.aim(target("acx", "op-1", a.core.status().configuration_offset))
    cluster.run_until(lambda: "leave-joint" in cluster.changes())
    a.keep(a.core.status().commit.offset)
    cluster.heal()
    c = cluster["c"]
    cluster.run_until(lambda: bool(c.said(InstallSnapshot)))
    status = c.core.status()
    assert status.configuration == a.core.configuration
    assert status.configuration_offset == a.core.status().configuration_offset
    assert status.base == a.disk.base


def test_a_leader_without_a_snapshot_offers_the_one_that_it_gets_later() -> None:
    cluster = Cluster("abc")
    a = cluster.elect("a")
    cluster.run(2)
    cluster.isolate("c")
    a.propose()
    a.aim(target("abc", "op-1", a.core.status().configuration_offset))
    cluster.run(2)
    a.keep(3)
    cluster.crash("a")
    base, a.disk.base = a.disk.base, None
    a = cluster.restart("a")
    cluster.elect("a")
    cluster.fetching = False
    cluster.heal()
    cluster.run(5)
    c = cluster["c"]
    assert (c.wanted, state(a, "c")[0]) == (None, "snapshot")
    assert base is not None
    a.step(SnapshotKept(base, at(2, 3)))
    cluster.run(2)
    assert c.wanted is not None


# Votes, and beginning there after a restart.


def test_a_member_that_waits_for_a_snapshot_votes() -> None:
    cluster, _, _ = waiting()
    cluster.isolate("a")
    b = cluster.elect("b")
    assert b.core.term == 3


def test_a_member_starts_where_its_snapshot_says() -> None:
    cluster, _, _ = trimmed()
    cluster.crash("a")
    a = cluster.restart("a")
    status = a.core.status()
    assert (status.start, status.commit, status.last) == (at(2, 6), at(2, 6), at(2, 8))
    assert status.configuration is not None
    assert status.configuration_offset == 1
    assert (a.core.term_at(Offset(5)), a.core.term_at(Offset(6))) == (None, 2)


def test_a_member_whose_log_is_empty_behind_its_snapshot_leads_and_appends() -> None:
    cluster = Cluster("a", watcher=Figure3())
    a = cluster.elect("a")
    a.propose()
    cluster.run(1)
    a.keep(3)
    cluster.crash("a")
    a = cluster.restart("a")
    assert a.core.status().last == at(2, 3)
    cluster.run_until(lambda: a.core.admitting is None)
    a.propose(data(2))
    cluster.run()
    assert a.log() == [(3, 4), (3, 6)]


def test_a_new_leader_offers_what_it_has_kept() -> None:
    cluster, _, c = trimmed(fetching=False)
    cluster["b"].keep(4)
    cluster.isolate("a")
    for end in ("a",):
        cluster.cut = {link for link in cluster.cut if end in link}
    b = cluster.elect("b")
    cluster.run(2)
    assert c.wanted is not None
    assert c.wanted.snapshot.position == at(2, 4)
    assert c.wanted.source == b.member


def test_what_is_kept_lies_in_the_committed_log_and_its_start_never_moves_back() -> None:
    _, a, _ = trimmed()
    assert a.disk.base is not None
    base, start = a.disk.base, a.disk.begins
    a.step(SnapshotKept(base, at(1, 1)))
    assert a.core.status().start == start
    with pytest.raises(InvariantViolation, match="committed"):
        a.step(SnapshotKept(base, at(2, 8)))


# Members that join.


def test_a_new_member_gets_the_base_and_every_record_behind_it_before_it_votes() -> None:
    cluster = Cluster("abc", others="x", watcher=Figure3())
    a = cluster.elect("a")
    for _ in range(6):
        a.propose()
    cluster.run(2)
    a.keep(6, start=4)
    cluster.fetching = False
    a.aim(target("abcx", "op-1", a.core.status().configuration_offset))
    cluster.run(30)
    x = cluster["x"]
    assert x.wanted is not None
    assert cluster.changes() == ["target", "learners"]
    cluster.fetching = True
    cluster.run(LIMITS.election_ticks + 20)
    assert cluster.changes() == ["target", "learners", "enter-joint", "leave-joint"]
    assert x.core.status().start == at(2, 6)
    assert x.log() == [end for end in a.log() if end[1] > 6]


def test_a_learner_that_lacks_a_retained_record_is_not_caught_up() -> None:
    cluster = Cluster("abc", others="x", watcher=Figure3())
    a = cluster.elect("a")
    cluster["x"].disk_is(lacking=True)
    a.aim(target("abcx", "op-1", a.core.status().configuration_offset))
    cluster.run(30)
    assert cluster.changes() == ["target", "learners"]
    cluster["x"].disk_is()
    cluster.run(10)
    assert cluster.changes()[-1] == "leave-joint"


def test_a_vote_for_a_member_is_judged_by_its_end_wherever_its_log_begins() -> None:
    cluster, _, _ = trimmed()
    b = cluster["b"]
    b.keep(6)
    effects = b.hear("a", RequestVote(Term(9), at(2, 7), False, True, 1), run=1)
    assert [reply.granted for reply in messages(effects, VoteReply)] == [False]
    effects = b.hear("a", RequestVote(Term(10), at(2, 8), False, True, 1), run=1)
    assert [reply.granted for reply in messages(effects, VoteReply)] == [True]
