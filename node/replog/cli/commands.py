"""`replog`: the group of all commands, also those that other packages bring.

Decides: how a command is found. Must not know: what commands do.
Read next: append.py, read.py, cluster.py.
"""

from importlib.metadata import entry_points, version
from typing import Final

import click

from replog.cli.append import append
from replog.cli.bench import bench
from replog.cli.cluster import feature_level, members, snapshot, status, transfer, trim, why
from replog.cli.completion import completion
from replog.cli.debug import debug
from replog.cli.group import HELP, ToldGroup
from replog.cli.read import read, tail
from replog.cli.recover import recover
from replog.cli.verify import verify

GROUP: Final = "replog.commands"


class Commands(ToldGroup):
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


@click.group(cls=Commands, context_settings=HELP)
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
    recover,
    bench,
    verify,
    debug,
    completion,
):
    main.add_command(command)
