"""`make cluster`: a cluster for a person, until Ctrl-C.

Decides: what a person is told. Must not know: how a cluster is made.
Read next: node.py.
"""

import argparse
import signal
import sys
import time

from tests.cluster import sandbox
from tests.cluster.node import Cluster, api_server, missing, whole_node


def main() -> None:
    """Run one, say how to use it, and end it with the process."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--api-only", action="store_true", help="no node: objects, not pods")
    chosen = parser.parse_args()
    if lacking := sandbox.missing() if chosen.api_only else missing():
        sys.exit(f"no cluster can run here: {lacking}")
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with api_server() if chosen.api_only else whole_node() as cluster:
            sys.stdout.write(_told(cluster, time.monotonic() - began))
            sys.stdout.flush()
            signal.pause()
    except KeyboardInterrupt:
        sys.stdout.write("\nended, and everything removed\n")


def _told(cluster: Cluster, seconds: float) -> str:
    return f"""\
a cluster runs, after {seconds:.0f} s; Ctrl-C ends it.
It has a network of its own; in another terminal:

  nsenter --net=/proc/{cluster.sandbox.first}/ns/net env \\
    KUBECONFIG={cluster.kubeconfig} \\
    PATH={cluster.programs}:$PATH bash

then kubectl and helm work there. Logs: {cluster.directory}/log
"""


if __name__ == "__main__":
    main()
