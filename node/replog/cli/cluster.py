"""`replog status | members | transfer | why`: how the cluster is, and who leads it.

Decides: how knowledge of members is shown. Must not know: how they know it.
Read next: options.py, docs/api.md.
"""

import asyncio
from typing import Any

import click
import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, Failure, run
from replog.cli.options import Shared, shared
from replog.client import ApiError, Client, Unavailable
from replog.wire.schemas import ClusterStatus, Why


@click.command()
@shared
def status(options: Shared) -> None:
    """Show what each member knows: its role, how far it is, whether it answers."""
    run(_status(options))


async def _status(options: Shared) -> None:
    async with options.client() as client:
        found = await _ask_all(client, options.endpoints)
    if options.json:
        _print_json(
            [
                {"endpoint": endpoint, "status": known, "error": error}
                for endpoint, known, error in found
            ]
        )
    else:
        table = _table("endpoint", "member", "state", "role", "term", "applied", "end", "durable")
        for endpoint, known, error in found:
            if known is None:
                table.add_row(endpoint, "–", f"no answer: {error}")
            else:
                table.add_row(*_status_row(endpoint, known))
        Console().print(table)
    if all(known is None for _, known, _ in found):
        raise Failure("no member answered", EXIT_UNAVAILABLE)


def _status_row(endpoint: str, known: ClusterStatus) -> list[str]:
    return [
        endpoint,
        known.member[:8],
        known.state,
        known.role + (" (not ready)" if known.role == "leader" and not known.admitting else ""),
        str(known.term),
        str(known.applied_offset + 1),
        str(known.last_offset + 1),
        str(known.durable_offset + 1),
    ]


async def _ask_all(
    client: Client, endpoints: list[str]
) -> list[tuple[str, ClusterStatus | None, str | None]]:
    async def ask(endpoint: str) -> tuple[str, ClusterStatus | None, str | None]:
        try:
            return endpoint, await client.status(endpoint), None
        except (ApiError, Unavailable) as problem:
            return endpoint, None, problem.detail

    return list(await asyncio.gather(*map(ask, endpoints)))


@click.command()
@shared
def members(options: Shared) -> None:
    """Show who belongs to the log, as its leader sees them."""
    run(_members(options))


async def _members(options: Shared) -> None:
    known = await _leaders_view(options)
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
    Console().print(table)
    if known.target is not None and not known.target.reached:
        click.echo(f"on the way to {len(known.target.members)} members; see `replog why`")


async def _leaders_view(options: Shared) -> ClusterStatus:
    """What the leader knows, if it can be asked; else what somebody knows."""
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
    known = await _leaders_view(options)
    chosen = None if member is None else _chosen(known, member)
    listeners = [m.address for m in known.members]
    if not listeners:
        raise Failure("the member that was asked knows no members", EXIT_REFUSED)
    async with options.client(listeners) as client:
        done = await client.transfer(chosen)
    if options.json:
        _print_json(done)
    else:
        click.echo(done.detail)


def _chosen(known: ClusterStatus, text: str) -> str:
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
    async def ask(endpoint: str) -> tuple[str, Why | None, str | None]:
        try:
            return endpoint, await client.why(endpoint), None
        except (ApiError, Unavailable) as problem:
            return endpoint, None, problem.detail

    async with options.client() as client:
        found = list(await asyncio.gather(*map(ask, options.endpoints)))
    if options.json:
        _print_json(
            [
                {"endpoint": endpoint, "why": known, "error": error}
                for endpoint, known, error in found
            ]
        )
    else:
        _show_waits(found)
    if all(known is None for _, known, _ in found):
        raise Failure("no member answered", EXIT_UNAVAILABLE)


def _show_waits(found: list[tuple[str, Why | None, str | None]]) -> None:
    quiet = True
    for endpoint, known, error in found:
        if known is None:
            click.echo(f"{endpoint}: no answer: {error}")
            quiet = False
            continue
        for wait in known.waits:
            click.echo(f"{endpoint}: {wait.code} for {wait.since_s:.0f} s: {wait.meaning}")
            click.echo(f"    {wait.evidence}")
            click.echo(f"    → {wait.next}")
            quiet = False
    if quiet:
        click.echo("nothing is waited for")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_json(value: Any) -> None:
    click.echo(msgspec.json.encode(value))
