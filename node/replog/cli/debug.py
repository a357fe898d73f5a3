"""`replog debug`: what a member's core did lately, and the same done again.

The replay is the node's; its package brings it by an entry point, so the library doesn't import
the node.

Decides: how steps are shown, and what the exit code says. Must not know: what a recording holds.
Read next: cluster.py; replog_node/adapters/flights.py.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Any, Final, Protocol

import click
import msgspec

from replog.cli.cluster import leaders_view
from replog.cli.exits import EXIT_REFUSED, EXIT_USAGE, Failure, output_told, run
from replog.cli.options import JSON_OUTPUT, Shared, shared
from replog.cli.showing import chosen

REPLAY: Final = "replog.debug"
"""The entry-point group: name `replay`, a callable from a path to one object a step."""


class Replay(Protocol):
    """The entry point: one object a step. Raises OSError, ValueError."""

    def __call__(self, path: str, *, to_the_end: bool) -> Iterator[dict[str, Any]]: ...


@click.group()
def debug() -> None:
    """Look into what a member's core did."""


@debug.command()
@click.option("--member", required=True, help="Whose: an id, or its first letters.")
@shared
def flight(options: Shared, member: str) -> None:
    """Write what a member's flight recorder holds to standard output, for `replay`."""
    if sys.stdout.isatty():
        raise Failure("a recording is no text: redirect it to a file", EXIT_USAGE)
    run(_flight(options, member))


async def _flight(options: Shared, text: str) -> None:
    known = await leaders_view(options)
    member = chosen(known, text)
    (address,) = (each.address for each in known.members if each.id == member)
    async with options.client([address]) as client:
        recording = await client.recording(address)
    sys.stdout.buffer.write(recording)
    sys.stdout.buffer.flush()


@debug.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("-q", "--quiet", is_flag=True, help="No line a step, only what comes of them all.")
@click.option("--all", "to_the_end", is_flag=True, help="Go on behind a step that differs.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def replay(file: str, quiet: bool, to_the_end: bool, output: str) -> None:
    """Run the steps in FILE again, in a core of this build; 1 if one of them differs."""
    json = output == "json"
    click.get_current_context().meta[JSON_OUTPUT] = json
    with output_told():
        _show(_steps(file, to_the_end=to_the_end), json=json, quiet=quiet)


def _show(found: Iterator[dict[str, Any]], *, json: bool, quiet: bool) -> None:
    """Write every step, and what comes of them all. Raises Failure for the first that differs."""
    steps, differs = 0, None
    for step in found:
        steps = step["step"]
        if differs is None and step["difference"] is not None:
            differs = f"step {steps} differs: {step['difference']}"
        if json:
            click.echo(msgspec.json.encode(step))
        elif not quiet:
            click.echo(f"{steps:7} {step['line']}")
    if differs is not None:
        raise Failure(differs, EXIT_REFUSED)
    if not json:
        click.echo(f"{steps} steps, outputs identical")


def _steps(file: str, *, to_the_end: bool) -> Iterator[dict[str, Any]]:
    """The steps; what is wrong with the file is a Failure, what is wrong with the output isn't."""
    try:
        yield from _replayed(file, to_the_end=to_the_end)
    except (OSError, ValueError) as problem:
        raise Failure(f"{file}: {problem}", EXIT_REFUSED) from problem


def _replayed(file: str, *, to_the_end: bool) -> Iterator[dict[str, Any]]:
    found = list(entry_points(group=REPLAY, name="replay"))
    if not found:
        raise Failure("the package of the node isn't installed here", EXIT_USAGE)
    run_again: Replay = found[0].load()
    return run_again(file, to_the_end=to_the_end)
