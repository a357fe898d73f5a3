"""The fold: what each record changes, when sessions end, and what stops it."""

from struct import pack

import pytest
from google_crc32c import value as crc32c

from replog.wire.limits import UNUSED_MS
from replog_node.frames.controls import UnknownControl
from replog_node.frames.decode import decode_entry
from replog_node.frames.layout import FRAME_HEADER_BYTES
from replog_node.model.controls import (
    ClockAdvanced,
    Control,
    LogCreated,
    ProducerFenced,
    TermStarted,
)
from replog_node.model.entries import Entry
from replog_node.model.positions import Lineage, MemberId
from replog_node.state.applied import AppliedState
from tests.unit.state.log import CLUSTER, EXPIRES_AFTER_MS, Log, allocated, batch, plain

DAY_MS = 24 * 3600 * 1000
LINEAGE = Lineage(1, "0123456789abcdef")


def folded(log: Log) -> AppliedState:
    state = AppliedState()
    for entry in log.entries:
        state.apply(entry)
    return state


def test_a_log_says_who_it_is_in_its_first_record() -> None:
    log = Log()
    log.append(LogCreated(CLUSTER, LINEAGE))

    state = folded(log)

    assert (state.cluster_id, state.lineage, state.offset) == (CLUSTER, LINEAGE, 0)


def test_control_records_take_offsets_and_are_not_the_last_data_record() -> None:
    log = Log()
    log.append(batches=[plain(b"a"), plain(b"b", b"c")])
    log.append(TermStarted(MemberId("m")), ClockAdvanced())

    state = folded(log)

    assert (state.offset, state.last_record) == (4, 2)


def test_log_time_is_the_last_entrys() -> None:
    log = Log()
    log.append(batches=[plain(b"a")])
    log.time_ms = 77
    log.append(ClockAdvanced())

    assert folded(log).log_time_ms == 77


def test_an_entry_that_does_not_follow_is_refused() -> None:
    log = Log()
    log.append(batches=[plain(b"a")])
    log.append(batches=[plain(b"b")])
    state = AppliedState()

    with pytest.raises(ValueError, match="doesn't follow"):
        state.apply(log.entries[1])
    state.apply(log.entries[0])
    with pytest.raises(ValueError, match="doesn't follow"):
        state.apply(log.entries[0])


def test_an_unknown_control_stops_the_fold_and_changes_nothing() -> None:
    log = Log()
    log.append(ClockAdvanced(), batches=[plain(b"a")])
    state = AppliedState()
    before = state.digest()

    with pytest.raises(UnknownControl, match="a newer one wrote it, so run that"):
        state.apply(of_the_future(log.entries[0]))
    assert state.digest() == before


def of_the_future(entry: Entry) -> Entry:
    """The entry with its control record's type made one that nobody knows."""
    key = pack(">hh", 0, 4)
    at = entry.frame.index(key, FRAME_HEADER_BYTES)
    frame = entry.frame[:at] + pack(">hh", 0, 99) + entry.frame[at + 4 :]
    first = FRAME_HEADER_BYTES
    end = first + 12 + int.from_bytes(frame[first + 8 : first + 12], "big")
    sealed = pack(">I", crc32c(frame[first + 21 : end]))
    return decode_entry(frame[: first + 17] + sealed + frame[first + 21 :])


def test_a_session_remembers_its_last_five_batches() -> None:
    log = Log()
    log.append(allocated())
    log.append(batches=[batch(sequence) for sequence in range(7)])

    session = folded(log).sessions[1]

    assert [known.first_sequence for known in session.batches] == [2, 3, 4, 5, 6]
    assert [known.base for known in session.batches] == [3, 4, 5, 6, 7]
    assert session.expected == 7


def test_a_batch_of_nobody_makes_no_session() -> None:
    log = Log()
    log.append(batches=[batch(0, producer=9), plain(b"a")])

    assert folded(log).sessions == {}


def test_a_batch_of_another_epoch_changes_no_session() -> None:
    log = Log()
    log.append(allocated(epoch=3))
    log.append(batches=[batch(0, epoch=2), batch(0, epoch=4)])

    assert folded(log).sessions[1].batches == ()


def test_ids_go_on_from_the_highest_that_was_allocated() -> None:
    log = Log()
    log.append(allocated(7))
    log.append(allocated(3))

    assert folded(log).next_producer_id == 8


def test_a_fence_raises_the_epoch_and_begins_the_sequences_anew() -> None:
    log = Log()
    log.append(allocated())
    log.append(batches=[batch(0)])
    log.append(ProducerFenced(1, 5), ProducerFenced(1, 4), ProducerFenced(2, 1))

    session = folded(log).sessions[1]

    assert (session.epoch, session.expected) == (5, 0)


def test_a_session_ends_only_when_log_time_has_passed_its_expiry() -> None:
    log = Log()
    log.append(allocated(request="r"))
    log.time_ms += EXPIRES_AFTER_MS
    log.append(ClockAdvanced())
    assert folded(log).by_request == {"r": 1}

    log.time_ms += 1
    log.append(ClockAdvanced())

    state = folded(log)
    assert (state.sessions, state.by_request) == ({}, {})
    assert state.next_producer_id == 2


def test_an_append_keeps_a_session_though_it_comes_after_the_expiry() -> None:
    """Its admission was judged by the log time before it, so it is the fold's to honour."""
    log = Log()
    log.append(allocated())
    log.time_ms += EXPIRES_AFTER_MS + 1
    log.append(batches=[batch(0)])

    assert folded(log).sessions[1].expected == 1


def test_each_session_expires_by_the_time_of_its_own_record() -> None:
    log = Log()
    log.append(allocated(1, expires_after_ms=50), allocated(2, expires_after_ms=20))
    log.append(allocated(3, expires_after_ms=90), allocated(4, expires_after_ms=21))
    left = []
    for step_ms in (21, 1, 28, 1, 39, 1):
        log.time_ms += step_ms
        log.append(ClockAdvanced())
        left.append(sorted(folded(log).sessions))

    assert left == [[1, 3, 4], [1, 3], [1, 3], [3], [3], []]


def test_a_session_that_nothing_was_appended_to_ends_early() -> None:
    log = Log()
    log.append(allocated(1, expires_after_ms=DAY_MS), allocated(2, expires_after_ms=DAY_MS))
    log.append(batches=[batch(0, producer=2)])
    left = []
    for step_ms in (UNUSED_MS, 1, DAY_MS - UNUSED_MS - 1, 1):
        log.time_ms += step_ms
        log.append(ClockAdvanced())
        left.append(sorted(folded(log).sessions))

    assert left == [[1, 2], [2], [2], []]


def test_a_session_that_was_fenced_has_been_used_all_the_same() -> None:
    log = Log()
    log.append(allocated(expires_after_ms=DAY_MS))
    log.append(batches=[batch(0)])
    log.append(ProducerFenced(1, 1))
    log.time_ms += UNUSED_MS + 1
    log.append(ClockAdvanced())

    assert sorted(folded(log).sessions) == [1]


def test_a_request_that_was_given_a_newer_session_keeps_it_when_the_older_ends() -> None:
    log = Log()
    log.append(allocated(1, request="r"))
    log.time_ms += EXPIRES_AFTER_MS
    log.append(allocated(2, request="r"))
    log.time_ms += 1
    log.append(ClockAdvanced())

    state = folded(log)
    assert (sorted(state.sessions), state.by_request) == ([2], {"r": 2})


def test_the_digest_tells_states_at_the_same_offset_and_time_apart() -> None:
    logs: list[tuple[Control, ...]] = [
        (LogCreated(CLUSTER, LINEAGE),), (LogCreated(CLUSTER, Lineage(2, "x")),),
        (ClockAdvanced(),), (allocated(1),), (allocated(2),), (allocated(1, epoch=1),),
        (allocated(1, request="r"),), (allocated(1, expires_after_ms=1),),
    ]  # fmt: skip
    ends = [(), (batch(0),), (batch(0, [b"b"]),), (batch(5),), (batch(0, epoch=1),)]
    digests = []
    for first in logs:
        log = Log()
        log.append(*first)
        digests.append(folded(log).digest())
    for end in ends:
        log = Log()
        log.append(allocated())
        log.append(*(() if end else (ClockAdvanced(),)), batches=end)
        digests.append(folded(log).digest())

    assert len(set(digests)) == len(logs) + len(ends)
