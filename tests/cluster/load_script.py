"""Run in a pod: append 0, 1, 2 … one after the other, until the file `stop` is there.

Prints one line of JSON: how many were acknowledged, and each time between two of them that was not
short: when it began, in seconds since 1970, and how long it lasted.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from replog.client import Client, Producer

PAUSE_S = 0.005
SHORT_S = 0.05
STOP = Path("/tmp/stop")


def told_to_stop() -> bool:
    """Whether the file is there."""
    return STOP.exists()


async def load(endpoint: str) -> dict[str, Any]:
    """Append until told to stop."""
    acknowledged = 0
    gaps: list[tuple[float, float]] = []
    async with Client([endpoint]) as client, Producer(client) as producer:
        last_s = time.monotonic()
        while not told_to_stop():
            await producer.append(str(acknowledged).encode())
            acknowledged += 1
            now_s = time.monotonic()
            gap_s, last_s = now_s - last_s, now_s
            if gap_s > SHORT_S:
                gaps.append((time.time() - gap_s, gap_s))
            await asyncio.sleep(PAUSE_S)
    return {"acknowledged": acknowledged, "gaps": gaps}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(sys.argv[1]))))  # noqa: T201 - it is a script
