"""`python -m replog_node`, or `replog-node`: one node.

Decides: nothing. Must not know: anything but app.py. Read next: app.py.
"""

import sys

from replog_node.app import run


def main() -> None:
    """Run a node with the process's arguments and environment; exit with its code."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
