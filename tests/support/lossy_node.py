"""`python -m tests.support.lossy_node …`: a real node whose disk loses power on SIGUSR1.

Takes the arguments of `python -m replog_node`. The environment that lossydisk.py names applies.
Must not know: what the node does.
Read next: lossydisk.py.
"""

import sys
from pathlib import Path

from replog_node.app import run
from tests.support.lossydisk import LossyDisk, block_signal


def open_lossy(directory: Path) -> LossyDisk:
    """Return the directory's disk, ready to lose power."""
    disk = LossyDisk(directory)
    disk.start_watching()
    return disk


if __name__ == "__main__":
    block_signal()
    sys.exit(run(sys.argv[1:], open_disk=open_lossy))
