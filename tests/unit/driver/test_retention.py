"""What retention gives up (driver/retention.py), and when a leader says so (driver/schedule.py)."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from replog_node.driver.limits import DriverLimits
from replog_node.driver.retention import Trim, retention_trim
from replog_node.driver.schedule import CLOCKS_APART_MS
from replog_node.frames.decode import controls
from replog_node.model.controls import ClockAdvanced, Control, LogTrimmed, SnapshotPoint
from replog_node.model.positions import Offset
from replog_node.storage.store import SegmentInfo
from tests.unit.driver.rig import Rig, batch

HOUR_MS = 3_600_000


def segments(*sizes: int, step_ms: int = 10) -> list[SegmentInfo]:
    """Segments of ten offsets each, with these sizes, step_ms apart, the first at 0 ms."""
    return [
        SegmentInfo(Offset(10 * n), Offset(10 * n + 9), size, n * step_ms)
        for n, size in enumerate(sizes)
    ]


def trim(
    found: Sequence[SegmentInfo], *, log_start: int = 0, now_ms: int = 0,
    size: int = 0, age_ms: int = 0,
) -> Trim | None:  # fmt: skip
    return retention_trim(
        found, Offset(log_start), now_ms, retention_bytes=size, retention_age_ms=age_ms
    )


def test_without_bounds_all_is_kept() -> None:
    assert trim(segments(5, 5, 5), now_ms=10**9) is None
    assert trim([], now_ms=5, size=1, age_ms=1) is None


def test_a_segment_goes_when_the_rest_is_still_as_much_as_is_kept() -> None:
    found = segments(5, 5, 5, 5)
    assert trim(found, size=16) is None
    assert trim(found, size=15) == Trim(Offset(10), "bytes")
    assert trim(found, size=10) == Trim(Offset(20), "bytes")
    assert trim(found, size=1) == Trim(Offset(30), "bytes"), "the last one stays"


def test_a_segment_goes_when_its_newest_entry_is_older_than_the_bound() -> None:
    found = segments(5, 5, 5)
    assert trim(found, now_ms=20, age_ms=20) is None, "exactly as old as allowed"
    assert trim(found, now_ms=21, age_ms=20) == Trim(Offset(10), "age")
    assert trim(found, now_ms=10**6, age_ms=20) == Trim(Offset(20), "age"), "the last one stays"


def test_what_is_given_up_already_is_not_given_up_again() -> None:
    found = segments(5, 5, 5, 5)
    assert trim(found, log_start=20, size=10) is None
    assert trim(found, log_start=25, size=1) == Trim(Offset(30), "bytes")


@given(
    sizes=st.lists(st.integers(0, 50), max_size=12),
    log_start=st.integers(0, 130),
    now_ms=st.integers(0, 200),
    size=st.integers(0, 300),
    age_ms=st.integers(0, 200),
)
def test_a_trim_keeps_what_the_bounds_promise_and_leaves_nothing_that_they_give_up(
    sizes: list[int], log_start: int, now_ms: int, size: int, age_ms: int
) -> None:
    found = segments(*sizes)
    due = trim(found, log_start=log_start, now_ms=now_ms, size=size, age_ms=age_ms)
    start = log_start if due is None else due.log_start
    assert due is None or start > log_start
    kept = [segment for segment in found if segment.base >= start]
    gone = [segment for segment in found if segment.base < start]
    if due is not None:
        by_bytes = size and sum(s.size_bytes for s in kept) >= size
        by_age = age_ms and all(s.last_append_time_ms < now_ms - age_ms for s in gone)
        assert kept and (by_bytes if due.cause == "bytes" else by_age)
    if len(kept) > 1:
        assert not size or sum(s.size_bytes for s in kept[1:]) < size
        assert not age_ms or kept[0].last_append_time_ms >= now_ms - age_ms


def filled(rig: Rig, count: int = 60) -> None:
    """Some segments of records."""
    for number in range(count):
        rig.nodes[0].append(batch(f"{number:04d}" + "x" * 4000))
        rig.deliver()


def written(rig: Rig, kind: type[Control]) -> list[Control]:
    """The controls of a kind in what the first member still has."""
    node = rig.nodes[0]
    entries = node.entries(node.driver.kernel.log_begins_after().offset + 1)
    while entries[-1].last < node.driver.applied.offset:
        entries += node.entries(entries[-1].last + 1)
    return [c for entry in entries for _, c in controls(entry) if isinstance(c, kind)]


def starts(rig: Rig) -> set[int]:
    return {node.driver.applied.log_start for node in rig.nodes}


def test_a_leader_trims_by_bytes_and_says_why() -> None:
    rig = Rig(3, limits=DriverLimits(retention_bytes=100_000)).found()
    filled(rig)
    rig.tick(45)
    (start,) = starts(rig)
    trims = written(rig, LogTrimmed)
    assert start > 0 and trims and trims[-1] == LogTrimmed(start, "bytes")
    rig.tick(100)
    assert written(rig, LogTrimmed) == trims, "nothing more is due, so nothing is written"


def test_log_time_alone_makes_a_segment_old_and_a_clock_record_moves_it() -> None:
    rig = Rig(3, limits=DriverLimits(retention_age_ms=HOUR_MS)).found()
    filled(rig)
    rig.tick(45)
    assert starts(rig) == {0}
    for node in rig.nodes:
        node.wall_ms_ += 2 * HOUR_MS
    rig.tick(60)
    assert written(rig, ClockAdvanced), "nobody writes, so the leader must"
    (start,) = starts(rig)
    assert written(rig, LogTrimmed) == [LogTrimmed(start, "age")] and start > 0


def test_nothing_is_given_up_for_its_age_while_clocks_disagree() -> None:
    rig = Rig(3, limits=DriverLimits(retention_age_ms=HOUR_MS)).found()
    filled(rig)
    leader, *others = rig.nodes
    for node in (leader, others[0]):
        node.wall_ms_ += 2 * HOUR_MS
    before_ms = leader.driver.applied.log_time_ms
    rig.tick(10)
    leader.append(batch("so that log time moves"))
    rig.tick(60)
    assert leader.driver.applied.log_time_ms > before_ms + HOUR_MS
    assert starts(rig) == {0} and not written(rig, ClockAdvanced)
    assert "ClocksDisagree" in [wait.code for wait in leader.driver.waits()]
    others[1].wall_ms_ += 2 * HOUR_MS - CLOCKS_APART_MS // 2
    rig.tick(60)
    assert starts(rig) != {0}
    assert "ClocksDisagree" not in [wait.code for wait in leader.driver.waits()]


def test_one_snapshot_point_at_a_time_is_under_way() -> None:
    rig = Rig(3, limits=DriverLimits(snapshot_bytes=20_000)).found()
    filled(rig, 12)
    assert rig.nodes[0].driver.applied.bytes_since_point > 20_000
    for node in rig.nodes:
        node.stalled = True  # so that the point isn't committed for some ticks
    rig.tick(5)
    for node in rig.nodes:
        node.stalled = False
    rig.tick(30)
    assert len(written(rig, SnapshotPoint)) == 1
