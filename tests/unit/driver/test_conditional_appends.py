"""Conditional appends through members: each sees those before it, whoever took it."""

import msgspec

from replog.wire.batches import CheckedBatch
from replog.wire.schemas import Appended
from replog_node.driver.messages import ForwardAppends
from replog_node.driver.wire import decode
from tests.unit.driver.rig import Node, Rig, batch


def only_after(last: int, value: str) -> CheckedBatch:
    return msgspec.structs.replace(batch(value), if_last_record=last)


def appended(rig: Rig, node: Node, value: str) -> int:
    answers = node.append(batch(value))
    rig.deliver()
    rig.tick(2)
    assert isinstance(answers[0], Appended)
    return answers[0].last_offset


def test_of_several_with_one_condition_in_one_turn_the_first_wins() -> None:
    for taker in range(2):  # the leader itself, and a follower that sends them on
        rig = Rig(3).found()
        last = appended(rig, rig.nodes[0], "first")
        answers = rig.nodes[taker].append(*(only_after(last, name) for name in "abc"))
        rig.deliver()
        rig.tick(2)
        won = [answer for answer in answers if isinstance(answer, Appended)]
        assert [answer.base_offset for answer in won] == [last + 1]
        assert sorted(answers.codes) == ["last_record_mismatch", "last_record_mismatch", "ok"]
        told = [answer for answer in answers if not isinstance(answer, Appended)]
        assert {refusal.extra["last_record"] for refusal in told} == {last + 1}


def test_a_chain_of_conditions_in_one_turn_holds() -> None:
    rig = Rig(3).found()
    last = appended(rig, rig.nodes[0], "first")
    answers = rig.nodes[1].append(*(only_after(last + n, f"v{n}") for n in range(3)))
    rig.deliver()
    rig.tick(2)
    assert [answer.base_offset for answer in answers] == [last + 1, last + 2, last + 3]


def test_a_condition_travels_with_its_batch_and_others_without_travel_without() -> None:
    rig = Rig(3).found()
    rig.nodes[1].append(batch("a"), only_after(5, "b"))
    rig.nodes[2].append(batch("c"))
    sent = [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardAppends)]
    assert sorted(group.conditions for group in sent) == [(), (None, 5)]


def test_a_group_with_more_conditions_than_batches_is_dropped_and_harms_nobody() -> None:
    rig = Rig(3).found()
    rig.nodes[1].append(only_after(-1, "a"))
    (group,) = [m for _, _, data in rig.mail if isinstance(m := decode(data), ForwardAppends)]
    rig.mail.clear()
    before = len(rig.nodes[0].entries())
    rig.nodes[0].driver.receive(msgspec.structs.replace(group, conditions=(1, 2, 3)))
    rig.tick(3)
    assert len(rig.nodes[0].entries()) == before
