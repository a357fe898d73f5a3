"""Builds what the cluster needs while other tests run, mostly in time that they don't want.

Decides: how it keeps out of the way. Must not know: what is built.
Read next: node.py.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cluster import binaries, images
from tests.cluster.node import missing
from tests.cluster.versions import CACHE, ROOT

LOG = CACHE / "prepare.log"
END_S = 30
NICE = "10"
"""Not lower: the tests on the cluster may come to wait for it while others still keep all busy."""


class Preparation:
    """A process that gives way to others, with all that it starts; it ends with stop()."""

    def __init__(self) -> None:
        CACHE.mkdir(parents=True, exist_ok=True)
        with LOG.open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "nice", "-n", NICE,
                 sys.executable, "-m", "tests.cluster.prepare"],
                cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def stop(self) -> None:
        """End it, if it hasn't: what is half built is built anew the next time."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(END_S)


def begin() -> Preparation | None:
    """Begin to build, if this machine can run a cluster at all."""
    return None if missing() else Preparation()


def main() -> None:
    """Build everything that is missing. What goes wrong is told again by who needs it."""
    signal.signal(signal.SIGTERM, _end_all)
    binaries.ensure()
    archives: list[Path] = images.ensure()
    sys.stdout.write(f"ready: {', '.join(map(str, archives))}\n")


def _end_all(number: int, frame: object) -> None:
    """Compilers too: they are of the same session."""
    signal.signal(number, signal.SIG_DFL)
    os.killpg(0, number)


if __name__ == "__main__":
    main()
