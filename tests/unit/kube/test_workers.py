"""Passes by several workers (replog_operator/kube/workers.py)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from replog.logs import Log
from replog_operator.kube import workers as workers_module
from replog_operator.kube.fence import Deposed, since_boot_s
from replog_operator.kube.workers import Pass, Workers
from replog_operator.kube.workqueue import Key

A, B = Key("ns", "a"), Key("ns", "b")


@asynccontextmanager
async def working(run: Pass, count: int = 2) -> AsyncIterator[Workers]:
    """Workers that run until the end of the block."""
    made = Workers(run, Log("replog_operator.test"), since_boot_s)
    tasks = [asyncio.create_task(made.work()) for _ in range(count)]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.asyncio
async def test_two_logs_are_looked_at_side_by_side_and_one_log_never_twice_at_once() -> None:
    running: list[Key] = []
    most: list[int] = []
    ended = asyncio.Event()

    async def run(key: Key) -> float | None:
        assert key not in running
        running.append(key)
        most.append(len(running))
        await asyncio.sleep(0.05)
        running.remove(key)
        if len(most) == 4:
            ended.set()
        return 60.0

    async with working(run, count=3) as made:
        made.look(A, after_s=0.0)
        made.look(B, after_s=0.0)
        await asyncio.sleep(0.02)
        assert set(made.running()) == {A, B}
        made.look(A, after_s=0.0)
        made.look(B, after_s=0.0)
        await asyncio.wait_for(ended.wait(), 5)
    assert max(most) == 2


@pytest.mark.asyncio
async def test_a_pass_that_fails_or_hangs_is_tried_again_and_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers_module, "PASS_S", 0.05)
    tries: list[Key] = []
    ended = asyncio.Event()

    async def run(key: Key) -> float | None:
        tries.append(key)
        if tries.count(key) > 1:
            ended.set()
            return 60.0
        if key == A:
            raise RuntimeError("a fault of this log")
        await asyncio.sleep(60)
        return 60.0

    async with working(run, count=1) as made:
        made.look(A, after_s=0.0)
        made.look(B, after_s=0.0)
        await asyncio.wait_for(ended.wait(), 5)
    assert tries[:2] == [A, B]


@pytest.mark.asyncio
async def test_a_deposed_pass_ends_its_worker() -> None:
    async def run(key: Key) -> float | None:
        raise Deposed("paused too long")

    made = Workers(run, Log("replog_operator.test"), since_boot_s)
    made.look(A, after_s=0.0)
    with pytest.raises(Deposed):
        await asyncio.wait_for(made.work(), 5)


@pytest.mark.asyncio
async def test_a_log_that_is_gone_is_counted_no_more() -> None:
    async def run(key: Key) -> float | None:
        return None

    async with working(run) as made:
        made.look(A, after_s=0.0)
        assert made.logs() == 1
        while made.logs():
            await asyncio.sleep(0.01)
