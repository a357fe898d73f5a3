"""Bugs 19 to 24 of docs/bugs.md: joint changes, compaction, late writes, readers that follow.

Decides: which situation each bug needs. Must not know: how it is handled.
Read next: index.py, hands.py, ../scenario/script.py.
"""

from contextlib import suppress
from random import Random

from replog.wire.schemas import Appended, ProducerRequest, SnapshotRequest, TrimRequest
from replog_node.driver.limits import DriverLimits
from replog_node.driver.snapshots import STAGGER_TICKS
from replog_node.model.entries import Entry
from replog_node.model.positions import ORIGIN, Offset, Position, Term
from replog_node.raft.limits import CoreLimits
from replog_node.raft.messages import (
    AppendEntries,
    AppendReply,
    Envelope,
)
from tests.catalogue.hands import (
    commit_of,
    core_of,
    fill,
    overheard,
    played,
    snapshot_taken,
)
from tests.catalogue.index import bug
from tests.simulation.directed import alike, leader_of, values
from tests.support.simdisk import Crashed
from tests.unit.driver.rig import Rig, batch
from tests.unit.raft.cluster import messages

READ_FROM_DISK = CoreLimits(cache_bytes=1)


def _entering_joint(envelope: Envelope) -> bool:
    """Whether a message brings the record with which three voters begin to be replaced."""
    message = envelope.message
    return isinstance(message, AppendEntries) and any(
        entry.configuration is not None and len(entry.configuration.outgoing) == 3
        for entry in message.entries
    )


@bug(19, "etcd-raft bd3c759")
def test_a_joint_configuration_is_left_once_however_long_that_takes() -> None:
    """The record that leaves it reaches nobody for as long as it takes to send it twice."""
    rig = Rig(4).found(voters=3)
    leader, stays, _, comes = rig.nodes
    wanted = {leader.member, stays.member, comes.member}
    begun = Offset(core_of(leader).status().last.offset + 1)

    def leaves(entry: Entry) -> bool:
        found = entry.configuration
        return found is not None and not found.joint and set(found.voter_ids()) == wanted

    rig.dropped = lambda envelope: (
        isinstance(envelope.message, AppendEntries) and any(map(leaves, envelope.message.entries))
    )
    rig.target([leader, stays, comes], "replace")
    rig.tick(2 * rig.core_limits.resend_ticks)
    leaving = [entry for entry in core_of(leader).recent(begun) or () if leaves(entry)]
    assert [entry.last > commit_of(leader) for entry in leaving] == [True]
    rig.dropped = None
    rig.tick(2 * rig.core_limits.resend_ticks)
    alike(rig)
    assert commit_of(leader) == core_of(leader).status().last.offset == leaving[0].last


@bug(19, "etcd-raft e515a67")
def test_a_snapshot_within_a_joint_configuration_holds_both_halves() -> None:
    """Who begins at it knows, also after a restart, that the old half must agree as well."""
    rig = Rig(4, core_limits=READ_FROM_DISK).found(voters=3)
    leader, leaves, late, comes = rig.nodes
    old = tuple(node.member for node in (leader, leaves, late))
    late.kill()
    fill(rig)
    rig.dropped = _entering_joint
    rig.target([leader, late, comes], "replace")
    rig.tick(5)
    leader.call(SnapshotRequest(), within_s=60)
    rig.dropped = None
    rig.tick(2 * rig.core_limits.resend_ticks)
    snapshot = leader.driver.snapshot
    assert snapshot is not None and snapshot.configuration.outgoing_ids() == old
    leader.call(TrimRequest(snapshot.position.offset + 1))
    rig.tick(5)
    rig.dropped = lambda envelope: (
        envelope.to == late.member
        and isinstance(envelope.message, AppendEntries)
        and envelope.message.entries != ()
    )
    for _ in range(2):
        late.start()
        leader.driver.peer_up(late.member)
        rig.tick(20)
        assert core_of(late).start == snapshot.position
        assert core_of(late).configuration == snapshot.configuration
        late.kill()


@bug(20, "etcd-raft 76f1249")
def test_a_leader_that_let_its_log_go_asks_nobody_about_a_place_that_it_does_not_know() -> None:
    """The follower ends below the leader's first entry: it is offered a snapshot."""
    rig = Rig(3, core_limits=READ_FROM_DISK).found()
    leader, _, late = rig.nodes
    late.kill()
    fill(rig)
    snapshot_taken(rig)
    leader.call(TrimRequest(fill(rig) - 5))
    rig.tick(5)
    start = core_of(leader).start
    assert start > ORIGIN
    late.start()
    asked = overheard(rig, AppendEntries, to=late)
    rig.tick(60)
    assert len(asked) > 0
    assert all(heard.message.prev >= start for heard in asked)
    assert late.driver.applied.digest() == leader.driver.applied.digest()


@bug(20, "etcd-raft 76f1249")
def test_a_follower_that_let_its_log_go_knows_no_term_beyond_its_end() -> None:
    """A place that it doesn't hold has no term; term 0, least of all, is the same there."""
    story = played("cluster abc", "elect a", "propose a 3", "deliver", "tick 2", "keep b 5")
    b = story.cluster["b"]
    end = b.core.status().last
    b.forget()
    beyond = Position(Term(0), Offset(end.offset + 2))
    b.hear("a", AppendEntries(Term(2), 1, beyond, Offset(0), ()))
    (reply,) = messages(b.effects, AppendReply)
    assert not reply.ok and reply.hint == end


@bug(21, "etcd-raft `async_storage_writes_append_aba_race.txt`")
def test_a_write_that_was_overwritten_meanwhile_makes_nothing_durable() -> None:
    """b gets 3 to 5 of term 2, another leader's 3 in their place, and 3 to 5 of term 2 again.

    When its disk is done with the first write, what that wrote is about to be overwritten, though
    the log in memory holds the very same entries.
    """
    story = played("cluster abcde", "elect a", "stall b", "cut ac", "cut ad", "cut ae")
    story.play("propose a 3")
    story.play("deliver")
    a, b = story.cluster["a"], story.cluster["b"]
    story.play("hear b from=c AppendEntries term=3 prev=2:2 commit=2 entries=1")
    before = Position(Term(2), Offset(2))
    b.hear("a", AppendEntries(Term(4), 1, before, Offset(2), tuple(a.entries[2:])))
    assert [entry.last for entry in b.entries] == [entry.last for entry in a.entries]
    while b.disk.queue:
        assert b.core.status().durable == before
        assert [said for said in story.cluster.flying if said.message.term == 4] == []
        b.persist_one()
    assert [said.to for said in story.cluster.flying if said.message.term == 4] == ["a"]
    assert b.core.status().durable == a.entries[-1].position
    assert b.log() == a.log()


@bug(22, "etcd#13766")
def test_wherever_a_member_dies_under_load_its_state_stays_that_of_its_log() -> None:
    """It folds the log anew from a snapshot, which holds state and place in one file."""
    rig = Rig(3, limits=DriverLimits(snapshot_bytes=8000)).found()
    leader, _, dies = rig.nodes
    session = leader.call(ProducerRequest("s"))
    rig.tick(3)
    number = 0
    for operation in range(1, 60, 2):
        dies.disk.crash_at = dies.disk.operations + operation
        with suppress(Crashed):
            for _ in range(12):
                leader.append(batch(f"{number:500}", session=(session[0].producer_id, number)))
                number += 1
                rig.tick(2)
        dies.kill()
        dies.disk.lose_power(Random(operation))
        dies.start()
        leader.driver.peer_up(dies.member)
        rig.tick(3 * STAGGER_TICKS)
        alike(rig)
    assert dies.driver.snapshot is not None and len(values(dies)) == number


@bug(24, "etcd#20418")
def test_a_leader_that_was_paused_answers_no_read_from_what_it_knew() -> None:
    """No time has passed for it; its last round of heartbeats was answered by everybody."""
    rig = Rig(3).found()
    paused, *others = rig.nodes
    rig.tick(4)
    paused.asleep = True
    new = leader_of(rig, *others)
    told = new.append(batch("x"))
    rig.tick(5)
    paused.asleep = False
    read = paused.read_index(within_s=60)
    assert read.codes == [] and paused.driver.kernel.leading
    rig.tick(60)
    assert isinstance(told[0], Appended) and read[0] >= told[0].last_offset
    assert values(paused) == [b"x"]


@bug(24, "etcd#20418")
def test_what_was_confirmed_before_a_pause_is_as_old_as_the_pause_is_long() -> None:
    """A bounded read may be served from it for so long only: the clock went on."""
    rig = Rig(3).found()
    paused = rig.nodes[2]
    paused.read_index()
    rig.deliver()
    rig.tick(2)
    confirmed_s = paused.driver.confirmed_s
    paused.asleep = True
    rig.tick(100)
    paused.asleep = False
    assert confirmed_s is not None and paused.driver.confirmed_s == confirmed_s
    assert paused.driver.clock.monotonic_s() - confirmed_s >= 5.0
