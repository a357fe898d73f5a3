"""`replog status | members | why`, and the care of a log: transfer, trim, snapshot, feature level.

Decides: how knowledge of members is shown. Must not know: how they know it.
Read next: options.py, docs/api.md.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, Failure, run
from replog.cli.options import Shared, shared
from replog.client import ApiError, Client, Unavailable
from replog.wire.schemas import ClusterStatus, Done, Wait

LINE_LETTERS: Final = 1000
"""How wide a table may be where no terminal says it."""


@click.command()
@shared
def status(options: Shared) -> None:
    """Show what each member knows: its role, how far it is, whether it answers."""
    run(_status(options))


class Seen(msgspec.Struct, frozen=True):
    """What one endpoint answered: status and waits, or an error."""

    endpoint: str
    status: ClusterStatus | None = None
    waits: list[Wait] = []
    error: str | None = None


async def _see_all(options: Shared) -> list[Seen]:
    """Ask every endpoint at once; raises Failure when none answers."""
    async with options.client() as client:
        found = await asyncio.gather(*(_see(client, endpoint) for endpoint in options.endpoints))
    if all(seen.status is None for seen in found):
        said = "; ".join(seen.error or "" for seen in found)
        raise Failure(f"no member answered: {said}", EXIT_UNAVAILABLE)
    return list(found)


async def _see(client: Client, endpoint: str) -> Seen:
    try:
        known, why = await asyncio.gather(client.status(endpoint), client.why(endpoint))
    except (ApiError, Unavailable) as problem:
        return Seen(endpoint, error=problem.detail)
    return Seen(endpoint, known, why.waits)


async def _status(options: Shared) -> None:
    found = await _see_all(options)
    if options.json:
        _print_json(found)
        return
    table = _table(
        "endpoint", "member", "state", "role", "term", "committed", "last", "durable", "waits for"
    )
    for seen in found:
        if seen.status is None:
            table.add_row(seen.endpoint, "–", f"no answer: {seen.error}")
        else:
            table.add_row(*_status_row(seen, seen.status))
    _print_table(table)


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


@click.command()
@shared
def members(options: Shared) -> None:
    """Show who belongs to the log, as its leader sees them."""
    run(_members(options))


async def _members(options: Shared) -> None:
    known = await leaders_view(options)
    if options.json:
        _print_json({"members": known.members, "target": known.target, "joint": known.joint})
        return
    table = _table("member", "peer address", "client address", "role", "holds", "alive")
    for member in known.members:
        table.add_row(
            member.id,
            member.address,
            member.client_address or "–",
            member.role + (", leader" if member.id == known.leader else ""),
            "–" if member.match_offset is None else str(member.match_offset + 1),
            {True: "yes", False: "no", None: "–"}[member.alive],
        )
    _print_table(table)
    if known.target is not None and not known.target.reached:
        count = len(known.target.members)
        click.echo(f"on the way to {count} members; see `replog why`", err=True)


async def leaders_view(options: Shared) -> ClusterStatus:
    """What the leader knows, if it can be asked; else what somebody knows. Raises as Client."""
    async with options.client() as client:
        known = await client.status()
        if known.leader in (None, known.member) or known.leader_client_address is None:
            return known
        try:
            return await client.status(known.leader_client_address)
        except (ApiError, Unavailable):
            return known


@click.command()
@click.argument("member", required=False)
@shared
def transfer(options: Shared, member: str | None) -> None:
    """Hand leadership to MEMBER (an id, or its first letters), or to the best one."""
    run(_transfer(options, member))


async def _transfer(options: Shared, member: str | None) -> None:
    known = await leaders_view(options)
    to = None if member is None else chosen(known, member)
    await _ask_members(options, lambda client: client.transfer(to))


@click.command("feature-level")
@click.argument("level", required=False, type=click.IntRange(min=1))
@shared
def feature_level(options: Shared, level: int | None) -> None:
    """Raise the feature level to LEVEL, which every member must speak; or show what is spoken.

    It is never lowered: afterwards no build that doesn't speak it can run as a member.
    """
    if level is None:
        run(_levels(options))
    else:
        run(_ask_members(options, lambda client: client.raise_feature_level(level)))


async def _levels(options: Shared) -> None:
    known = await leaders_view(options)
    spoken = {member.id: member.feature_level_spoken for member in known.members}
    if options.json:
        _print_json({"feature_level": known.feature_level, "spoken": spoken})
        return
    click.echo(f"in force: {known.feature_level}")
    for member, level in spoken.items():
        click.echo(f"{member} speaks up to {'–' if level is None else level}")


@click.command()
@click.option(
    "--before",
    type=click.IntRange(min=0),
    required=True,
    metavar="OFFSET",
    help="The first offset that stays.",
)
@shared
def trim(options: Shared, before: int) -> None:  # fmt: skip
    """Give up the records below an offset, at every member and for good."""
    run(_ask_members(options, lambda client: client.trim(before)))


@click.command()
@shared
def snapshot(options: Shared) -> None:
    """Let every member build a snapshot of its state at the end of the log."""
    run(_ask_members(options, lambda client: client.snapshot()))


async def _ask_members(options: Shared, call: Callable[[Client], Awaitable[Done]]) -> None:
    """Make an admin call at the peer listeners, whose addresses the members tell."""
    known = await leaders_view(options)
    listeners = [m.address for m in known.members]
    if not listeners:
        raise Failure("the member that was asked knows no members", EXIT_REFUSED)
    async with options.client(listeners) as client:
        done = await call(client)
    if options.json:
        _print_json(done)
    else:
        click.echo(done.detail)


def chosen(known: ClusterStatus, text: str) -> str:
    """The id of the member that `text`, an id or its first letters, names; raises Failure."""
    found = [m.id for m in known.members if m.id.startswith(text.lower())]
    if len(found) != 1:
        raise Failure(f"{text!r} names {len(found)} members; see `replog members`", EXIT_REFUSED)
    return found[0]


@click.command()
@shared
def why(options: Shared) -> None:
    """Show what the members wait for, and what to do about it; nothing is good news."""
    run(_why(options))


async def _why(options: Shared) -> None:
    found = await _see_all(options)
    if options.json:
        _print_json(found)
        return
    if not any(seen.waits or seen.error for seen in found):
        click.echo("nothing is waited for")
    for seen in found:
        if seen.error is not None:
            click.echo(f"{seen.endpoint}: no answer: {seen.error}")
        for wait in seen.waits:
            click.echo(f"{seen.endpoint}: {wait.code} for {wait.since_s:.0f} s: {wait.meaning}")
            click.echo(f"    {wait.evidence}")
            click.echo(f"    → {wait.next}")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_table(table: Table) -> None:
    """As wide as the terminal; in a pipe or file a row is a line."""
    terminal = Console()
    (terminal if terminal.is_terminal else Console(width=LINE_LETTERS)).print(table)


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.encode(value))
