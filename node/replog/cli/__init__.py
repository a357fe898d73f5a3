"""The command line `replog`.

Subcommands are found by the entry-point group `replog.commands`, so that other packages add theirs
(`replog up` comes from the operator) without being imported here.

Decides: nothing itself. Must not know: the node, the operator.
Read next: main.py, exits.py, docs/cli.md.
"""

from replog.cli.main import main

__all__ = ["main"]
