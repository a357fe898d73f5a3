"""Bugs 1 to 12 of docs/bugs.md: what is durable, what is committed, what progress means.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, ../simulation/directed.py, ../unit/driver/rig.py.
"""

import pytest

from replog.wire.schemas import TransferRequest, TrimRequest
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import AppendEntries, AppendReply
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
from tests.unit.driver.rig import Rig, batch

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
