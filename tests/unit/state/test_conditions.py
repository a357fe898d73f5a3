"""`If-Last-Record` at the leader: decided against all that is appended, applied or not."""

import msgspec
import pytest

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog_node.model.controls import ClockAdvanced
from replog_node.state.head import FRESH, Duplicate
from tests.unit.state.log import batch, plain
from tests.unit.state.test_head import Leader


def only_after(last: int, found: CheckedBatch) -> CheckedBatch:
    return msgspec.structs.replace(found, if_last_record=last)


def refused(leader: Leader, found: CheckedBatch) -> object:
    with pytest.raises(ApiError) as refusal:
        leader.admit(found)
    assert (refusal.value.code, refusal.value.status) == ("last_record_mismatch", 412)
    return refusal.value.extra["last_record"]


def test_an_empty_log_takes_what_asks_for_none_and_nothing_else() -> None:
    leader = Leader()
    assert refused(leader, only_after(0, plain(b"a"))) is None
    assert leader.admit(only_after(-1, plain(b"a"))) is FRESH
    assert refused(leader, only_after(-1, plain(b"a"))) == 0


@pytest.mark.parametrize("applied", [False, True])
def test_the_last_record_counts_whether_it_is_applied_or_not(applied: bool) -> None:
    leader = Leader()
    leader.admit(plain(b"a", b"b"))
    if applied:
        leader.apply()
    assert refused(leader, only_after(0, plain(b"c"))) == 1
    assert leader.admit(only_after(1, plain(b"c"))) is FRESH


def test_control_records_do_not_disturb_it() -> None:
    leader = Leader()
    leader.admit(plain(b"a"))
    leader.log.append(ClockAdvanced())
    leader.apply()
    assert leader.admit(only_after(0, plain(b"b"))) is FRESH
    assert refused(leader, only_after(0, plain(b"c"))) == 2


def test_a_repeat_whose_condition_was_met_is_a_repeat() -> None:
    leader = Leader()
    leader.allocate()
    found = only_after(-1, batch(0))
    assert leader.admit(found) is FRESH
    assert isinstance(leader.admit(found), Duplicate)
    assert refused(leader, only_after(-1, batch(1))) == 1


def test_a_refused_batch_uses_up_no_sequence() -> None:
    leader = Leader()
    leader.allocate()
    leader.admit(batch(0))
    refused(leader, only_after(7, batch(1)))
    assert leader.admit(batch(1)) is FRESH


def test_what_a_deposed_leader_appended_is_forgotten() -> None:
    leader = Leader()
    leader.admit(plain(b"a"))
    leader.apply()
    leader.admit(plain(b"never committed"))
    leader.log.cut(leader.applied.offset)
    leader.head.drop()
    assert leader.admit(only_after(0, plain(b"b"))) is FRESH
