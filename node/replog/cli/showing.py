"""What members say, as people and programs read it: `replog` and `kubectl rlog` show the same.

Decides: tables, lines, JSON. Must not know: how members are asked.
Read next: cluster.py, docs/cli.md.
"""

from collections.abc import Sequence
from typing import Any, Final

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from replog.cli.exits import EXIT_REFUSED, Failure
from replog.wire.schemas import ClusterStatus, Wait

LINE_LETTERS: Final = 1000
"""How wide a table may be where no terminal says it."""


class Seen(msgspec.Struct, frozen=True):
    """What one endpoint answered: status and waits, or an error."""

    endpoint: str
    status: ClusterStatus | None = None
    waits: Sequence[Wait] = ()
    error: str | None = None


def show_status(found: Sequence[Seen]) -> None:
    """A row for each endpoint."""
    table = new_table(
        "endpoint", "member", "state", "role", "term", "committed", "last", "durable", "waits for"
    )
    for seen in found:
        if seen.status is None:
            table.add_row(seen.endpoint, "–", f"no answer: {seen.error}")
        else:
            table.add_row(*_status_row(seen, seen.status))
    print_table(table)


def _status_row(seen: Seen, known: ClusterStatus) -> list[str]:
    return [
        seen.endpoint,
        known.member[:8],
        known.state,
        known.role + (" (not ready)" if known.role == "leader" and not known.admitting else ""),
        str(known.term),
        str(known.commit_offset),
        str(known.last_offset),
        str(known.durable_offset),
        ", ".join(wait.code for wait in seen.waits) or "–",
    ]


def show_members(known: ClusterStatus, *, json: bool, why: str = "replog why") -> None:
    """Who belongs to the log. why: the command that tells what a change waits for."""
    if json:
        print_json({"members": known.members, "target": known.target, "joint": known.joint})
        return
    table = new_table("member", "peer address", "client address", "role", "holds", "alive")
    for member in known.members:
        table.add_row(
            member.id,
            member.address,
            member.client_address or "–",
            member.role + (", leader" if member.id == known.leader else ""),
            "–" if member.match_offset is None else str(member.match_offset + 1),
            {True: "yes", False: "no", None: "–"}[member.alive],
        )
    print_table(table)
    if known.target is not None and not known.target.reached:
        count = len(known.target.members)
        click.echo(f"on the way to {count} members; see `{why}`", err=True)


def show_waits(found: Sequence[Seen]) -> None:
    """What each waits for, and what to do."""
    if not any(seen.waits or seen.error for seen in found):
        click.echo("nothing is waited for")
    for seen in found:
        if seen.error is not None:
            click.echo(f"{seen.endpoint}: no answer: {seen.error}")
        for wait in seen.waits:
            click.echo(f"{seen.endpoint}: {wait.code} for {wait.since_s:.0f} s: {wait.meaning}")
            click.echo(f"    {wait.evidence}")
            click.echo(f"    → {wait.next}")


def chosen(known: ClusterStatus, text: str, see: str = "replog members") -> str:
    """The id of the member that `text`, an id or its first letters, names; raises Failure."""
    found = [m.id for m in known.members if m.id.startswith(text.lower())]
    if len(found) != 1:
        raise Failure(f"{text!r} names {len(found)} members; see `{see}`", EXIT_REFUSED)
    return found[0]


def new_table(*columns: str) -> Table:
    """An empty table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def print_table(table: Table) -> None:
    """As wide as the terminal; in a pipe or file a row is a line."""
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=LINE_LETTERS)).print(table)


def print_json(value: Any) -> None:
    """One line."""
    click.echo(msgspec.json.encode(value))
