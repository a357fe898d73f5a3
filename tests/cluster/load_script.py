"""Run in a pod: append 0, 1, 2 … one after the other, until the file `stop` is there.

Prints one line of JSON: how many were acknowledged, and the longest time between two of them.
"""

import asyncio
import json
import sys
import time
from pathlib import Path

from replog.client import Client, Producer

PAUSE_S = 0.005
STOP = Path("/tmp/stop")


def told_to_stop() -> bool:
    """Whether the file is there."""
    return STOP.exists()


async def load(endpoint: str) -> dict[str, float]:
    """Append until told to stop."""
    acknowledged, longest_s = 0, 0.0
    async with Client([endpoint]) as client, Producer(client) as producer:
        last_s = time.monotonic()
        while not told_to_stop():
            await producer.append(str(acknowledged).encode())
            acknowledged += 1
            now_s = time.monotonic()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
            await asyncio.sleep(PAUSE_S)
    return {"acknowledged": acknowledged, "longest_s": longest_s}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(load(sys.argv[1]))))  # noqa: T201 - it is a script
