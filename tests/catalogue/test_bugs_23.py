"""Bug 23 of docs/bugs.md: watches that went back in time, or dropped or invented events.

Here a reader follows the log as events. It gets each record once, in order, from where it asked;
when that can't be, it is told why and gets nothing more.

Decides: which situation each report needs. Must not know: how it is handled.
Read next: index.py, following.py, hands.py.
"""

import asyncio

import pytest

from replog.wire.schemas import TrimRequest
from replog_node.model.positions import ORIGIN
from replog_node.raft.limits import CoreLimits
from tests.catalogue.following import follow, served, told
from tests.catalogue.hands import core_of, cut_power, fill, snapshot_taken
from tests.catalogue.index import bug
from tests.unit.driver.rig import Node, Rig, batch
from tests.unit.web.serving import Served

pytestmark = pytest.mark.asyncio

READ_FROM_DISK = CoreLimits(cache_bytes=1)


def _appended(rig: Rig, *values: str) -> int:
    """The offset of the first of these, appended as one batch."""
    answers = rig.nodes[0].append(batch(*values))
    rig.tick(2)
    return int(answers[0].base_offset)


def _trimmed_away(rig: Rig) -> int:
    """Append much, and let nothing of it be kept but the end; where the log starts then."""
    fill(rig)
    snapshot_taken(rig)
    start = fill(rig) - 5
    rig.nodes[0].call(TrimRequest(start))
    rig.tick(5)
    assert core_of(rig.nodes[0]).start > ORIGIN
    return start


def _back(rig: Rig, node: Node) -> None:
    """A member that was cut off is connected again, and has caught up."""
    rig.cut_off = set()
    rig.nodes[0].driver.peer_up(node.member)
    rig.tick(60)


@bug(23, "etcd#15271")
async def test_a_reader_at_a_member_that_was_cut_off_goes_on_where_it_was() -> None:
    rig = Rig(3, core_limits=READ_FROM_DISK).found()
    follower = rig.nodes[1]
    first = _appended(rig, "a")
    async with (
        served(rig, follower) as server,
        follow(server, f"from={first}&consistency=local") as reader,
    ):
        assert await told(reader, 1) == [first]
        rig.cut_off = {follower.member}
        more = [_appended(rig, "b", "c"), _appended(rig, "d")]
        _back(rig, follower)
        assert await told(reader, 3) == [more[0], more[0] + 1, more[1]]


@bug(23, "etcd#15271")
async def test_a_reader_at_a_member_that_began_anew_at_a_snapshot_is_told_that_it_lost_its_place(
) -> None:  # fmt: skip
    """It neither sees old records again nor goes on behind what it never saw."""
    rig = Rig(3, core_limits=READ_FROM_DISK).found()
    follower = rig.nodes[1]
    first = _appended(rig, "a")
    async with (
        served(rig, follower) as server,
        follow(server, f"from={first}&consistency=local") as reader,
    ):
        assert await told(reader, 1) == [first]
        rig.cut_off = {follower.member}
        _trimmed_away(rig)
        _back(rig, follower)
        assert core_of(follower).start > ORIGIN
        assert await told(reader, 9) == ["offset_trimmed"]


@bug(23, "etcd#17529")
async def test_a_reader_that_is_too_slow_is_told_where_its_place_is_gone() -> None:
    """Another reader, at the same member, takes everything meanwhile."""
    rig = Rig(core_limits=READ_FROM_DISK).found()
    node = rig.nodes[0]
    first = _appended(rig, "a")
    async with (
        served(rig, node) as server,
        follow(server, f"from={first}") as slow,
        follow(server, f"from={first}") as quick,
    ):
        for _ in range(60):
            end = _appended(rig, *["x" * 4000] * 15) + 15
        everything = [*range(first, end)]
        assert await told(quick, len(everything)) == everything
        _trimmed_away(rig)
        seen = await told(slow, 2 * len(everything))
    assert 1 < len(seen) < len(everything)
    assert seen == [*everything[: len(seen) - 1], "offset_trimmed"]


@bug(23, "etcd#18089", "etcd#19179")
@pytest.mark.parametrize("dies", [False, True], ids=["it runs on", "it dies in the midst of it"])
async def test_a_read_from_the_very_place_that_a_trim_left_gets_what_lies_there(dies: bool) -> None:
    """In the middle of a batch; also where the disk has not let go of what lies below."""
    rig = Rig(core_limits=READ_FROM_DISK).found()
    node = rig.nodes[0]
    fill(rig)
    first = _appended(rig, "a", "b", "c")
    snapshot_taken(rig)
    last = _appended(rig, "d")
    node.call(TrimRequest(first + 1))
    if dies:
        rig.deliver()
        cut_power([node], seed=6)
        node.start()
    rig.tick(5)
    async with (
        served(rig, node) as server,
        follow(server, f"from={first + 1}") as reader,
        follow(server, "from=earliest") as from_the_start,
        follow(server, f"from={first}") as refused,
    ):
        assert await told(reader, 3) == [first + 1, first + 2, last]
        assert await told(from_the_start, 3) == [first + 1, first + 2, last]
        assert refused.status == 410


@bug(23, "etcd#20221")
@pytest.mark.parametrize("snapshot", [False, True], ids=["the log is sent", "a snapshot is sent"])
async def test_a_reader_ahead_of_a_member_gets_nothing_older_than_it_asked_for(
    snapshot: bool,
) -> None:
    """It was at another member and asks one that lags, which catches up only then."""
    rig = Rig(3, core_limits=READ_FROM_DISK).found()
    behind = rig.nodes[1]
    rig.cut_off = {behind.member}
    if snapshot:
        _trimmed_away(rig)
    _appended(rig, "seen already")
    wanted = _appended(rig, "to come", "and on")
    async with served(rig, behind) as server:
        async with follow(server, f"from={wanted}&consistency=local") as refused:
            assert refused.status == 416
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(_first_of(server, wanted))
            await asyncio.sleep(0.02)
            assert not asked.done()
            _back(rig, behind)
        assert asked.result() == [wanted, wanted + 1]
    assert (core_of(behind).start > ORIGIN) == snapshot


async def _first_of(server: Served, wanted: int) -> list[int | str]:
    async with follow(server, f"from={wanted}") as reader:
        return await told(reader, 2)
