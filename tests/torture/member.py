"""`python -m tests.torture.member …`: a real node whose clock and disk do what files say.

Takes the arguments of `python -m replog_node`; clock and disk are skewed_node's and
stalling_node's, or, with REPLOGTEST_LOSSY set, lossy_node's, which loses power on SIGUSR1.
Must not know: what the node does.
Read next: ../support/stalling_node.py, ../support/lossydisk.py.
"""

import os
import sys

from replog_node.app import run
from tests.support.lossy_node import open_lossy
from tests.support.lossydisk import block_signal
from tests.support.skewed_node import SkewedClock
from tests.support.stalling_node import StallingDisk

LOSSY = "REPLOGTEST_LOSSY"

if __name__ == "__main__":
    if os.environ.get(LOSSY):
        block_signal()
        sys.exit(run(sys.argv[1:], open_disk=open_lossy, new_clock=SkewedClock))
    sys.exit(run(sys.argv[1:], open_disk=StallingDisk, new_clock=SkewedClock))
