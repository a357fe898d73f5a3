"""Bugs 1 to 12 of docs/bugs.md: what is durable, what is committed, what progress means.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, ../simulation/directed.py, ../unit/driver/rig.py.
"""

from contextlib import suppress
from itertools import count
from random import Random

import pytest

from replog.wire.schemas import TransferRequest, TrimRequest
from replog_node.driver.limits import DriverLimits
from replog_node.model.positions import Term
from replog_node.raft.events import HardState
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries, AppendReply
from replog_node.storage.hardstate import load_hard_state
from tests.catalogue.hands import (
    ask_for_vote,
    commit_of,
    core_of,
    cut_power,
    fill,
    overheard,
    played,
    progress_of,
    snapshot_taken,
    votes_on_their_way,
)
from tests.catalogue.index import bug
from tests.simulation.directed import alike, leader_of, values
from tests.support.simdisk import Crashed
from tests.unit.driver.rig import TICK_S, Rig, batch

ONE_ENTRY_A_MESSAGE = CoreLimits(max_append_bytes=1)


@bug(1, "PySyncObj#84")
@pytest.mark.parametrize("written", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_voter_whose_machine_goes_down_gives_no_second_vote_in_a_term(
    seed: int, written: bool
) -> None:
    rig = Rig(3).found()
    one, other, voter = rig.nodes
    ask_for_vote(one, voter, 50)
    if written:
        voter.work()
    cut_power([voter], seed)
    voter.start()
    ask_for_vote(other, voter, 50)
    voter.work()
    assert votes_on_their_way(rig, 50) == {(one if written else other).member}


@bug(1, "PySyncObj#84")
@pytest.mark.parametrize("seed", range(8))
def test_what_was_acknowledged_outlives_the_machines_of_all_members(seed: int) -> None:
    """The answer waits for the disks, not for the memory that they are mapped to."""
    rig = Rig(3).found()
    told = [rig.nodes[0].append(batch(f"told {n}")) for n in range(3)]
    rig.tick()
    assert [answers.codes for answers in told] == [["ok"]] * 3
    cut_power(rig.nodes, seed)
    for node in rig.nodes:
        node.start()
    assert values(leader_of(rig, *rig.nodes)) == [b"told 0", b"told 1", b"told 2"]


@bug(1, "PySyncObj#202", "PySyncObj#201")
def test_after_all_started_anew_who_comes_last_overwrites_nothing() -> None:
    """Where terms begin anew, the late member's old entries look newer than what was just told."""
    rig = Rig(3).found()
    first, second, late = rig.nodes
    for to in (second, first, second, first):
        leader_of(rig, *rig.nodes).call(TransferRequest(to.member))
        leader_of(rig, to)
    first.append(batch("before"))
    rig.tick(5)
    before = core_of(first).term
    cut_power(rig.nodes, seed=2)
    first.start()
    second.start()
    leader = leader_of(rig, first, second)
    assert core_of(leader).term > before
    told = leader.append(batch("after"))
    rig.tick(5)
    late.start()
    rig.cut_off = {leader.member}
    leader_of(rig, *({first, second, late} - {leader}))
    rig.cut_off = set()
    rig.tick(60)
    alike(rig)
    assert told.codes == ["ok"] and values(late) == [b"before", b"after"]


@bug(2, "PySyncObj#166")
def test_an_append_that_arrives_late_takes_no_commit_back() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    late = overheard(rig, AppendEntries, to=follower)
    for n in range(4):
        leader.append(batch(f"{n}"))
        rig.deliver()
    rig.tick(2)
    commits = [heard.message.commit for heard in late]
    reached = commit_of(follower)
    assert commits[0] < reached and len(late) >= 4
    for heard in late:
        follower.driver.receive(heard.envelope)
        rig.deliver()
        assert commit_of(follower) == reached
    assert values(follower) == [b"0", b"1", b"2", b"3"]


@bug(3, "PySyncObj#167")
def test_answers_in_the_wrong_order_take_no_progress_back() -> None:
    rig = Rig(3, core_limits=ONE_ENTRY_A_MESSAGE).found()
    leader, follower, third = rig.nodes
    third.asleep = True
    held = overheard(rig, AppendReply, sender=follower, lost=True)
    told = leader.append(*(batch(f"{n}") for n in range(2)))
    for n in range(2, 5):
        leader.append(batch(f"{n}"))
        rig.deliver()
    rig.dropped = None
    assert len(held) >= 3 and told.codes == []
    reached = -1
    for heard in reversed(held):
        leader.driver.receive(heard.envelope)
        seen = progress_of(leader, follower)
        assert seen.match.offset >= reached and seen.next > seen.match.offset
        reached = seen.match.offset
    rig.deliver()
    assert told.codes == ["ok", "ok"] and commit_of(leader) == reached


@bug(3, "PySyncObj#167")
def test_a_refusal_that_arrives_late_takes_no_progress_back() -> None:
    """A follower that lagged behind a new leader refused at first; by now it has everything."""
    rig = Rig(3).found()
    old, leader, follower = rig.nodes
    rig.cut_off = {follower.member}
    old.append(*(batch(f"{n}") for n in range(3)))
    rig.tick(2)
    old.call(TransferRequest(leader.member))
    leader_of(rig, leader)
    answers = overheard(rig, AppendReply, sender=follower, to=leader)
    rig.cut_off = set()
    rig.tick(60)
    reached = progress_of(leader, follower).match
    assert reached.offset == commit_of(leader) and not answers[0].message.ok
    for heard in answers:
        leader.driver.receive(heard.envelope)
        assert progress_of(leader, follower).match == reached


@bug(4, "PySyncObj#169")
def test_an_old_entry_on_a_majority_is_not_committed_by_that() -> None:
    """Figure 8 of the paper: a leads again and finds its old (2,3) on b and c; e may still win."""
    story = played(
        "cluster abcde", "history a 2,2", "history b 2,2", "history c 2,2 term=3",
        "history d 2 term=3", "history e 2,3",
        "lead a", "lose AppendEntries when=filled", "tick 3",
    )  # fmt: skip
    assert [len(story.cluster[name].entries) for name in "abcde"] == [4, 3, 3, 2, 3]
    assert all(story.cluster[name].core.status().commit.offset < 3 for name in "abcde")
    for command in ("crash a", "lose nothing", "elect e", "restart a", "tick 12"):
        story.play(command)
    assert all(story.cluster[name].log()[2] == (3, 3) for name in "abcde")


@bug(5, "PySyncObj#133")
@pytest.mark.parametrize("snapshot", ["none", "before the change", "after it, the record gone"])
def test_a_restart_brings_no_former_membership_back(snapshot: str) -> None:
    """Whatever lies in the last snapshot, the newest configuration in the log is in force."""
    rig = Rig(4).found(voters=3)
    one, two, leaves, comes = rig.nodes
    if snapshot == "before the change":
        snapshot_taken(rig)
    rig.target([one, two, comes], "replace")
    rig.tick(80)
    if snapshot == "after it, the record gone":
        fill(rig)
        snapshot_taken(rig)
        one.call(TrimRequest(fill(rig) - 1))
        rig.tick(5)
        status = core_of(one).status()
        assert status.start.offset > status.configuration_offset
    cut_power(rig.nodes, seed=3)
    for node in (one, two, comes):
        node.start()
    rig.tick(1)
    there = {one.member, two.member, comes.member}
    for node in (one, two, comes):
        configuration = core_of(node).configuration
        assert configuration is not None and set(configuration.voter_ids()) == there
        assert set(node.peers) == there - {node.member}
    leaves.start()
    leader_of(rig, one, two, comes)


@bug(6, "raftos#26")
def test_a_stale_append_erases_nothing_that_matches() -> None:
    """Entries of an old term, sent by a leader of a newer one: what counts is the entries' term."""
    rig = Rig(3, core_limits=ONE_ENTRY_A_MESSAGE).found()
    old, leader, follower = rig.nodes
    rig.cut_off = {follower.member}
    for n in range(3):
        old.append(batch(f"{n}"))
        rig.deliver()
    rig.tick(2)
    old.call(TransferRequest(leader.member))
    leader_of(rig, leader)
    stale = overheard(rig, AppendEntries, to=follower)
    rig.cut_off = set()
    rig.tick(60)
    assert sum(len(heard.message.entries) for heard in stale) >= 4
    held = core_of(follower).status().last
    for heard in stale:
        follower.driver.receive(heard.envelope)
        assert core_of(follower).status().last == held
        assert not follower.persists, "nothing is to be cut or written"


@bug(6, "raftos#25")
def test_an_answer_that_arrives_twice_takes_no_match_back() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    answers = overheard(rig, AppendReply, sender=follower)
    for n in range(3):
        leader.append(batch(f"{n}"))
        rig.deliver()
    reached = progress_of(leader, follower).match
    assert answers[0].message.match < answers[-1].message.match == reached
    for heard in answers:
        leader.driver.receive(heard.envelope)
        assert progress_of(leader, follower).match == reached


@bug(6, "raftos#30")
def test_the_commit_passes_entries_that_are_not_committed_by_themselves() -> None:
    """Entries of older terms in between must not end the search for what a majority holds."""
    rig = Rig(3).found()
    old, *others = rig.nodes
    before = commit_of(old)
    overheard(rig, AppendReply, to=old, lost=True)
    old.append(*(batch(f"{n}") for n in range(3)))
    rig.deliver()
    assert commit_of(old) == before
    old.kill()
    rig.dropped = None
    leader = leader_of(rig, *others)
    assert core_of(leader).term_at(leader.driver.kernel.committed.offset) == core_of(leader).term
    assert values(leader) == [b"0", b"1", b"2"]


@bug(7, "hashicorp#661")
@pytest.mark.parametrize("power", [False, True], ids=["its process ends", "its machine goes down"])
def test_term_and_vote_change_together_wherever_the_member_dies(power: bool) -> None:
    """It voted for one in term 49 and dies while it writes that it votes for the other in 50."""
    died = 0
    for operation in count(1):
        rig = Rig(3).found()
        one, other, voter = rig.nodes
        ask_for_vote(one, voter, 49)
        voter.work()
        ask_for_vote(other, voter, 50)
        voter.disk.crash_at = voter.disk.operations + operation
        with suppress(Crashed):
            voter.work()
            break
        died += 1
        voter.kill()
        if power:
            voter.disk.lose_power(Random(operation))
        found = load_hard_state(voter.disk.copy(), voter.member).state
        assert found in (HardState(Term(49), one.member), HardState(Term(50), other.member))
        voter.start()
        ask_for_vote(other, voter, 49)
        voter.work()
        assert votes_on_their_way(rig, 49) <= {one.member}
    assert died >= 4, "two copies are each written and synced"


@bug(8, "hashicorp#503", "hashicorp#612", "hashicorp#614", "hashicorp#666")
def test_a_leader_whose_disk_hangs_lets_another_lead_within_two_seconds() -> None:
    """Its heartbeats go on, so nobody would ever doubt it."""
    rig = Rig(3).found()
    stuck, *others = rig.nodes
    stuck.stalled = True
    told = []
    for n in range(int(2 / TICK_S)):
        told.append(stuck.append(batch(f"{n}"), within_s=60))
        rig.tick()
    (leader,) = [node for node in others if node.driver.kernel.leading]
    told.append(leader.append(batch("more")))
    rig.tick(5)
    stuck.stalled = False
    rig.tick(60)
    alike(rig)
    assert [answers.codes for answers in told] == [["ok"]] * len(told)
    assert len(values(stuck)) == len(told)


@bug(9, "hashicorp#612")
def test_replication_goes_on_after_a_followers_disk_hung_for_long() -> None:
    """Its heartbeats were answered all the time; what it was sent meanwhile is gone."""
    rig = Rig(3, core_limits=CoreLimits(max_inflight_count=4, max_append_bytes=1)).found()
    leader, follower, _ = rig.nodes
    term = core_of(leader).term
    follower.stalled = True
    for n in range(20):
        leader.append(batch(f"{n}"))
        rig.tick()
    overheard(rig, AppendReply, sender=follower, lost=True)
    follower.stalled = False
    rig.tick(20)
    assert len(values(follower)) < 20
    rig.dropped = None
    rig.tick(2 * leader.rig.core_limits.resend_ticks)
    assert progress_of(leader, follower).state == "replicate"
    assert len(values(follower)) == 20 and core_of(leader).term == term


@bug(10, "hashicorp#581")
def test_a_transfer_is_done_although_writes_keep_coming() -> None:
    """The receiver is behind; were more appended all the time, it would never have everything."""
    rig = Rig(3).found()
    leader, receiver, _ = rig.nodes
    overheard(rig, AppendEntries, to=receiver, lost=True)
    told = [leader.append(batch(f"before {n}")) for n in range(5)]
    rig.deliver()
    done = leader.call(TransferRequest(receiver.member))
    end = core_of(leader).status().last
    for n in range(10):
        told.append(leader.append(batch(f"meanwhile {n}")))
        rig.tick()
        assert core_of(leader).status().last == end
    rig.dropped = None
    leader.driver.peer_up(receiver.member)
    leader_of(rig, receiver, ticks=rig.core_limits.election_ticks)
    rig.tick(20)
    assert done.codes == ["ok"] and [answers.codes for answers in told] == [["ok"]] * 15
    assert len(values(leader)) == 15


@bug(11, "hashicorp#605")
def test_who_led_until_now_is_not_put_off_because_a_leader_lives() -> None:
    """a heard nobody for a while and gave up; the leader whom the others still follow is a."""
    story = played("cluster abc", "elect a", "isolate a", "tick 12 still=bc")
    a, b = story.cluster["a"].core, story.cluster["b"].core
    assert (a.role, b.leader) == ("follower", "a")
    story.play("heal")
    story.play("tick 20 still=bc")
    assert a.role == "leader" and a.term == 3


@bug(12, "hashicorp#541")
@pytest.mark.parametrize(
    "limits",
    [
        CoreLimits(max_append_bytes=1, max_inflight_count=4),
        CoreLimits(max_append_bytes=1, max_inflight_bytes=4 * 1000),
    ],
    ids=["by count", "by bytes"],
)
def test_what_is_under_way_to_a_slow_follower_is_bounded(limits: CoreLimits) -> None:
    rig = Rig(3, core_limits=limits).found()
    leader, follower, _ = rig.nodes
    sent = overheard(rig, AppendEntries, to=follower, lost=True)
    for n in range(40):
        told = leader.append(batch(f"{n:1000}"))
        rig.deliver()
        assert told.codes == ["ok"], "the others go on"
    assert sum(len(heard.message.entries) for heard in sent) == 4
    rig.dropped = None
    rig.tick(2 * limits.resend_ticks)
    assert len(values(follower)) == 40


@bug(12, "hashicorp#541")
def test_what_waits_for_a_slow_disk_waits_before_the_log_and_goes_together() -> None:
    """A queue of single entries would make each append wait for all before it, one by one."""
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    before = core_of(node).status().last.offset
    told = [node.append(batch(f"{n}")) for n in range(200)]
    assert core_of(node).status().last.offset <= before + DriverLimits().groups_unpersisted
    node.stalled = False
    rig.deliver()
    assert [answers.codes for answers in told] == [["ok"]] * 200
    assert max(node.grouped_records) >= 190
