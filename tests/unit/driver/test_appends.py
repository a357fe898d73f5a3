"""Appends on a leader: grouping, order, limits, repeats (replog_node/driver/appends.py)."""

from replog.wire.schemas import Appended, ProducerRequest
from replog_node.driver.limits import DriverLimits
from tests.unit.driver.rig import Rig, batch


def test_an_append_is_answered_only_when_its_entry_is_durable() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    answers = node.append(batch("a"))
    rig.tick(3)
    assert [*answers] == []
    node.stalled = False
    rig.deliver()
    assert answers.codes == ["ok"] and answers[0].count == 1


def test_what_comes_in_one_turn_is_one_entry_and_one_write() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.grouped_records.clear()
    answers = node.append(batch("a"), batch("b", "c"), batch("d"))
    assert len(node.persists) == 1 and node.grouped_records == [4]
    rig.deliver()
    first = answers[0].base_offset
    assert [a.base_offset - first for a in answers] == [0, 1, 3]
    assert len({entry.base for entry in node.entries(first)}) == 1


def test_a_group_ends_at_its_size_and_a_larger_batch_is_alone() -> None:
    rig = Rig(limits=DriverLimits(group_bytes=300)).found()
    node = rig.nodes[0]
    node.grouped_records.clear()
    answers = node.append(batch("a"), batch("x" * 1000), batch("b"), batch("c"))
    rig.deliver()
    assert answers.codes == ["ok"] * 4
    assert node.grouped_records == [1, 1, 2]


def test_behind_a_slow_disk_appends_wait_and_the_next_entry_grows() -> None:
    rig = Rig(limits=DriverLimits(groups_unpersisted=2)).found()
    node = rig.nodes[0]
    node.stalled = True
    node.grouped_records.clear()
    answers = [node.append(batch(str(n))) for n in range(6)]
    assert node.grouped_records == [1, 1]
    node.stalled = False
    rig.deliver()
    assert node.grouped_records == [1, 1, 4]
    assert [a.codes for a in answers] == [["ok"]] * 6


def test_a_disk_that_hangs_holds_up_nothing_that_the_others_commit_until_much_waits_for_it() -> (
    None
):
    rig = Rig(3, limits=DriverLimits(groups_unpersisted=2, groups_ahead=5)).found()
    node = rig.nodes[0]
    node.stalled = True
    answers = []
    for number in range(7):
        answers.append(node.append(batch(str(number))))
        rig.deliver()
    assert [a.codes for a in answers] == [["ok"]] * 5 + [[], []]
    node.stalled = False
    rig.deliver()
    assert [a.codes for a in answers] == [["ok"]] * 7


def test_more_bytes_than_may_wait_are_refused_before_any_effect() -> None:
    rig = Rig(limits=DriverLimits(pending_bytes=400)).found()
    node = rig.nodes[0]
    node.stalled = True
    answers = node.append(batch("x" * 200), batch("y" * 200), batch("z"))
    assert answers.codes == ["overloaded"] and answers[0].outcome == "none"
    node.stalled = False
    rig.deliver()
    assert sorted(answers.codes) == ["ok", "ok", "overloaded"]
    assert node.append(batch("x" * 1000)).codes == [], "one batch is taken whatever its size"


def test_more_batches_than_may_wait_are_refused() -> None:
    rig = Rig(limits=DriverLimits(pending_batches=2)).found()
    node = rig.nodes[0]
    node.stalled = True
    assert node.append(batch("a"), batch("b"), batch("c")).codes == ["overloaded"]


def test_an_append_that_could_not_be_begun_in_time_surely_did_not_happen() -> None:
    rig = Rig(limits=DriverLimits(groups_unpersisted=1)).found()
    node = rig.nodes[0]
    node.stalled = True
    node.append(batch("first"))
    waiting = node.append(batch("late"), within_s=0.1)
    rig.tick(3)
    assert waiting[0].outcome == "none"


def test_an_append_that_was_begun_and_not_committed_in_time_is_unknown() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    node.stalled = True
    answers = node.append(batch("a"), within_s=0.1)
    rig.tick(3)
    assert answers.codes == ["timeout"] and answers[0].outcome == "unknown"
    node.stalled = False
    rig.tick(3)
    assert len(answers) == 1


def test_a_repeat_gets_the_offsets_of_its_original_before_and_after_that_is_committed() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    session = node.call(ProducerRequest("s"))
    rig.deliver()
    numbered = batch("a", session=(session[0].producer_id, 0))
    node.stalled = True
    early = node.append(numbered, numbered)
    again = node.append(numbered)
    assert [*early] == [] and [*again] == []
    node.stalled = False
    rig.deliver()
    late = node.append(numbered)
    offsets = {answer.base_offset for answer in (*early, *again, *late)}
    assert len(offsets) == 1 and len(early) == 2 and len(again) == 1
    assert sorted(answer.duplicate for answer in (*early, *again, *late)) == [False] + [True] * 3
    assert node.duplicates == 3


def test_a_gap_refuses_its_batch_and_no_other_of_the_group() -> None:
    rig = Rig().found()
    node = rig.nodes[0]
    session = node.call(ProducerRequest("s"))
    rig.deliver()
    producer = session[0].producer_id
    answers = node.append(batch("a"), batch("gap", session=(producer, 7)), batch("b"))
    assert answers == []  # what it is judged by, "a" too, must be in the log for good
    rig.deliver()
    assert sorted(answers.codes) == ["ok", "ok", "sequence_gap"]
    one, other = (answer for answer in answers if isinstance(answer, Appended))
    assert other.base_offset == one.base_offset + 1


def test_a_single_member_with_no_first_target_takes_no_data() -> None:
    rig = Rig()
    node = rig.nodes[0]
    assert node.append(batch("a")).codes == ["unassigned"]
