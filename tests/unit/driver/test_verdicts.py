"""A refusal that tells of the log is true: found by seed 210 of the simulation (docs/testing.md).

A leader that slept while another one led judged what it found in its queue by what it knew, and
said so with the last word.
"""

from collections.abc import Callable

import msgspec
import pytest

from replog.wire.batches import CheckedBatch
from replog.wire.schemas import Appended, ProducerRequest
from replog_node.driver.calls import Resolve
from replog_node.raft.messages import AppendEntries, Envelope
from tests.simulation.directed import leader_of
from tests.unit.driver.rig import Answers, Node, Rig, batch
from tests.unit.driver.test_conditional_appends import appended, only_after

Ask = Callable[[Node, int, int], Answers]
"""Of a member, with a session's id and the last record."""


def _next_epoch(producer: int) -> CheckedBatch:
    return msgspec.structs.replace(batch("y", session=(producer, 0)), producer_epoch=1)


CALLS: dict[str, Ask] = {
    "a condition that holds": lambda node, _, last: node.append(only_after(last, "y")),
    "a sequence that is next": lambda node, producer, _: node.append(
        batch("y", session=(producer, 1))
    ),
    "an epoch that a fence gave": lambda node, producer, _: node.append(_next_epoch(producer)),
    "a fence of that epoch": lambda node, producer, _: node.call(Resolve(producer, 1)),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_deposed_leader_refuses_nothing_by_what_it_knew(call: str) -> None:
    rig = Rig(3).found()
    old, *others = rig.nodes
    session = old.call(ProducerRequest("s"))
    rig.tick(3)
    producer = session[0].producer_id
    old.asleep = True
    new = leader_of(rig, *others)
    new.append(batch("x", session=(producer, 0)))
    if "epoch" in call:
        rig.tick(3)
        new.call(Resolve(producer, 0))
    rig.tick(3)
    last = appended(rig, new, "last")
    old.asleep = False
    answers = CALLS[call](old, producer, last)
    rig.deliver()
    rig.tick(60)
    assert set(answers.codes) <= {"ok", "not_leader"}, answers


def test_a_refusal_by_what_never_came_to_be_is_not_told() -> None:
    """The record that it names was appended by this leader alone, and gave way."""
    rig = Rig(3).found()
    old, *others = rig.nodes
    last = appended(rig, old, "first")
    rig.dropped = lambda message: (
        isinstance(message, Envelope)
        and isinstance(message.message, AppendEntries)
        and message.sender == old.member
    )
    lonely = old.append(batch("lonely"), within_s=60)
    rig.deliver()
    refused = old.append(only_after(last, "conditional"), within_s=60)
    rig.tick(2)
    assert not refused, "it is not certain yet that the lonely record is in the log"
    rig.cut_off = {old.member}
    leader_of(rig, *others)
    rig.cut_off, rig.dropped = set(), None
    rig.tick(60)
    assert set(refused.codes) <= {"ok", "not_leader"}, refused
    assert not any(isinstance(answer, Appended) for answer in lonely)


def test_a_leader_alone_refuses_once_its_disk_has_what_it_judged_by() -> None:
    rig = Rig(1).found()
    node = rig.nodes[0]
    last = appended(rig, node, "first")
    node.stalled = True
    answers = node.append(batch("second"), only_after(last, "third"))
    assert not answers
    node.stalled = False
    rig.deliver()
    rig.tick(1)
    assert answers.codes == ["ok", "last_record_mismatch"]
    assert answers[1].extra["last_record"] == last + 1


def _joint_leader(rig: Rig) -> tuple[Node, Node]:
    """A leader that has appended the leave-joint record without itself, and nobody else has it.

    Returns it and the member that it goes to.
    """
    old, new = rig.nodes
    alone = (new.member,)

    def leaves(message: object) -> bool:
        if not isinstance(message, Envelope) or not isinstance(message.message, AppendEntries):
            return False
        found = [entry.configuration for entry in message.message.entries]
        return any(c is not None and not c.joint and c.voter_ids() == alone for c in found)

    rig.dropped = leaves
    rig.target([new], "leave")
    for _ in range(100):
        configuration = old.driver.kernel.configuration()
        if configuration is not None and old.member in configuration.removed:
            return old, new
        rig.tick()
    raise AssertionError("the change did not come so far")


def test_that_a_member_was_removed_is_told_once_that_is_committed() -> None:
    """Simulation, seed 657: whoever believed it too early emptied the disk of a voter."""
    rig = Rig(2).found()
    old, new = _joint_leader(rig)
    answers = rig.target([old, new], "back")
    rig.tick(3)
    assert answers.codes == []
    rig.dropped = None
    rig.tick(60)
    assert answers.codes in (["invalid_target"], ["not_leader"])


def test_that_a_target_was_set_before_is_told_once_it_is_committed() -> None:
    rig = Rig(3).found()
    leader, *others = rig.nodes
    rig.cut_off = {node.member for node in others}
    first, again = rig.target(rig.nodes[:2], "smaller"), rig.target(rig.nodes[:2], "smaller")
    rig.tick()
    assert first.codes == again.codes == []
    assert leader.driver.kernel.leading
