"""Admission: what is new, what is a repeat, what is refused, ahead of what is applied."""

from collections.abc import Callable
from typing import Any

import pytest

from replog.wire.batches import CheckedBatch
from replog.wire.limits import EXPIRES_AFTER_MOST_MS, SEQUENCES, UNUSED_MS
from replog.wire.problems import ApiError
from replog_node.model.controls import ClockAdvanced, ProducerFenced
from replog_node.model.positions import Offset
from replog_node.state.applied import AppliedState
from replog_node.state.head import FRESH, Duplicate, Fresh, HeadState
from replog_node.state.producers import EPOCH_MAX
from tests.unit.state.log import EXPIRES_AFTER_MS as SHORT_MS
from tests.unit.state.log import Log, allocated, batch, plain


class Leader:
    """A log, its applied state and the head state over it."""

    def __init__(self, *, sessions_max: int = 10) -> None:
        self.log = Log()
        self.applied = AppliedState()
        self.head = HeadState(self.applied, sessions_max)

    def admit(self, found: CheckedBatch) -> Fresh | Duplicate:
        answer = self.head.admit(found, self.log.end, self.log.tail.append_time_ms)
        if answer is FRESH:
            self.log.append(batches=[found])
        return answer

    def allocate(self, request: str = "") -> int:
        allocation = self.head.allocate(request)
        if allocation.known_since is None:
            base = self.log.end
            entry = self.log.append(allocation.record)
            self.head.allocated(allocation.record, base, entry.append_time_ms)
        return allocation.record.producer_id

    def apply(self) -> None:
        for entry in self.log.entries:
            if entry.base > self.applied.offset:
                self.applied.apply(entry)
        self.head.applied_through(self.applied.offset)

    def refused(self, found: CheckedBatch) -> ApiError:
        with pytest.raises(ApiError) as refusal:
            self.admit(found)
        return refusal.value


@pytest.fixture(params=["ahead", "applied"])
def leader(request: pytest.FixtureRequest) -> Leader:
    """With the session 1 of epoch 0 and its batches 0…6, applied or not."""
    made = Leader()
    assert made.allocate() == 1
    for sequence in range(7):
        assert made.admit(batch(sequence)) is FRESH
    if request.param == "applied":
        made.apply()
    return made


def test_a_batch_without_a_session_is_always_new() -> None:
    leader = Leader()

    assert [leader.admit(plain(b"a")) for _ in range(2)] == [FRESH, FRESH]


def test_an_exact_repeat_is_told_where_it_is_and_whether_it_is_applied(leader: Leader) -> None:
    pending = leader.applied.offset < 0

    assert leader.admit(batch(6)) == Duplicate(Offset(7), Offset(7), pending)
    assert leader.admit(batch(2)) == Duplicate(Offset(3), Offset(3), pending)


def test_the_next_batch_is_new_after_repeats(leader: Leader) -> None:
    leader.admit(batch(6))

    assert leader.admit(batch(7)) is FRESH


def test_a_gap_is_refused_with_the_sequence_that_is_expected(leader: Leader) -> None:
    refusal = leader.refused(batch(8))

    assert (refusal.code, refusal.extra) == ("sequence_gap", {"expected": 7})


@pytest.mark.parametrize(
    "other",
    [batch(6, [b"b"]), batch(6, [b"a", b"a"]), batch(1), batch(5, [b"a", b"a"])],
    ids=["other bytes", "longer", "no longer remembered", "over two"],
)
def test_a_sequence_that_was_used_is_refused(leader: Leader, other: CheckedBatch) -> None:
    assert leader.refused(other).code == "sequence_conflict"


def test_a_refused_batch_changes_nothing(leader: Leader) -> None:
    for wrong in (batch(9), batch(6, [b"b"]), batch(7, epoch=1), batch(0, producer=9)):
        leader.refused(wrong)

    assert leader.admit(batch(7)) is FRESH


def test_a_producer_that_was_never_allocated_is_unknown(leader: Leader) -> None:
    assert leader.refused(batch(0, producer=2)).code == "producer_unknown"


def test_an_epoch_that_was_never_given_is_unknown(leader: Leader) -> None:
    assert leader.refused(batch(7, epoch=1)).code == "producer_unknown"


def test_an_older_epoch_is_fenced_and_the_new_one_begins_at_zero() -> None:
    leader = Leader()
    leader.allocate()
    leader.log.append(ProducerFenced(1, 2))
    leader.apply()

    assert leader.refused(batch(0, epoch=1)).code == "producer_fenced"
    assert leader.refused(batch(1, epoch=2)).code == "sequence_gap"
    assert leader.admit(batch(0, epoch=2)) is FRESH


def test_the_last_epoch_is_not_appended_to() -> None:
    leader = Leader()
    leader.allocate()
    leader.log.append(ProducerFenced(1, EPOCH_MAX))
    leader.apply()

    assert leader.refused(batch(0, epoch=EPOCH_MAX)).code == "epoch_exhausted"


def test_sequences_wrap_and_repeats_across_the_wrap_are_known() -> None:
    leader = Leader()
    leader.allocate()
    leader.log.append(batches=[batch(SEQUENCES - 1)])
    leader.apply()

    assert leader.refused(batch(1)).extra == {"expected": 0}
    assert leader.admit(batch(0, [b"a", b"b"])) is FRESH
    assert leader.admit(batch(SEQUENCES - 1)) == Duplicate(Offset(1), Offset(1), pending=False)
    assert leader.admit(batch(2)) is FRESH
    assert leader.refused(batch(SEQUENCES - 2)).code == "sequence_conflict"


def test_a_batch_may_lie_across_the_wrap() -> None:
    leader = Leader()
    leader.allocate()
    leader.log.append(batches=[batch(SEQUENCES - 2)])
    leader.apply()

    assert leader.admit(batch(SEQUENCES - 1, [b"a", b"b", b"c"])) is FRESH
    assert leader.admit(batch(2)) is FRESH


@pytest.mark.parametrize("late_ms", [0, 1])
def test_a_session_is_expired_at_admission_as_in_the_fold(late_ms: int) -> None:
    leader = Leader()
    leader.log.append(allocated(1))
    leader.apply()
    leader.log.time_ms += SHORT_MS + late_ms
    leader.log.append(ClockAdvanced())

    if late_ms:
        assert leader.refused(batch(0)).code == "producer_unknown"
    else:
        assert leader.admit(batch(0)) is FRESH


def test_what_is_dropped_is_not_remembered() -> None:
    leader = Leader()
    leader.allocate()
    leader.apply()
    leader.admit(batch(0))
    leader.head.drop()
    leader.log.cut(leader.applied.offset)

    assert leader.admit(batch(0)) is FRESH


def test_the_overlay_forgets_what_is_applied_and_keeps_what_is_not() -> None:
    leader = Leader()
    leader.allocate()
    leader.admit(batch(0))
    leader.apply()
    leader.admit(batch(1))
    leader.head.applied_through(leader.applied.offset)

    assert leader.admit(batch(1)) == Duplicate(Offset(2), Offset(2), pending=True)
    leader.apply()
    assert leader.head.overlay == 0


@pytest.mark.parametrize("settle", [Leader.apply, lambda leader: None], ids=["applied", "ahead"])
def test_a_request_that_is_repeated_gets_the_same_session(settle: Callable[[Leader], Any]) -> None:
    leader = Leader()
    first = leader.allocate("r")
    settle(leader)

    assert leader.allocate("r") == first
    assert leader.allocate("s") == first + 1
    assert leader.head.allocate("r").known_since == 0


def test_requests_without_a_key_get_sessions_of_their_own() -> None:
    leader = Leader()

    assert [leader.allocate() for _ in range(3)] == [1, 2, 3]


def test_ids_are_not_given_twice_when_the_lead_is_lost_and_won() -> None:
    leader = Leader()
    first = leader.allocate()
    leader.head.drop()
    leader.apply()

    assert leader.allocate() == first + 1


def test_a_request_that_was_lost_with_the_lead_does_not_get_the_session_of_another() -> None:
    leader = Leader()
    lost = leader.allocate("r")
    leader.log.cut(Offset(-1))
    leader.head.drop()

    assert leader.allocate("s") == lost
    assert leader.allocate("r") == lost + 1


def test_a_new_session_expires_after_a_day_of_log_time_unless_less_is_asked_for() -> None:
    head = Leader().head

    assert head.allocate("").record.expires_after_ms == EXPIRES_AFTER_MOST_MS == 86_400_000
    assert head.allocate("", 60_000).record.expires_after_ms == 60_000


def test_a_repeated_request_does_not_change_when_its_session_expires() -> None:
    leader = Leader()
    leader.allocate("r")
    leader.apply()

    assert leader.head.allocate("r", 60_000).record.expires_after_ms == EXPIRES_AFTER_MOST_MS


def test_sessions_that_nothing_was_appended_to_make_room_after_ten_minutes() -> None:
    leader = Leader(sessions_max=2)
    leader.allocate()
    leader.allocate()
    leader.admit(batch(0, producer=2))
    leader.log.time_ms += UNUSED_MS + 1
    leader.log.append(ClockAdvanced())
    assert leader.refused(batch(0)).code == "producer_unknown"
    leader.apply()

    assert leader.allocate() == 3
    with pytest.raises(ApiError, match="producers_full"):
        leader.allocate()
    assert leader.admit(batch(1, producer=2)) is FRESH


@pytest.mark.parametrize("settle", [Leader.apply, lambda leader: None], ids=["applied", "ahead"])
def test_at_the_limit_a_session_is_given_only_when_one_has_ended(
    settle: Callable[[Leader], Any],
) -> None:
    leader = Leader(sessions_max=2)
    leader.allocate("r")
    leader.allocate()
    settle(leader)

    with pytest.raises(ApiError, match="producers_full"):
        leader.allocate()
    assert leader.allocate("r") == 1

    leader.log.time_ms += EXPIRES_AFTER_MOST_MS + 1
    leader.log.append(ClockAdvanced())
    leader.apply()
    assert leader.allocate() == 3


def test_a_session_that_is_appended_to_counts_once_against_the_limit() -> None:
    leader = Leader(sessions_max=2)
    leader.allocate()
    leader.apply()
    leader.admit(batch(0))

    assert leader.allocate() == 2
