"""The cluster drives its own membership (thesis 4; design, Membership), also across leaders."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from replog_node.model.entries import Entry
from replog_node.model.positions import MemberId, Offset, Position, Term
from replog_node.raft.effects import (
    Accepted,
    ConfigurationActive,
    MemberRemoved,
    Persist,
    Reason,
    Rejected,
)
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Envelope,
    Heartbeat,
    RequestVote,
    TimeoutNow,
)
from tests.unit.raft.cluster import LIMITS, Cluster, Node, data, messages, sends, target

QUICK = replace(LIMITS, learner_patience_ticks=30, departure_ticks=100)
BY_ONE = replace(QUICK, max_append_bytes=1)
ONCE = ["target", "learners", "enter-joint", "leave-joint"]


def led(voters: str, others: str = "", *, limits: CoreLimits = QUICK) -> tuple[Cluster, Node]:
    """A cluster that a leads."""
    cluster = Cluster(voters, others=others, limits=limits)
    node = cluster.elect("a")
    cluster.run(2)
    return cluster, node


def aim(node: Node, names: str, operation: str = "op") -> None:
    """Ask for a membership, planned from the configuration in force."""
    planned_from = node.core.status().configuration_offset
    verdict = node.aim(target(names, operation, planned_from))
    assert isinstance(verdict, Accepted), verdict


def voters(node: Node) -> tuple[str, ...]:
    """The voters as a node knows them; () while joint."""
    configuration = node.core.configuration
    if configuration is None or configuration.joint:
        return ()
    return configuration.voter_ids()


def reached(cluster: Cluster, names: str) -> bool:
    """Whether all these have the configuration, and one of them leads."""
    nodes = [cluster[name] for name in names]
    leads = any(node.core.role == "leader" for node in nodes)
    return leads and all(voters(node) == tuple(names) for node in nodes)


def test_one_member_becomes_three_by_one_joint_change() -> None:
    cluster, a = led("a", "bc")
    aim(a, "abc")
    cluster.run_until(lambda: reached(cluster, "abc"))
    cluster.run(3)
    assert cluster.changes() == ONCE
    assert cluster["b"].log() == cluster["c"].log() == a.log()
    assert isinstance(a.propose(), Accepted)
    cluster.deliver()
    assert a.core.status().commit == a.core.status().last


def test_a_whole_set_is_replaced_by_another_in_one_joint_change() -> None:
    cluster, a = led("abc", "xyz")
    a.propose()
    aim(a, "xyz")
    cluster.run_until(lambda: reached(cluster, "xyz"), ticks=400)
    cluster.run(5)
    assert cluster.changes() == ONCE
    assert {len(cluster[name].said(MemberRemoved)) for name in "abc"} == {1}
    assert a.core.role == "follower"
    assert isinstance(cluster.leader.propose(), Accepted)


def test_members_are_dropped_without_learners() -> None:
    cluster, a = led("abcde")
    aim(a, "abc")
    cluster.run_until(lambda: reached(cluster, "abc"))
    assert cluster.changes() == ["target", "enter-joint", "leave-joint"]
    cluster.run(3)
    assert [len(cluster[n].said(MemberRemoved)) for n in "abcde"] == [0, 0, 0, 1, 1]


def test_a_target_that_is_the_present_membership_is_reached_at_once() -> None:
    cluster, a = led("abc")
    aim(a, "abc")
    cluster.run(10)
    assert cluster.changes() == ["target"]
    assert a.core.configuration is not None
    assert a.core.configuration.target_reached


def test_learners_that_do_not_answer_keep_the_change_waiting() -> None:
    cluster, a = led("a", "bc")
    cluster.isolate("b")
    cluster.isolate("c")
    aim(a, "abc")
    cluster.run(200)
    assert cluster.changes() == ["target", "learners"]
    cluster.heal()
    cluster.run_until(lambda: reached(cluster, "abc"))


def test_one_dead_learner_delays_the_change_and_does_not_stop_it() -> None:
    cluster, a = led("a", "bc")
    cluster.crash("c")
    aim(a, "abc")
    cluster.run(20)
    assert cluster.changes() == ["target", "learners"]
    cluster.run_until(lambda: voters(a) == ("a", "b", "c"))
    assert cluster.changes() == ONCE


def test_a_learner_counts_as_caught_up_only_with_the_entry_that_makes_it_a_learner() -> None:
    """Else, were the leader to die right after entering joint, it could not vote."""
    cluster, a = led("abc", "x")
    cluster.doubtful = lambda e: e.to == "x" and isinstance(e.message, AppendEntries)
    aim(a, "x")
    cluster.run(50)
    assert cluster.changes() == ["target", "learners"]
    cluster.crash("a")
    cluster.elect("b")
    cluster.run(50)
    assert cluster.changes() == ["target", "learners"]
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: reached(cluster, "x"), ticks=1000)


def test_a_first_piece_of_the_log_makes_no_learner_caught_up() -> None:
    cluster, a = led("abc", "x", limits=BY_ONE)
    cluster.doubtful = lambda e: (
        e.to == "x" and _carries(e, lambda entry: "change='learners'" in _text(entry))
    )
    aim(a, "x")
    cluster.run(5)
    assert a.core.status().progress[MemberId("x")].match.offset == 3
    assert not _has(a, "enter-joint")


def test_a_learner_that_lags_in_time_keeps_the_change_waiting_under_every_leader() -> None:
    """A new leader doesn't know at first how much is committed: that makes nobody caught up."""
    cluster, a = led("abc", "x", limits=BY_ONE)
    cluster.doubtful = lambda e: e.to == "x" and _carries(e, lambda _: True)
    aim(a, "x")
    cluster.run(2)
    for _ in range(15):
        a.propose()
        cluster.run()
    cluster.doubtful = lambda e: e.to == "x" and _carries(e, lambda entry: entry.base > 4)
    cluster.run(20)
    progress = a.core.status().progress[MemberId("x")]
    assert (progress.match.offset, progress.alive) == (4, True)
    assert not _has(a, "enter-joint")
    for name in "abc":
        cluster.crash(name)
    for name in "abc":
        cluster.restart(name)
    lagging = cluster.doubtful
    cluster.doubtful = lambda e: lagging(e) or (e.sender != "x" and _answers(e))
    cluster.run_until(lambda: _leads(cluster))
    cluster.run(2)
    cluster.doubtful = lagging
    heir = cluster.leader
    cluster.run(5)
    assert heir.core.admitting is None
    assert heir.core.status().progress[MemberId("x")].match.offset == 4
    assert not _has(heir, "enter-joint")
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: reached(cluster, "x"), ticks=400)


def _answers(envelope: Envelope) -> bool:
    return isinstance(envelope.message, AppendReply)


def test_a_learner_that_was_caught_up_and_died_does_not_count() -> None:
    cluster, a = led("a", "bc")
    cluster.isolate("c")
    aim(a, "abc")
    cluster.run(5)
    assert a.core.status().progress[MemberId("b")].match == a.core.status().last
    cluster.isolate("b")
    cluster.run(100)
    assert not _has(a, "enter-joint")


def test_a_change_needs_no_ticks_between_its_steps() -> None:
    cluster, a = led("abcde")
    aim(a, "abc")
    cluster.deliver()
    assert voters(a) == ("a", "b", "c")


def test_a_new_leader_drives_nothing_before_its_no_op_is_committed() -> None:
    cluster, a = led("abc", "xyz")
    cluster.doubtful = lambda e: _carries(e, lambda entry: "leave-joint" in _text(entry))
    aim(a, "xyz")
    cluster.run_until(lambda: "enter-joint" in cluster.changes())
    cluster.run(2)
    cluster.crash("a")
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    cluster.run_until(lambda: _leads(cluster))
    cluster.run(3)
    assert not _has(cluster.leader, "leave-joint")
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: reached(cluster, "xyz"), ticks=400)


def test_membership_stands_still_while_leadership_is_handed_over() -> None:
    cluster, a = led("abcde")
    cluster.doubtful = lambda e: isinstance(e.message, AppendReply)
    aim(a, "abc")
    a.transfer("b")
    cluster.deliver()
    cluster.doubtful = lambda e: isinstance(e.message, TimeoutNow)
    cluster.run(LIMITS.resend_ticks + 2)
    assert cluster.changes() == ["target"]
    assert not _has(a, "enter-joint")
    cluster.run_until(lambda: reached(cluster, "abc"))


def test_a_learner_that_is_named_again_is_not_seen_off() -> None:
    cluster, a = led("ab", "x")
    cluster.isolate("x")
    aim(a, "abx", "op-1")
    cluster.run(3)
    aim(a, "ab", "op-2")
    cluster.run(3)
    assert a.core._leader is not None
    assert a.core._leader.departing == {"x"}
    aim(a, "abx", "op-3")
    cluster.run(3)
    assert a.core._leader.departing == frozenset()


def _text(entry: Entry) -> str:
    return entry.frame.decode()


def _carries(envelope: Envelope, what: Callable[[Entry], bool]) -> bool:
    message = envelope.message
    return isinstance(message, AppendEntries) and any(map(what, message.entries))


def _has(node: Node, change: str) -> bool:
    return any(f"change='{change}'" in _text(entry) for entry in node.entries)


def _leads(cluster: Cluster) -> bool:
    living = [n for n in cluster.nodes.values() if n.member not in cluster.dead]
    return any(node.core.role == "leader" for node in living)


def test_while_joint_both_halves_must_agree_to_commit_and_to_elect() -> None:
    cluster, a = led("abc", "xyz")
    aim(a, "xyz")
    _until_appended(cluster, a, "enter-joint")
    for name in "xyz":
        cluster.isolate(name)
    before = a.core.status().commit
    cluster.run(5)
    assert a.core.status().commit == before
    cluster.run(100)
    assert not any(node.core.role == "leader" for node in cluster.nodes.values())
    cluster.heal()
    cluster.run_until(lambda: reached(cluster, "xyz"), ticks=400)
    assert cluster.changes() == ONCE


def _until_appended(cluster: Cluster, node: Node, change: str) -> None:
    """Until a node has appended this record, not further."""
    for _ in range(10_000):
        if any(f"change='{change}'" in e.frame.decode() for e in node.entries):
            return
        if not cluster.move():
            cluster.tick()
    raise AssertionError(f"no {change}: {cluster.picture()}")


@pytest.mark.parametrize("change", ONCE)
def test_a_leader_lost_in_the_middle_leaves_one_enter_and_one_leave(change: str) -> None:
    cluster, a = led("abc", "xy")
    aim(a, "bcxy")
    _until_appended(cluster, a, change)
    for _ in range(6):
        cluster.move()  # so that somebody else has it
    cluster.crash("a")
    cluster.run_until(lambda: reached(cluster, "bcxy"), ticks=600)
    cluster.run(3)
    cluster.restart("a")
    cluster.run(30)
    assert cluster.changes() == ONCE


def test_a_new_target_replaces_the_old_one_until_joint_is_entered() -> None:
    cluster, a = led("a", "bcx")
    for name in "bc":
        cluster.isolate(name)
    aim(a, "abc", "op-1")
    cluster.run(5)
    aim(a, "ax", "op-2")
    cluster.run_until(lambda: reached(cluster, "ax"))
    assert cluster.changes() == ["target", "learners", *ONCE]
    assert a.core.configuration is not None
    assert a.core.configuration.done == ("op-2",)


def test_a_new_target_waits_its_turn_once_joint_is_entered() -> None:
    cluster, a = led("abc", "xyz")
    aim(a, "xyz", "op-1")
    _until_appended(cluster, a, "enter-joint")
    verdict = a.aim(target("abc", "op-2", a.core.status().configuration_offset))
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.CHANGE_IN_PROGRESS


def test_a_target_is_refused_while_a_configuration_is_not_committed() -> None:
    cluster, a = led("abc")
    cluster.isolate("a")
    aim(a, "ab", "op-1")
    offset = a.core.status().configuration_offset
    verdict = a.aim(target("ac", "op-2", offset, epoch=2))
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.CHANGE_IN_PROGRESS


def test_a_repeated_target_changes_nothing() -> None:
    cluster, a = led("a", "bc")
    offset = a.core.status().configuration_offset
    wanted = target("abc", "op", offset)
    assert isinstance(a.aim(wanted), Accepted)
    again = a.aim(wanted)
    cluster.run_until(lambda: reached(cluster, "abc"))
    later = cluster.leader.aim(wanted)
    for verdict in (again, later):
        assert isinstance(verdict, Rejected)
        assert verdict.reason is Reason.ALREADY_DONE
    assert cluster.changes() == ONCE


def test_a_leader_outside_the_new_set_does_not_count_itself_from_joint_on() -> None:
    cluster, a = led("abc")
    aim(a, "bc")
    _until_appended(cluster, a, "leave-joint")
    cluster.isolate("c")
    cluster.deliver()
    assert a.core.status().progress[MemberId("b")].match == a.core.status().durable
    cluster.tick()
    assert a.core.status().transferring is None
    assert cluster.changes()[-1] != "leave-joint"
    cluster.cut.clear()
    cluster.run_until(lambda: reached(cluster, "bc"))
    assert cluster.changes()[-1] == "leave-joint"


def test_a_leader_outside_the_new_set_hands_over_at_once_when_leave_is_committed() -> None:
    cluster, a = led("abc")
    aim(a, "bc")
    cluster.run_until(lambda: bool(a.said(MemberRemoved)))
    cluster.run(4)
    assert a.core.role == "follower"
    assert cluster.leader.member in ("b", "c")
    assert cluster.changes() == ["target", "enter-joint", "leave-joint"]


def test_a_leaving_leader_hands_over_at_once_and_the_next_one_tells_other_leavers() -> None:
    cluster, a = led("abcde")
    cluster.isolate("e")
    aim(a, "bcd")
    cluster.run_until(lambda: bool(a.said(MemberRemoved)))
    cluster.run(5)
    assert a.core.role == "follower"
    assert cluster.leader.member in ("b", "c", "d")
    assert "e" in cluster.leader.core.peers()
    cluster.heal()
    cluster.run_until(lambda: bool(cluster["e"].said(MemberRemoved)))
    assert reached(cluster, "bcd")


def test_a_leaver_that_never_answers_is_left_alone_after_its_time() -> None:
    limits = replace(LIMITS, departure_ticks=40)
    cluster = Cluster("abc", limits=limits)
    a = cluster.elect("a")
    cluster.isolate("c")
    aim(a, "ab")
    cluster.run_until(lambda: voters(a) == ("a", "b"))
    assert "c" in a.core.peers()
    cluster.run(limits.departure_ticks)
    assert "c" not in a.core.peers()
    a.forget()
    cluster.run(5)
    assert not [send for send in sends(a.effects, Heartbeat) if send.to == "c"]


def test_a_new_leader_tells_those_who_left_as_well() -> None:
    cluster, a = led("abcd")
    cluster.isolate("d")
    aim(a, "abc")
    cluster.run_until(lambda: voters(a) == ("a", "b", "c"))
    cluster.crash("a")
    cluster.elect("b")
    cluster.heal()
    cluster.run(10)
    assert len(cluster["d"].said(MemberRemoved)) == 1


def test_a_member_is_not_removed_before_it_knows_that_the_leave_is_committed() -> None:
    cluster, a = led("abc")
    aim(a, "ab")
    _until_appended(cluster, a, "leave-joint")
    c = cluster["c"]
    cluster.isolate("b")
    cluster.run(5)
    assert voters(c) == ("a", "b")
    assert c.said(MemberRemoved) == []
    cluster.cut.clear()
    cluster.run(10)
    assert len(c.said(MemberRemoved)) == 1


def test_a_leaver_that_alone_holds_the_leave_record_may_be_elected_to_commit_it() -> None:
    """Thesis 4.2.2: nobody else could be elected past it."""
    cluster, a = led("abc", "x")
    aim(a, "x")
    cluster.doubtful = lambda e: (
        e.to == "x"
        and isinstance(e.message, AppendEntries)
        and any("change='leave-joint'" in entry.frame.decode() for entry in e.message.entries)
    )
    _until_appended(cluster, cluster["b"], "leave-joint")
    cluster.deliver()
    assert voters(cluster["c"]) == ("x",)
    assert voters(cluster["x"]) == ()
    cluster.crash("a")
    cluster.doubtful = lambda _: False
    cluster.run_until(lambda: reached(cluster, "x"), ticks=600)
    cluster.run(10)
    assert cluster.changes() == ONCE
    assert {len(cluster[name].said(MemberRemoved)) for name in "bc"} == {1}


def test_a_removed_member_neither_campaigns_nor_votes() -> None:
    cluster, a = led("abc")
    aim(a, "ab")
    cluster.run_until(lambda: bool(cluster["c"].said(MemberRemoved)))
    cluster.run(3)
    c = cluster["c"]
    cluster.isolate("c")
    c.forget()
    for _ in range(100):
        c.tick()
    assert messages(c.effects, RequestVote) == []
    high = Position(Term(50), Offset(999))
    c.hear("a", RequestVote(Term(51), high, False, True, 1))
    assert all(not getattr(send.message, "granted", False) for send in c.held)
    last = c.disk.queue[-1]
    assert isinstance(last, Persist)
    assert last.hard_state is not None
    assert last.hard_state.voted_for is None


def test_a_removed_member_does_not_come_back_under_its_id() -> None:
    cluster, a = led("abc")
    aim(a, "ab")
    cluster.run_until(lambda: bool(cluster["c"].said(MemberRemoved)))
    verdict = a.aim(target("abc", "again", a.core.status().configuration_offset))
    assert isinstance(verdict, Rejected)
    assert verdict.reason is Reason.INVALID_TARGET


def test_a_learner_that_is_dropped_is_not_removed_for_good() -> None:
    cluster, a = led("ab", "x")
    cluster.isolate("b")
    cluster.cut.clear()
    cluster.doubtful = lambda e: e.sender == "x"
    aim(a, "abx", "op-1")
    cluster.run(5)
    aim(a, "ab", "op-2")
    cluster.run(10)
    cluster.doubtful = lambda _: False
    cluster.run(10)
    assert cluster["x"].said(MemberRemoved) == []
    aim(a, "abx", "op-3")
    cluster.run_until(lambda: reached(cluster, "abx"))


def test_a_configuration_takes_effect_on_append_and_reverts_when_it_is_cut_off() -> None:
    cluster, a = led("abc", "x")
    cluster.isolate("a")
    aim(a, "abcx")
    assert a.core.configuration is not None
    assert a.core.configuration.target is not None
    cluster.elect("b", still="a")
    a.forget()
    cluster.heal()
    cluster.run(5)
    active = [e for e in a.effects if isinstance(e, ConfigurationActive)]
    assert [e.offset for e in active] == [1]
    assert a.core.configuration.target is None


def test_a_configuration_that_takes_the_place_of_another_is_announced() -> None:
    """Both end at the same offset; only what they say differs."""
    cluster, a = led("abc", "x")
    cluster.isolate("a")
    a.propose()
    aim(a, "ab", "op-1")
    cluster.elect("b", still="a")
    aim(cluster["b"], "abc", "op-2")
    assert cluster["b"].core.status().configuration_offset == 4
    assert a.core.status().configuration_offset == 4
    a.forget()
    cluster.heal()
    cluster.deliver()
    active = [e.configuration for e in a.effects if isinstance(e, ConfigurationActive)]
    assert active[0].target is not None
    assert active[0].target.operation == "op-2"


def test_clients_write_during_the_change_and_nothing_is_lost() -> None:
    cluster, a = led("abc", "xyz")
    aim(a, "xyz")
    written = []
    for _ in range(60):
        leaders = [n for n in cluster.nodes.values() if n.core.admitting is None]
        for leader in leaders[:1]:
            verdict = leader.propose(data(size=20))
            if isinstance(verdict, Accepted):
                written.append(verdict.entry)
        cluster.run()
    assert reached(cluster, "xyz")
    kept = [entry for entry in written if cluster.log.get(entry.base) == entry]
    assert len(kept) > 30
    assert len(written) - len(kept) <= 1


def test_a_restart_of_everybody_in_the_middle_of_a_joint_change_goes_on_with_it() -> None:
    cluster, a = led("abc", "xyz")
    aim(a, "xyz")
    _until_appended(cluster, a, "enter-joint")
    cluster.deliver()
    for name in "abcxyz":
        cluster.crash(name)
    for name in "abcxyz":
        cluster.restart(name)
    cluster.run_until(lambda: reached(cluster, "xyz"), ticks=600)
    assert cluster.changes() == ONCE


def test_configurations_are_not_collected() -> None:
    cluster, _ = led("abc", "x")
    for number, names in enumerate(["abcx", "abc", "abc", "ab", "ab", "ab", "abc"]):
        planned_from = cluster.leader.core.status().configuration_offset
        cluster.leader.aim(target(names, f"op-{number}", planned_from))
        cluster.run(30)
    assert len(cluster.changes()) > 10
    assert all(len(cluster[name].core._s.log.configurations) <= 3 for name in "ab")


def test_peers_are_the_members_in_force_without_oneself() -> None:
    cluster, a = led("abc", "x")
    assert a.core.peers() == {MemberId("b"): "b:1", MemberId("c"): "c:1"}
    assert cluster["x"].core.peers() == {}
