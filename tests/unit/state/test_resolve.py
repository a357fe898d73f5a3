"""What became of an epoch: fenced at the leader, answered for good (design, Producers)."""

from typing import Any

import pytest

from replog.wire.problems import ApiError
from replog_node.model.controls import ProducerFenced
from replog_node.state.head import FRESH
from replog_node.state.producers import EPOCH_MAX
from tests.unit.state.log import allocated, batch
from tests.unit.state.test_head import Leader


def resolve(leader: Leader, epoch: int = 0, producer: int = 1) -> tuple[Any, ...]:
    """Ask as driver/admin.py does; (new epoch, last sequence, last offset, repeated)."""
    fence = leader.head.resolve(producer, epoch)
    if fence.known_since is None:
        base = leader.log.end
        record = ProducerFenced(producer, fence.answer.epoch)
        entry = leader.log.append(record)
        leader.head.fenced(record, base, entry.append_time_ms)
    found = fence.answer
    return found.epoch, found.last_sequence, found.last_offset, found.repeated


def refused(leader: Leader, epoch: int, producer: int = 1) -> str:
    with pytest.raises(ApiError) as refusal:
        leader.head.resolve(producer, epoch)
    return refusal.value.code


@pytest.fixture(params=["ahead", "applied"])
def leader(request: pytest.FixtureRequest) -> Leader:
    """With a session and its batches 0 and 1..2, applied or not."""
    made = Leader()
    made.allocate()
    made.admit(batch(0))
    made.admit(batch(1, (b"x", b"y")))
    if request.param == "applied":
        made.apply()
    return made


def test_it_tells_the_last_record_that_was_appended_and_begins_the_next_epoch(
    leader: Leader,
) -> None:
    assert resolve(leader) == (1, 2, 3, False)
    assert leader.refused(batch(3)).code == "producer_fenced"
    assert leader.admit(batch(0, epoch=1)) is FRESH


def test_a_late_repeat_of_the_old_epoch_is_fenced_although_it_was_appended(leader: Leader) -> None:
    resolve(leader)
    assert leader.refused(batch(1, (b"x", b"y"))).code == "producer_fenced"


@pytest.mark.parametrize("applied", [False, True])
def test_asked_again_it_tells_the_same_whatever_came_since(leader: Leader, applied: bool) -> None:
    resolve(leader)
    leader.admit(batch(0, epoch=1))
    if applied:
        leader.apply()
    assert resolve(leader) == (1, 2, 3, True)


def test_an_epoch_in_which_nothing_was_appended_has_no_last_record() -> None:
    leader = Leader()
    leader.allocate()
    assert resolve(leader) == (1, None, None, False)
    assert resolve(leader) == (1, None, None, True)
    assert resolve(leader, 1) == (2, None, None, False)


def test_an_older_epoch_an_unknown_one_and_an_unknown_producer_are_refused(leader: Leader) -> None:
    resolve(leader)
    resolve(leader, 1)
    assert refused(leader, 0) == "producer_fenced"
    assert refused(leader, 3) == "producer_unknown"
    assert refused(leader, 0, producer=7) == "producer_unknown"


def test_the_last_epoch_can_be_fenced_into_but_not_out_of() -> None:
    leader = Leader()
    leader.log.append(allocated(1, epoch=EPOCH_MAX - 1))
    leader.apply()
    assert resolve(leader, EPOCH_MAX - 1)[0] == EPOCH_MAX
    assert refused(leader, EPOCH_MAX) == "epoch_exhausted"
