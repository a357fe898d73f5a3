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
from random import Random
from typing import Any

import uvloop

from replog.client import Client, Getter, Producer
from replog.client.appender import Appender
from replog.wire.batches import build_values
from tests.bench.plan import CALLERS, SIZE

WARM_S = 1.0
VALUE = os.urandom(SIZE)
BATCH_RECORDS = 100
BATCH_VALUE = 1024
READ_AMONG = 1000
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
    """Every caller reads a record of the last thousand linearizably; calls share pages."""
    async with Client(endpoints) as client, Getter(client) as getter:
        appended = await client.append(build_values([VALUE] * READ_AMONG, timestamp_ms=1))
        draw = Random(1).randrange

        async def call() -> None:
            record = await getter.get(appended.base_offset + draw(READ_AMONG))
            if record is None or record.value != VALUE:
                raise ValueError(f"not what was written: {record}")

        said = await load(CALLERS, seconds, call)
    return {**said, "note": f"any of {READ_AMONG} records, one client process"}


async def get_apart(endpoints: list[str], seconds: float) -> dict[str, Any]:
    """As get, but each call is a request of its own."""
    async with Client(endpoints) as client:
        appended = await client.append(build_values([VALUE], timestamp_ms=1))
        at = str(appended.base_offset)

        def call() -> Awaitable[object]:
            return client.read_page(at, limit=1, max_bytes=4096)

        return {**await load(CALLERS, seconds, call), "note": "one record, a request each"}


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
    """Read whole batches of 100 × 1 KiB from one member, again and again, one page at a time."""
    async with Client(endpoints) as client:
        start = await _fill(client)
    async with Client(endpoints[-1:]) as client:
        at, size, began = start, 0, time.perf_counter()
        while (took := time.perf_counter() - began) < seconds:
            page = await client.read_page(
                at, limit=10_000, max_bytes=PAGE_BYTES, linearizable=False
            )
            size += len(page.body)
            at = page.headers["Replog-Next-Offset"]
            if at == page.headers["Replog-End-Offset"]:
                at = start
    return {"rate": size / took / MB}


async def _fill(client: Client) -> str:
    """Append SCAN_BYTES in large batches; where they begin."""
    value = [os.urandom(BATCH_VALUE)] * BATCH_RECORDS
    batch = build_values(value, timestamp_ms=1)
    first = await client.append(batch)
    for _ in range(SCAN_BYTES // len(batch.data) // SESSIONS):
        await asyncio.gather(*(client.append(batch) for _ in range(SESSIONS)))
    return str(first.base_offset)


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
    "get-apart": get_apart,
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
