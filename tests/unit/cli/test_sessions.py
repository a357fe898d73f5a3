"""`replog append` and its producer session: how long it is asked to last, and how it ends."""

import asyncio
import json
from pathlib import Path

import pytest

from replog.client import ApiError
from tests.unit.cli.running import process, ran
from tests.unit.client.cluster import Cluster, cluster

DAY_MS = 24 * 3600 * 1000


async def _called(made: Cluster, count: int) -> None:
    while len(made.members[0].calls) < count:
        await asyncio.sleep(0.01)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("limit", "asked_ms"), [("60", 600_000), ("3600", 7_200_000), ("1000000", DAY_MS)]
)
async def test_a_session_is_asked_to_outlive_each_call_but_not_by_a_day(
    tmp_path: Path, limit: str, asked_ms: int
) -> None:
    (tmp_path / "input").write_bytes(b"a\n")
    async with cluster(1) as made:
        assert (await ran(made, "append", str(tmp_path / "input"), "--timeout", limit)).code == 0
        assert made.log.asked_ms == [asked_ms]


@pytest.mark.asyncio
async def test_what_was_under_way_before_a_failure_is_waited_for_and_counted() -> None:
    async with cluster(1) as made, process(made, "append", "--output", "json") as started:
        refusal = ApiError("producer_fenced", "a newer epoch")
        made.members[0].faults.extend(["", "hold", refusal])  # the first call is for the session
        assert started.stdin is not None
        started.stdin.write(b"1\n")
        await _called(made, 2)
        started.stdin.write(b"2\n")
        await _called(made, 3)
        await asyncio.sleep(0.2)
        started.stdin.write(b"3\n")
        await asyncio.sleep(0.5)
        made.members[0].held.set()
        out, err = await started.communicate()
        assert started.returncode == 1, err
        assert b"a newer epoch" in err
        assert made.log.values == [b"1"]
        assert json.loads(out)["records"] == 1
