"""`replog bench`: how fast this cluster takes and gives records, from this machine.

It appends for real: the records stay in the log. What is counted is acknowledged.

Decides: what is measured and how it is told. Must not know: how appends travel.
Read next: ../client/producer.py; `make bench` compares with other systems.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

import click
import msgspec

from replog.cli.exits import run
from replog.cli.options import Shared, shared
from replog.client import Client, Producer

CALLERS_MAX: Final = 10_000
SIZE_MAX: Final = 1024 * 1024
SAMPLES_MAX: Final = 1_000_000
"""Latencies kept; past it the later ones are counted but not kept."""


class Result(msgspec.Struct):
    """What was measured. Latencies in ms, from call to acknowledgement."""

    what: str
    callers: int
    size_bytes: int
    calls: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    longest_ms: float


@click.command()
@click.option(
    "--callers",
    type=click.IntRange(1, CALLERS_MAX),
    default=100,
    show_default=True,
    help="Tasks at once; each waits for its own answer before it goes on.",
)
@click.option(
    "--size",
    "size_bytes",
    type=click.IntRange(0, SIZE_MAX),
    default=256,
    show_default=True,
    help="Bytes of a record's value.",
)
@click.option("--seconds", type=click.FloatRange(0.1, 3600), default=5.0, show_default=True)
@click.option(
    "--read",
    "reading",
    is_flag=True,
    help="Ask for the end of the log, linearizably, instead of appending.",
)
@shared
def bench(
    options: Shared, callers: int, size_bytes: int, seconds: float, reading: bool
) -> None:  # fmt: skip
    """Append records from many tasks at once, and tell how fast they were acknowledged."""
    run(_bench(options, callers, size_bytes, seconds, reading=reading))


async def _bench(
    options: Shared, callers: int, size_bytes: int, seconds: float, *, reading: bool
) -> None:
    async with options.client() as client:
        if reading:
            result = await measure("reads", callers, 0, seconds, _reader(client))
        else:
            value = os.urandom(size_bytes)
            async with Producer(client) as producer:
                result = await measure(
                    "appends", callers, size_bytes, seconds, lambda: producer.append(value)
                )
    if options.json:
        click.echo(msgspec.json.encode(result))
    else:
        click.echo(
            f"{result.calls} {result.what} by {callers} callers in {result.seconds:.1f} s: "
            f"{result.per_second:.0f} a second; latency {result.p50_ms:.1f} ms in the middle, "
            f"{result.p99_ms:.1f} ms for 99 of 100, {result.longest_ms:.1f} ms at most"
        )


def _reader(client: Client) -> Callable[[], Awaitable[object]]:
    async def once() -> object:
        return await client.log()

    return once


async def measure(
    what: str, callers: int, size_bytes: int, seconds: float, call: Callable[[], Awaitable[object]]
) -> Result:
    """Let so many tasks call for so long; the calls under way at the end are waited for."""
    latencies_s: list[float] = []
    calls = 0
    await call()  # connections and sessions are made before the clock runs
    began_s = time.monotonic()
    until_s = began_s + seconds

    async def caller() -> None:
        nonlocal calls
        before_s = time.monotonic()
        while before_s < until_s:
            await call()
            now_s = time.monotonic()
            calls += 1
            if len(latencies_s) < SAMPLES_MAX:
                latencies_s.append(now_s - before_s)
            before_s = now_s

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    took_s = time.monotonic() - began_s
    ordered = sorted(latencies_s) or [0.0]
    return Result(
        what, callers, size_bytes, calls, round(took_s, 3), round(calls / took_s, 1),
        _ms(ordered, 0.5), _ms(ordered, 0.99), _ms(ordered, 1.0),
    )  # fmt: skip


def _ms(ordered: list[float], part: float) -> float:
    index = min(len(ordered) - 1, int(part * len(ordered)))
    return round(ordered[index] * 1000, 3)
