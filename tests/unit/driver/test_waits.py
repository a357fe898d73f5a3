"""What a member waits for, and its status (replog_node/driver/waits.py, status.py)."""

from replog.wire.codes import WAITS
from replog.wire.schemas import BootstrapRequest, TransferRequest
from replog_node.driver.obstacles import wait_of
from replog_node.driver.waits import DISK_SLOW_S, DISK_STALLED_S
from replog_node.model.positions import Lineage
from replog_node.raft.effects import Reason
from tests.unit.driver.rig import CLUSTER, Node, Rig, batch


def codes(node: Node) -> list[str]:
    return [wait.code for wait in node.driver.waits()]


def test_a_member_in_order_waits_for_nothing() -> None:
    rig = Rig(3).found()
    rig.tick(2)
    assert [codes(node) for node in rig.nodes] == [[], [], []]


def test_an_empty_member_waits_to_be_assigned() -> None:
    rig = Rig()
    rig.tick()
    assert codes(rig.nodes[0]) == ["Unassigned"]
    assert rig.nodes[0].driver.ready("write") == "Unassigned"
    status = rig.nodes[0].driver.status("1", {})
    assert (status.state, status.commit_offset, status.members) == ("unassigned", -1, [])


def test_without_the_others_there_is_no_leader_and_it_is_told_since_when() -> None:
    rig = Rig(3).found()
    node = rig.nodes[0]
    rig.cut_off = {node.member}
    rig.tick(70)
    assert codes(node) == ["NoLeader"]
    assert node.driver.ready("write") == "NoLeader" and node.driver.ready("read") is None
    before = node.driver.waits()[0].since_s
    rig.tick(20)
    assert node.driver.waits()[0].since_s >= before + 0.9


def test_a_leader_names_who_does_not_answer() -> None:
    rig = Rig(3).found()
    rig.cut_off = {rig.nodes[2].member}
    rig.tick(30)
    waits = rig.nodes[0].driver.waits()
    assert [wait.code for wait in waits] == ["PeerUnreachable"]
    assert rig.nodes[2].member in waits[0].evidence


def test_a_disk_that_does_not_answer_is_named() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    node.append(batch("a"))
    rig.tick(int(DISK_SLOW_S / 0.05) - 2)
    assert codes(node) == []
    rig.tick(4)
    assert codes(node) == ["DiskSlow"]
    rig.tick(int((DISK_STALLED_S - DISK_SLOW_S) / 0.05))
    assert codes(node) == ["DiskStalled"]
    assert f"this member, /data/{node.name}: a write waits for 2" in node.driver.waits()[0].evidence
    node.stalled = False
    rig.tick(2)
    assert codes(node) == []


def test_a_leader_names_whose_disk_does_not_answer() -> None:
    rig = Rig(3).found()
    leader, slow = rig.nodes[0], rig.nodes[2]
    slow.stalled = True
    leader.append(batch("a"))
    rig.tick(int(DISK_STALLED_S / 0.05) + 6)
    (wait,) = leader.driver.waits()
    assert wait.code == "DiskStalled"
    assert f"member {slow.member} answers, but acknowledges nothing for 2" in wait.evidence
    slow.stalled = False
    rig.tick(2)
    assert codes(leader) == []


def test_a_target_that_can_not_be_reached_names_who_is_missing() -> None:
    rig = Rig(2)
    rig.nodes[1].kill()
    founder = rig.nodes[0]
    founder.driver.bootstrap(BootstrapRequest(CLUSTER, "found"), lambda _: None)
    rig.tick(3)
    rig.target(rig.nodes, "two")
    rig.tick(30)
    assert {"FirstTargetPending", "TargetMemberUnavailable"} <= set(codes(founder))
    assert founder.driver.ready("write") == "FirstTargetPending"


def test_a_fenced_member_says_so_first() -> None:
    rig = Rig(3).found()
    node = rig.nodes[1]
    node.driver.fence(Lineage(2, "newer"))
    rig.tick()
    assert codes(node)[0] == "Fenced" and node.driver.ready("read") == "Fenced"


def test_the_status_of_a_leader_tells_what_its_members_hold() -> None:
    rig = Rig(3).found()
    leader, follower, _ = rig.nodes
    rig.nodes[0].append(batch("a"))
    rig.tick(3)
    status = leader.driver.status("1.2", {leader.member: "host:7401"})
    assert status.role == "leader" and status.admitting and status.version == "1.2"
    assert status.leader_client_address == "host:7401"
    assert {m.match_offset for m in status.members} == {status.last_offset}
    assert status.target is not None and status.target.reached
    theirs = follower.driver.status("1.2", {})
    assert theirs.leader == leader.member and not theirs.admitting
    assert all(member.match_offset is None for member in theirs.members)


def test_a_sole_voter_whose_clock_leapt_goes_on_once_somebody_vouches_for_the_clock() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.wall_ms_ += 2 * rig.core_limits.clock_jump_ms
    rig.tick(2)
    assert codes(node) == ["ClockJump"]
    refused = node.append(batch("a"), within_s=0.2)
    rig.tick(10)
    assert refused.codes == ["not_ready"] and refused[0].extra["wait"] == "ClockJump"
    node.driver.acknowledge_clock()
    rig.tick()
    assert codes(node) == []
    taken = node.append(batch("a"))
    rig.deliver()
    assert taken.codes == ["ok"]


def test_what_hinders_a_leader_is_told_by_a_wait_that_has_a_row_in_the_table_of_codes() -> None:
    """Simulation, seed 27: a new leader wasn't ready for "not_ready", which is no wait."""
    rig = Rig(3).found()
    leader = rig.nodes[0]
    rig.cut_off = {node.member for node in rig.nodes[1:]}
    leader.call(TransferRequest(rig.nodes[1].member))
    assert leader.driver.ready("write") == "Transferring"
    closed = (Reason.NOT_LEADER, Reason.NOT_READY, Reason.TRANSFERRING, Reason.CLOCK_JUMP)
    assert {wait_of(reason.value) for reason in closed} <= {row.code for row in WAITS}
