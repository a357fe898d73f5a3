"""`python -m tests.support.skewed_node …`: a real node whose wall clock is set by a file.

Takes the arguments of `python -m replog_node`. The file SKEW_FILE names holds how many seconds its
clock is ahead; without it, or while it holds no number, none. Monotonic time stays what it is.
Must not know: what the node does.
Read next: replog_node/adapters/clock.py.
"""

import os
import sys
import time
from pathlib import Path

from replog_node.adapters.clock import SystemClock
from replog_node.app import run

SKEW_FILE = "REPLOGTEST_SKEW_FILE"
LOOK_EVERY_S = 0.05


class SkewedClock(SystemClock):
    """The machine's clock plus what the file says."""

    def __init__(self) -> None:
        self._file = Path(os.environ[SKEW_FILE])
        self._skew_s = 0.0
        self._looked_s = -1.0

    def wall_ms(self) -> int:
        """See ClockPort."""
        if time.monotonic() - self._looked_s > LOOK_EVERY_S:
            self._looked_s = time.monotonic()
            try:
                self._skew_s = float(self._file.read_text())
            except (OSError, ValueError):
                self._skew_s = 0.0
        return super().wall_ms() + int(self._skew_s * 1000)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], new_clock=SkewedClock))
