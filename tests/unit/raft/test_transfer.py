"""Handing leadership over (thesis 3.10)."""

from msgspec.structs import replace

from replog_node.model.positions import MemberId, Term
from replog_node.raft.effects import Accepted, Effect, Reason, Rejected, TransferEnded
from replog_node.raft.messages import AppendEntries, RequestVote, TimeoutNow
from tests.unit.raft.cluster import LIMITS, Cluster, Node, sends, target


def led() -> tuple[Cluster, Node]:
    """A cluster with an established leader."""
    cluster = Cluster("abc", learners="x")
    node = cluster.elect("a")
    cluster.run(2)
    for other in cluster.nodes.values():
        other.forget()
    return cluster, node


def ended(node: Node) -> list[Effect]:
    """How transfers ended."""
    return node.said(TransferEnded)


def test_a_transfer_makes_the_other_leader_without_an_election_timeout() -> None:
    cluster, a = led()
    a.transfer("b")
    cluster.deliver()
    assert cluster["b"].core.role == "leader"
    assert cluster["b"].core.term == 3
    assert ended(a) == [TransferEnded(MemberId("b"), True)]


def test_nothing_is_admitted_while_leadership_is_handed_over() -> None:
    """hashicorp/raft #581."""
    cluster, a = led()
    cluster.isolate("b")
    a.transfer("b")
    assert a.propose() == Rejected(Reason.TRANSFERRING)
    assert a.core.admitting is Reason.TRANSFERRING
    assert a.core.status().transferring == "b"
    assert _refusal(a.transfer("c")) == "transferring"


def test_a_transfer_waits_until_the_other_holds_everything() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries) and e.to == "b"
    a.propose()
    cluster.deliver()
    a.transfer("b")
    assert sends(a.effects, TimeoutNow) == []
    cluster.doubtful = lambda _: False
    cluster.run(LIMITS.resend_ticks + 2)
    assert cluster["b"].core.role == "leader"
    assert (2, 3) in cluster["b"].log()


def test_the_other_is_told_to_campaign_as_soon_as_it_has_acknowledged_everything() -> None:
    cluster, a = led()
    a.propose()
    a.transfer("b")
    assert sends(a.effects, TimeoutNow) == []
    cluster.deliver()
    assert cluster["b"].core.role == "leader"


def test_a_transfer_is_given_up_after_an_election_timeout_and_the_leader_admits_again() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, TimeoutNow)
    a.transfer("b")
    cluster.run(LIMITS.election_ticks - 1)
    assert ended(a) == []
    cluster.run(1)
    assert ended(a) == [TransferEnded(MemberId("b"), False)]
    assert isinstance(a.propose(), Accepted)


def test_a_lost_word_to_campaign_is_said_again() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: isinstance(e.message, TimeoutNow)
    a.transfer("b")
    cluster.deliver()
    cluster.doubtful = lambda _: False
    cluster.run(3)
    assert cluster["b"].core.role == "leader"


def test_a_transfer_is_not_done_before_somebody_leads() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: e.to == "b"
    a.transfer("b")
    cluster.doubtful = lambda _: False
    a.hear("b", RequestVote(a.core.term, a.core.status().last, False, True, 1), run=1)
    assert ended(a) == []
    a.hear("b", RequestVote(Term(a.core.term + 1), a.core.status().last, False, True, 1), run=1)
    assert a.core.role == "follower"
    assert ended(a) == []
    cluster.isolate("a")
    for _ in range(LIMITS.election_ticks):
        a.tick()
    assert ended(a) == [TransferEnded(MemberId("b"), False)]


def test_the_best_is_the_living_voter_that_holds_most() -> None:
    cluster, a = led()
    cluster.doubtful = lambda e: e.to == "b" and isinstance(e.message, AppendEntries)
    a.propose()
    cluster.deliver()
    cluster.doubtful = lambda _: False
    a.transfer()
    assert a.core.status().transferring == "c"


def test_a_voter_that_does_not_answer_is_not_the_best() -> None:
    cluster, a = led()
    cluster.isolate("b")
    cluster.run(LIMITS.election_ticks)
    a.transfer()
    assert a.core.status().transferring == "c"


def test_impossible_transfers_are_refused_with_their_reason() -> None:
    cluster, a = led()
    for to, reason in (("a", "unknown_member"), ("x", "unknown_member"), ("zz", "unknown_member")):
        assert _refusal(a.transfer(to)) == reason
    cluster.isolate("b")
    cluster.run(LIMITS.election_ticks)
    assert _refusal(a.transfer("b")) == "member_behind"
    assert _refusal(cluster["c"].transfer("b")) == "not_leader"
    assert a.core.admitting is None


def test_a_sole_voter_has_nobody_to_hand_over_to() -> None:
    a = Cluster("a").elect("a")
    assert _refusal(a.transfer()) == "quorum_at_risk"


def test_only_the_leaders_word_makes_a_member_campaign() -> None:
    cluster, a = led()
    b = cluster["b"]
    b.hear("c", TimeoutNow(a.core.term), run=1)
    b.hear("a", TimeoutNow(Term(1)), run=1)
    cluster["x"].hear("a", TimeoutNow(a.core.term), run=1)
    assert b.core.role == cluster["x"].core.role == "follower"
    b.hear("a", TimeoutNow(a.core.term), run=1)
    assert b.core.role == "candidate"


def _refusal(effects: list[Effect]) -> str:
    found = [effect for effect in effects if isinstance(effect, Rejected)]
    assert len(found) == 1
    return found[0].reason.value


# Priorities.


def prioritized(**priorities: int) -> tuple[Cluster, Node]:
    """a leads, and the members have these priorities."""
    cluster, a = led()
    wanted = target("abc", "op-1", a.core.status().configuration_offset)
    named = tuple(replace(m, priority=priorities.get(m.id, 0)) for m in wanted.members)
    assert isinstance(a.aim(replace(wanted, members=named)), Accepted)
    cluster.run(2)
    return cluster, a


def test_the_highest_priority_takes_over_and_the_change_of_it_was_no_joint_one() -> None:
    cluster, a = prioritized(c=1)
    assert cluster.changes() == ["target"]
    a.transfer()
    cluster.deliver()
    assert cluster["c"].core.role == "leader"


def test_a_priority_counts_for_nothing_where_something_committed_is_missing() -> None:
    cluster, a = prioritized(c=100)
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries) and e.to == "c"
    a.propose()
    cluster.deliver()
    a.transfer()
    cluster.deliver()
    assert cluster["b"].core.role == "leader"


def test_a_low_priority_takes_over_where_nobody_else_can() -> None:
    cluster, a = prioritized(b=-100)
    cluster.isolate("c")
    cluster.run(LIMITS.election_ticks + 1)
    a.transfer()
    cluster.deliver()
    assert cluster["b"].core.role == "leader"


def test_priorities_out_of_bounds_are_refused() -> None:
    cluster, a = led()
    wanted = target("abc", "op-1", a.core.status().configuration_offset)
    for wrong in (101, -101):
        named = tuple(replace(m, priority=wrong) for m in wanted.members)
        verdict = a.aim(replace(wanted, members=named))
        assert isinstance(verdict, Rejected)
        assert verdict.reason is Reason.INVALID_TARGET
    cluster.run()


def test_among_equals_whoever_holds_most_takes_over() -> None:
    cluster = Cluster("abcde")
    a = cluster.elect("a")
    cluster.run(2)
    cluster.doubtful = lambda e: isinstance(e.message, AppendEntries) and e.to != "e"
    a.propose()
    cluster.deliver()
    a.transfer()
    cluster.deliver()
    assert cluster["e"].core.role == "leader"
