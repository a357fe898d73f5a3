"""Data is refused while disks are short of space, and only data; it passes by itself."""

from replog.wire.schemas import ProducerRequest
from replog_node.raft.limits import CoreLimits
from replog_node.storage.limits import StoreLimits
from tests.unit.driver.rig import Node, Rig, batch

LIMITS = StoreLimits(
    segment_bytes=16 * 1024, block_bytes=4096, read_bytes=4096,
    soft_limit_bytes=64 * 1024, margin_bytes=8192,
)  # fmt: skip
CORE = CoreLimits(max_append_bytes=2048, max_inflight_bytes=4096)
"""What is on its way to a follower fits into what it has left when it says that it is full."""

HEARTBEATS = 4


def cluster(members: int = 3) -> Rig:
    """Members with room; fill takes it."""
    rig = Rig(members, store_limits=LIMITS, core_limits=CORE)
    for node in rig.nodes:
        node.disk.capacity = 1 << 20
    return rig.found()


def fill(rig: Rig, *nodes: Node) -> None:
    """Let somebody else fill these disks, and everybody hear of it."""
    for node in nodes:
        node.disk.fill()
        node.look_at_the_disk()
    rig.tick(HEARTBEATS)


def free(rig: Rig, *nodes: Node) -> None:
    """Give the room back."""
    for node in nodes:
        node.disk.taken_bytes = 0
        node.look_at_the_disk()
    rig.tick(HEARTBEATS)


def test_a_leader_without_room_refuses_data_at_once_and_says_who_has_none() -> None:
    rig = cluster()
    leader = rig.nodes[0]
    fill(rig, leader)
    answers = leader.append(batch("a"))
    assert answers.codes == ["disk_full"]
    refusal = answers[0]
    assert (refusal.status, refusal.outcome, refusal.retryable) == (507, "none", True)
    assert refusal.extra == {"wait": "DiskFull", "members": [leader.member]}
    free(rig, leader)
    answers = leader.append(batch("a"))
    rig.deliver()
    assert answers.codes == ["ok"]


def test_followers_hand_on_and_hear_the_same_refusal() -> None:
    rig = cluster()
    fill(rig, rig.nodes[0])
    answers = rig.nodes[1].append(batch("a"))
    rig.deliver()
    assert answers.codes == ["disk_full"]
    assert answers[0].extra["members"] == [rig.nodes[0].member]


def test_one_follower_without_room_hinders_nobody_and_two_do() -> None:
    rig = cluster()
    leader, one, other = rig.nodes
    fill(rig, one)
    answers = leader.append(batch("a"))
    rig.deliver()
    assert answers.codes == ["ok"]
    fill(rig, other)
    assert leader.append(batch("b")).codes == ["disk_full"]
    free(rig, one)
    answers = leader.append(batch("c"))
    rig.deliver()
    assert answers.codes == ["ok"]


def test_a_follower_without_room_is_no_reason_while_a_dead_one_leaves_no_quorum_else() -> None:
    rig = cluster()
    leader, one, other = rig.nodes
    fill(rig, one)
    other.kill()
    rig.tick(30)
    refusal = leader.append(batch("a"))[0]
    assert refusal.code == "disk_full" and refusal.extra["members"] == [one.member]


def test_targets_are_reached_while_every_disk_is_full() -> None:
    rig = cluster()
    fill(rig, *rig.nodes)
    assert rig.nodes[0].append(batch("a")).codes == ["disk_full"]
    answers = rig.target(rig.nodes[:2], "smaller")
    rig.tick(40)
    assert answers.codes == ["ok"]
    status = rig.nodes[0].driver.status("", {})
    assert status.target is not None and status.target.reached


def test_producer_sessions_are_data_in_this_respect() -> None:
    rig = cluster()
    fill(rig, rig.nodes[0])
    answers = rig.nodes[0].call(ProducerRequest("one", 60_000))
    rig.deliver()
    assert answers.codes == ["disk_full"]


def test_why_names_each_member_and_its_room() -> None:
    rig = cluster()
    leader, one, _ = rig.nodes
    fill(rig, leader, one)
    (wait,) = leader.driver.waits()
    assert wait.code == "DiskFull"
    assert wait.evidence == (
        f"this member, /data/{leader.name}: 0 KiB free; member {one.member}: 0 KiB free"
    )
    (own,) = one.driver.waits()
    assert own.code == "DiskFull" and f"/data/{one.name}" in own.evidence
    assert leader.driver.ready("write") == "DiskFull"
    free(rig, leader, one)
    assert leader.driver.waits() == [] and leader.driver.ready("write") is None


def test_its_log_says_once_that_a_disk_is_low_and_that_it_is_not_any_more() -> None:
    rig = cluster()
    leader = rig.nodes[0]
    fill(rig, leader)
    leader.look_at_the_disk()
    free(rig, leader)
    assert [note for note in leader.notes if note.startswith("disk_")] == ["disk_low", "disk_roomy"]


def test_a_member_that_catches_up_leaves_its_reserve_alone() -> None:
    rig = cluster()
    leader, _, behind = rig.nodes
    rig.cut_off = {behind.member}
    for _ in range(12):
        leader.append(batch("x" * 1500))
        rig.deliver()
    behind.disk.fill()
    behind.look_at_the_disk()
    rig.cut_off = set()
    rig.tick(60)
    assert behind.disk.has("spare"), "it took its reserve to catch up"
    assert behind.driver.applied.offset < leader.driver.applied.offset
    free(rig, behind)
    rig.tick(60)
    assert behind.driver.applied.offset == leader.driver.applied.offset
