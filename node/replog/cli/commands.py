"""`replog`: the group of all commands, also those that other packages bring.

Decides: how a command is found. Must not know: what commands do.
Read next: append.py, read.py, cluster.py.
"""

import sys
from importlib.metadata import entry_points, version
from typing import Any, Final

import click
import msgspec

from replog.cli.append import append
from replog.cli.bench import bench
from replog.cli.cluster import feature_level, members, snapshot, status, transfer, trim, why
from replog.cli.completion import completion
from replog.cli.debug import debug
from replog.cli.exits import EXIT_INTERRUPTED, EXIT_USAGE, Failure
from replog.cli.options import JSON_OUTPUT
from replog.cli.read import read, tail
from replog.cli.verify import verify

GROUP: Final = "replog.commands"


class Commands(click.Group):
    """The commands of this package, and those of the entry-point group."""

    def list_commands(self, context: click.Context) -> list[str]:
        """All names, ordered."""
        return sorted({*super().list_commands(context), *entry_points(group=GROUP).names})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of this name, if any."""
        own = super().get_command(context, name)
        if own is not None:
            return own
        for found in entry_points(group=GROUP, name=name):
            command = found.load()
            return command if isinstance(command, click.Command) else None
        return None

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
                click.echo(f"replog: {failure.message}", err=True)
            raise click.exceptions.Exit(failure.code) from failure
        except KeyboardInterrupt:  # while a command was imported
            raise click.exceptions.Exit(EXIT_INTERRUPTED) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("replicated-log"), message="replog %(version)s")
def main() -> None:
    """A replicated log: append, read, look after it."""


for command in (
    append,
    read,
    tail,
    status,
    members,
    transfer,
    feature_level,
    trim,
    snapshot,
    why,
    bench,
    verify,
    debug,
    completion,
):
    main.add_command(command)
