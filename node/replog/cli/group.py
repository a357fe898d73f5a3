"""A group of commands that ends as docs/cli.md says: a message and an exit code, also for programs.

Decides: how a Failure, a closed output and Ctrl-C are told.
Must not know: which commands there are.
Read next: exits.py, commands.py.
"""

import sys
from typing import Any, Final

import click
import msgspec

from replog.cli.exits import EXIT_INTERRUPTED, EXIT_USAGE, Failure
from replog.cli.options import JSON_OUTPUT

HELP: Final = {"help_option_names": ["-h", "--help"]}


class ToldGroup(click.Group):
    """program: whose name stands before its messages."""

    program = "replog"

    def invoke(self, context: click.Context) -> Any:
        """Run the command; a Failure becomes its message and exit code, Ctrl-C the code alone."""
        try:
            if sys.stdout is None:  # the next file or connection would take its number
                raise Failure("standard output is closed; /dev/null takes it all", EXIT_USAGE)
            return super().invoke(context)
        except Failure as failure:
            if context.meta.get(JSON_OUTPUT):
                click.echo(msgspec.json.encode({"error": failure.problem}), err=True)
            else:
                click.echo(f"{self.program}: {failure.message}", err=True)
            raise click.exceptions.Exit(failure.code) from failure
        except KeyboardInterrupt:  # while a command was imported
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None
