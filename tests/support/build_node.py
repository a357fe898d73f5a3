"""`python -m tests.support.build_node …`: a real node of an older or a newer build.

Takes the arguments of `python -m replog_node`. LEVEL_VARIABLE says which feature level it speaks.
Must not know: what the node does.
Read next: replog_node/model/features.py.
"""

import os
import sys

from replog_node.app import run

LEVEL_VARIABLE = "REPLOGTEST_FEATURE_LEVEL"
BUILD = ("-m", "tests.support.build_node")

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], feature_level=int(os.environ[LEVEL_VARIABLE])))
