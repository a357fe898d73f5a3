"""The client process of a workload: many callers in one event loop; says its figures as JSON.

Decides: what the callers do. Must not know: how the members were started.
Read next: replog.py; replog/client/producer.py.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from replog.client import Client, Producer
from replog.client.appender import Appender
from replog.wire.batches import build_values
from tests.bench.plan import CALLERS, SIZE

WARM_S = 1.0
VALUE = os.urandom(SIZE)
BATCH_RECORDS = 100
BATCH_VALUE = 1024
SESSIONS = 32
SCAN_BYTES = 256 * 1024 * 1024
PAGE_BYTES = 4 * 1024 * 1024
MB = 1_000_000

Call = Callable[[], Awaitable[object]]


async def load(callers: int, seconds: float, call: Call) -> dict[str, Any]:
    """Let so many callers call for so long, each awaiting its own answer; warm-up isn't counted."""
    clock = time.perf_counter
    began = clock() + WARM_S
    until = began + seconds
    latencies: list[float] = []
    note = latencies.append

    async def caller() -> None:
        before = clock()
        while before < until:
            await call()
            now = clock()
            if before >= began:
                note(now - before)
            before = now

    await asyncio.gather(*(caller() for _ in range(callers)))
    took = clock() - began
    latencies.sort()
    return {
        "rate": len(latencies) / took,
        "p50_ms": latencies[len(latencies) // 2] * 1000,
        "p99_ms": latencies[len(latencies) * 99 // 100] * 1000,
    }


async def put(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """Many callers through one producer, which lets what waits together go together."""
    async with Client(endpoints) as client, Producer(client) as producer:
        before = _counted(client)
        said = await load(CALLERS, seconds, lambda: producer.append(VALUE))
        return {**said, "per_batch": before()}


async def put_apart(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """Every caller's record is a batch and a call of its own."""
    async with Client(endpoints) as client:

        def call() -> Awaitable[object]:
            return client.append(build_values([VALUE], timestamp_ms=1))

        return {**await load(CALLERS, seconds, call), "per_batch": 1.0}


async def one(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """One caller that awaits each answer."""
    async with Client(endpoints) as client, Producer(client) as producer:
        return await load(1, seconds, lambda: producer.append(VALUE))


async def get(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """Every caller reads one record linearizably, each call for itself."""
    async with Client(endpoints) as client:
        appended = await client.append(build_values([VALUE], timestamp_ms=1))
        at = str(appended.base_offset)

        def call() -> Awaitable[object]:
            return client.read_page(at, limit=1, max_bytes=4096)

        return {**await load(CALLERS, seconds, call), "note": "one record, a call each"}


async def batches(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """Several sessions, five batches of each under way, acknowledged after a quorum's sync."""
    value = [os.urandom(BATCH_VALUE)] * BATCH_RECORDS
    async with Client(endpoints) as client:
        appenders = [await Appender.begin(client) for _ in range(SESSIONS)]
        turns = appenders

        async def call(appender: Appender) -> None:
            await (await appender.send_values(value))

        at = iter(range(10**9))

        def next_call() -> Awaitable[object]:
            return call(turns[next(at) % len(turns)])

        said = await load(len(turns), seconds, next_call)
    return {**said, "rate": said["rate"] * BATCH_RECORDS * BATCH_VALUE / MB}


async def scan(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """Read whole batches of one member from the start on, again and again, one page at a time."""
    async with Client(endpoints[-1:]) as client:
        at, size, began = "earliest", 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            page = await client.read_page(
                at, limit=10_000, max_bytes=PAGE_BYTES, linearizable=False
            )
            size += len(page.body)
            at = page.headers["Replog-Next-Offset"]
            if at == page.headers["Replog-End-Offset"]:
                at = "earliest"
    return {"rate": size / took / MB}


def _counted(client: Client) -> Callable[[], float]:
    """Counts the records a batch by what the members' answers say."""
    sent: list[int] = []
    append = client.append

    async def counting(batch: Any, *, timeout_s: float | None = None) -> Any:
        sent.append(batch.count)
        return await append(batch, timeout_s=timeout_s)

    client.append = counting  # type: ignore[method-assign]  # only counts, in this process
    return lambda: sum(sent) / max(1, len(sent))


KINDS: dict[str, Callable[[list[str], float], Awaitable[dict[str, Any]]]] = {
    "put": put,
    "put-apart": put_apart,
    "one": one,
    "get": get,
    "batches": batches,
    "scan": scan,
}


def main() -> None:
    """`python -m tests.bench.caller KIND ENDPOINTS SECONDS`."""
    kind, endpoints, seconds = sys.argv[1:4]

    async def run() -> dict[str, Any]:
        return await KINDS[kind](endpoints.split(","), float(seconds))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.write(json.dumps(runner.run(run())) + "\n")


if __name__ == "__main__":
    main()
