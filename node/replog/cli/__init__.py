"""The command line `replog`.

Subcommands are found by the entry-point group `replog.commands`, so that other packages add theirs
(`replog up` comes from the operator) without being imported here.

Decides: that Ctrl-C is quiet from the first moment on. Must not know: the node, the operator.
Read next: commands.py, exits.py, docs/cli.md.
"""


def main() -> None:
    """The program `replog`. Nothing is imported before it is called: it takes a good while."""
    try:
        from replog.cli import commands
    except KeyboardInterrupt:
        raise SystemExit(130) from None  # exits.EXIT_INTERRUPTED, which may not be there yet
    commands.main()
