"""When a lease is taken, renewed, waited for (replog_operator/kube/lease.py)."""

from datetime import UTC, datetime

import pytest

from replog_operator.kube.lease import (
    Lease,
    Renew,
    Seen,
    Take,
    Timing,
    Wait,
    decide,
    read,
    seen,
    written,
)

OTHERS = Lease("other", 4, "12:00:00", 15.0, "90")
MINE = OTHERS._replace(holder="me")


def test_a_lease_that_is_not_there_is_made() -> None:
    assert decide("me", Seen(None, 0.0), 0.0) == Take(1, None)


def test_a_released_lease_is_taken_at_once() -> None:
    freed = OTHERS._replace(holder="")
    assert decide("me", Seen(freed, 100.0), 100.0) == Take(5, "90")


@pytest.mark.parametrize(
    ("now_s", "wanted"), [(100.0, Wait(115.0)), (114.9, Wait(115.0)), (115.0, Take(5, "90"))]
)
def test_anothers_lease_is_taken_once_no_renewal_was_seen_for_its_duration(
    now_s: float, wanted: object
) -> None:
    assert decide("me", Seen(OTHERS, 100.0), now_s) == wanted


def test_a_renewal_begins_the_wait_anew_and_a_mere_change_of_version_does_not() -> None:
    first = seen(None, OTHERS, 100.0)
    touched = seen(first, OTHERS._replace(version="91"), 105.0)
    renewed = seen(touched, OTHERS._replace(version="92", renewed="12:00:02"), 106.0)
    assert [first.since_s, touched.since_s, renewed.since_s] == [100.0, 100.0, 106.0]
    assert touched.lease is not None and touched.lease.version == "91"


def test_a_lease_that_is_held_is_renewed_and_keeps_its_number() -> None:
    assert decide("me", Seen(MINE, 0.0), 1000.0) == Renew(4, "90")


@pytest.mark.parametrize(("above", "number"), [(3, 4), (4, 5), (9, 10)])
def test_the_holders_number_rises_above_what_a_log_has_seen(above: int, number: int) -> None:
    assert decide("me", Seen(MINE, 0.0), 0.0, above=above) == Renew(number, "90")
    assert decide("me", Seen(None, 0.0), 0.0, above=above) == Take(above + 1, None)


def test_the_number_ends_where_the_api_ends() -> None:
    last = OTHERS._replace(holder="", transitions=2**31 - 1)
    assert decide("me", Seen(last, 0.0), 0.0) == Take(2**31 - 1, "90")


def test_what_is_written_is_read_again() -> None:
    now = datetime(2026, 11, 25, 12, 0, 0, 5, tzinfo=UTC)
    made = written(("ns", "operator"), "me", 4, Timing(), now, "90")
    assert made["spec"]["renewTime"] == "2026-11-25T12:00:00.000005Z"
    assert read(made) == Lease("me", 4, "2026-11-25T12:00:00.000005Z", 15.0, "90")
    assert "resourceVersion" not in written(("ns", "o"), "me", 1, Timing(), now, None)["metadata"]


def test_a_lease_that_was_never_held_holds_nobody_up() -> None:
    bare = read({"metadata": {"resourceVersion": "1"}})
    assert decide("me", Seen(bare, 5.0), 5.0) == Take(1, "1")


def test_what_a_holder_sent_last_has_ended_before_another_acts() -> None:
    timing = Timing()
    longest_write_s = 5.0  # writing.py: WRITE_S
    assert timing.write_s + longest_write_s <= timing.duration_s
    assert timing.every_s + 2 * timing.request_s < timing.write_s  # one round may fail
