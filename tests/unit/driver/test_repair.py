"""What one member has lost the others give back; until then it serves none of it."""

import pytest

from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import EntriesFetched, FetchEntries
from replog_node.driver.repair import AGAIN_MAX_S, PIECE_BYTES
from replog_node.driver.wire import decode
from replog_node.model.positions import Offset
from replog_node.raft.messages import Incarnation
from tests.unit.driver.rig import TICK_S, Answers, Node, Rig, batch

TICKS = int(1 / TICK_S)
VALUES = [f"value {number} " + "x" * 300 for number in range(24)]


def filled_rig() -> Rig:
    """Three members with the same log, a block for each entry."""
    rig = Rig(3).found()
    for value in VALUES:
        assert len(rig.nodes[0].append(batch(value))) == 0
        rig.deliver()
    rig.tick(TICKS)
    return rig


def rot(node: Node, value: str) -> None:
    """Flip bytes of this value on a stopped member's disk."""
    found = [n for n in node.disk.names() if value.encode() in node.disk.content(n)]
    (name,) = [name for name in found if name.endswith(".seg")]
    node.disk.damage(name, node.disk.content(name).index(value.encode()) + 20, b"rot")


def waits(node: Node) -> list[str]:
    return [wait.code for wait in node.driver.waits()]


def values(node: Node) -> list[str]:
    """Every value that the member gives out."""
    frames = b"".join(entry.frame for entry in node.entries())
    return [value for value in VALUES if value.encode() in frames]


def fetches(rig: Rig) -> list[FetchEntries]:
    decoded = map(decode, rig.delivered)
    return [message for message in decoded if isinstance(message, FetchEntries)]


@pytest.mark.parametrize("at", [0, 7, 22])
def test_a_hole_that_the_start_finds_is_filled_before_the_member_takes_part(at: int) -> None:
    rig = filled_rig()
    node = rig.nodes[2]
    node.kill()
    rot(node, VALUES[at])
    rig.cut_off.add(node.member)
    node.start()
    rig.tick(TICKS)
    assert node.driver.kernel.core is None and "HoleBeingFilled" in waits(node)
    assert values(node) == []
    early = Answers()
    node.driver.read_entries(Offset(0), 1, early)
    assert early.codes == ["not_ready"] and early[0].extra["wait"] == "HoleBeingFilled"
    rig.cut_off.clear()
    rig.tick(2 * TICKS)
    assert node.driver.kernel.core is not None and not node.driver.waits()
    assert values(node) == VALUES
    assert {"log_hole", "log_whole"} <= set(node.notes)
    assert len(fetches(rig)) >= 1


def test_reads_that_come_while_a_hole_is_filled_wait_for_that_and_use_up_no_round() -> None:
    rig = filled_rig()
    node = rig.nodes[2]
    node.kill()
    rot(node, VALUES[7])
    rig.cut_off.add(node.member)
    node.start()
    early = [node.read_index(within_s=60) for _ in range(2 * DriverLimits().read_rounds)]
    late = node.read_index(within_s=0.5)
    rig.tick(TICKS)
    assert late.codes == ["read_unconfirmed"] and [*early[0]] == []
    rig.cut_off.clear()
    rig.tick(2 * TICKS)
    assert {code for answers in early for code in answers.codes} == {"ok"}
    again = node.read_index()
    rig.tick(TICKS)
    assert again.codes == ["ok"]


def test_different_damage_on_every_member_heals_when_all_start_at_once() -> None:
    rig = filled_rig()
    for node in rig.nodes:
        node.kill()
    for number, node in enumerate(rig.nodes):
        rot(node, VALUES[2 + 3 * number])
        rot(node, VALUES[15 + number])
    for node in rig.nodes:
        node.start()
        assert node.driver.kernel.core is None
    rig.tick(6 * TICKS)
    for node in rig.nodes:
        assert not node.driver.waits() and values(node) == VALUES


def test_a_hole_that_nobody_can_fill_is_told_and_filled_once_somebody_can() -> None:
    rig = filled_rig()
    for node in rig.nodes:
        node.kill()
    node = rig.nodes[1]
    rot(node, VALUES[5])
    node.start()
    rig.tick(TICKS)
    assert "HoleBeingFilled" in waits(node)
    rig.tick(6 * TICKS)
    assert "UnfillableHole" in waits(node) and "log_hole_unfillable" in node.notes
    rig.nodes[0].start()
    node.driver.peer_up(rig.nodes[0].member)
    rig.tick(6 * TICKS)
    assert values(node) == VALUES and "UnfillableHole" not in waits(node)


def test_who_lost_the_same_is_passed_over() -> None:
    rig = filled_rig()
    for node in rig.nodes[:2]:
        node.kill()
        rot(node, VALUES[9])
    for node in rig.nodes[:2]:
        node.start()
    rig.tick(8 * TICKS)
    for node in rig.nodes:
        assert not node.driver.waits() and values(node) == VALUES


@pytest.mark.parametrize("number", [0, 2])
def test_damage_found_while_running_is_not_served_and_is_filled(number: int) -> None:
    rig = filled_rig()
    node = rig.nodes[number]
    node.kill()
    node.start()  # so that nothing is in memory
    rig.tick(4 * TICKS)
    rot(node, VALUES[7])
    rig.cut_off.add(node.member)
    answers = Answers()
    node.driver.read_entries(Offset(0), 1 << 20, answers)
    rig.deliver()
    last = answers[0][-1].last
    refused = Answers()
    node.driver.read_entries(Offset(last + 1), 1 << 20, refused)
    rig.deliver()
    assert refused.codes == ["storage_failed"]
    node.driver.tick()
    assert "HoleBeingFilled" in waits(node) and node.driver.kernel.core is not None
    assert node.driver.kernel.core.disk.first_hole == last + 1
    rig.cut_off.clear()
    rig.tick(8 * TICKS)
    assert values(node) == VALUES and node.driver.kernel.core.disk.first_hole is None
    assert not node.driver.waits()


def test_a_lost_end_is_unproven_until_the_leader_has_gone_past_it() -> None:
    rig = filled_rig()
    last = "the very last " + "y" * 300
    rig.nodes[0].append(batch(last))
    rig.deliver()
    for node in rig.nodes:
        node.idle()
        node.kill()
    node = rig.nodes[2]
    rot(node, last)
    for each in rig.nodes:
        each.start()
    core = node.driver.kernel.core
    assert core is not None and core.status().unproven
    node.driver.tick()
    assert "Unproven" in waits(node)
    rig.tick(8 * TICKS)
    assert not node.driver.waits() and values(node) == VALUES
    assert any(last.encode() in entry.frame for entry in node.entries())
    assert node.roles[-1] == "follower"


def test_no_more_is_given_than_was_asked_for_and_than_fits() -> None:
    rig = filled_rig()
    giver, asker = rig.nodes[0], rig.nodes[1]
    last = rig.nodes[0].entries()[-1].last
    for start, end, most in ((3, 9, PIECE_BYTES), (3, 3, 1), (0, last + 500, 1 << 40)):
        rig.delivered.clear()
        giver.driver.receive(
            FetchEntries(
                asker.member, giver.member, Incarnation(1, 1), 1, Offset(start), Offset(end), most
            )
        )
        rig.deliver()
        (answer,) = [m for m in map(decode, rig.delivered) if isinstance(m, EntriesFetched)]
        assert answer.entries[0].base == start and answer.entries[-1].last <= end
        assert sum(e.size_bytes for e in answer.entries) <= PIECE_BYTES


def test_an_answer_to_another_question_moves_nothing() -> None:
    rig = filled_rig()
    node, other = rig.nodes[2], rig.nodes[0]
    (lost,) = [entry for entry in other.entries() if VALUES[4].encode() in entry.frame]
    node.kill()
    rot(node, VALUES[4])
    for each in rig.nodes[:2]:
        each.asleep = True
    node.start()
    rig.tick()
    run = node.driver.kernel.incarnation
    for id_, to, filled in ((1, Incarnation(9, 9), False), (99, run, False), (1, run, True)):
        node.driver.receive(
            EntriesFetched(other.member, node.member, Incarnation(1, 1), to, id_, (lost,))
        )
        rig.deliver()
        assert (node.driver.kernel.core is not None) is filled


def test_asking_again_becomes_rarer() -> None:
    rig = filled_rig()
    for node in rig.nodes:
        node.kill()
    node = rig.nodes[0]
    rot(node, VALUES[5])
    node.start()
    asked = 0
    for _ in range(int(4 * AGAIN_MAX_S / TICK_S)):
        tried = node.refused_sends
        rig.tick()
        asked += node.refused_sends > tried
    assert 5 < asked < 20
