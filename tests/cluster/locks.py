"""One at a time, over all processes of this machine that share the cache.

Decides: how others are kept out. Must not know: from what.
Read next: binaries.py.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with this file; it is let go at any end."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
