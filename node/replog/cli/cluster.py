"""`replog status | members | why`, and the care of a log: transfer, trim, snapshot, feature level.

Decides: which members are asked, and how often. Must not know: how they know it.
Read next: showing.py, options.py, docs/api.md.
"""

import asyncio
from collections.abc import Awaitable, Callable

import click

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, Failure, run
from replog.cli.options import Shared, shared
from replog.cli.showing import (
    Seen,
    chosen,
    print_json,
    show_members,
    show_status,
    show_waits,
)
from replog.client import ApiError, Client, Unavailable
from replog.wire.schemas import ClusterStatus, Done


@click.command()
@shared
def status(options: Shared) -> None:
    """Show what each member knows: its role, how far it is, whether it answers."""
    run(_status(options))


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
        print_json(found)
        return
    show_status(found)


@click.command()
@shared
def members(options: Shared) -> None:
    """Show who belongs to the log, as its leader sees them."""
    run(_members(options))


async def _members(options: Shared) -> None:
    show_members(await leaders_view(options), json=options.json)


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
        print_json({"feature_level": known.feature_level, "spoken": spoken})
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
        print_json(done)
    else:
        click.echo(done.detail)


@click.command()
@shared
def why(options: Shared) -> None:
    """Show what the members wait for, and what to do about it; nothing is good news."""
    run(_why(options))


async def _why(options: Shared) -> None:
    found = await _see_all(options)
    if options.json:
        print_json(found)
        return
    show_waits(found)
