"""`replog verify`: whether what the members keep is whole, and the same at all of them.

Online it reads the log from each member by itself, checks every batch and compares the bytes.
Offline, with a data directory, it checks every file; the node's package knows how and brings it
by an entry point, so the library doesn't import the node.

Decides: what is compared and what the exit code says. Must not know: the files.
Read next: ../client/reader.py; replog_node/storage/verify.py.
"""

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from importlib.metadata import entry_points
from typing import Any, Final

import click
import msgspec

from replog.cli.exits import EXIT_REFUSED, EXIT_USAGE, Failure, run
from replog.cli.options import Shared, shared
from replog.client import ApiError, Client, PageDamaged, Unavailable
from replog.wire.batches import split_batches, stamp_of

OFFLINE: Final = "replog.verify"
"""The entry-point group: name `data-dir`, a callable from a path to findings."""

PAGE_RECORDS: Final = 10_000
PAGE_BYTES: Final = 4 * 1024 * 1024
CATCHES_UP_S: Final = 5.0
"""How long a member that is behind is waited for, each time that it has nothing to give."""


class Copy(msgspec.Struct):
    """What one member keeps. digest: of all batches up to end_offset; "" if it isn't whole."""

    endpoint: str
    start_offset: int = 0
    end_offset: int = 0
    batches: int = 0
    bytes: int = 0
    digest: str = ""
    fault: str = ""


@click.command()
@click.option(
    "--data-dir", type=click.Path(file_okay=False), help="Check this directory's files instead."
)
@shared
def verify(options: Shared, data_dir: str | None) -> None:
    """Check the whole log at every member, or a member's files; 1 if something is wrong."""
    if data_dir is not None:
        _offline(options, data_dir)
    else:
        run(_online(options))


def _offline(options: Shared, data_dir: str) -> None:
    checkers = list(entry_points(group=OFFLINE, name="data-dir"))
    if not checkers:
        raise Failure("the package of the node isn't installed here", EXIT_USAGE)
    check: Callable[[str], list[dict[str, Any]]] = checkers[0].load()
    found = check(data_dir)
    if options.json:
        click.echo(msgspec.json.encode(found))
    else:
        for item in found:
            click.echo(
                f"{'sound  ' if item['sound'] else 'DAMAGED'} {item['file']}: {item['detail']}"
            )
    if not all(item["sound"] for item in found):
        raise Failure("something is damaged; nothing was changed", EXIT_REFUSED)


async def _online(options: Shared) -> None:
    async with options.client() as client:
        info = await client.log()
        start, end = info.log_start_offset, info.end_offset
        told = [member.client_address for member in (await client.status()).members]
        endpoints = dict.fromkeys([*options.endpoints, *filter(None, told)])
        found = await asyncio.gather(
            *(_copy(options, endpoint, start, end) for endpoint in endpoints)
        )
    whole = {copy.digest for copy in found if copy.digest}
    if options.json:
        click.echo(msgspec.json.encode(found))
    else:
        for copy in found:
            click.echo(_line(copy))
    if len(whole) > 1:
        raise Failure("the members do not hold the same records", EXIT_REFUSED)
    if not all(copy.digest for copy in found):
        raise Failure("not every copy could be verified", EXIT_REFUSED)


def _line(copy: Copy) -> str:
    if copy.fault:
        return f"{copy.endpoint}: NOT VERIFIED at offset {copy.end_offset}: {copy.fault}"
    return (
        f"{copy.endpoint}: {copy.batches} batches, offsets {copy.start_offset} to "
        f"{copy.end_offset} (exclusive), {copy.bytes} bytes, digest {copy.digest[:16]}"
    )


async def _copy(options: Shared, endpoint: str, start: int, end: int) -> Copy:
    """Read one member's copy up to `end`, from that member alone."""
    copy = Copy(endpoint, start, start)
    digest = blake2b(digest_size=16)
    try:
        async with options.client([endpoint]) as client:
            while copy.end_offset < end:
                for batch in await _page(client, copy, end):
                    digest.update(batch)
                    copy.batches += 1
                    copy.bytes += len(batch)
    except (ApiError, Unavailable, PageDamaged) as problem:
        copy.fault = str(problem)
    else:
        copy.digest = digest.hexdigest()
    return copy


async def _page(client: Client, copy: Copy, end: int) -> list[bytes]:
    """The next whole batches below `end`; moves end_offset. Raises PageDamaged."""
    answer = await client.read_page(
        str(copy.end_offset),
        limit=PAGE_RECORDS,
        max_bytes=PAGE_BYTES,
        linearizable=False,
        wait_s=CATCHES_UP_S,
    )
    try:
        batches = split_batches(answer.body)
    except ValueError as problem:
        raise PageDamaged(str(problem)) from problem
    at = copy.end_offset
    for batch in batches:
        stamp = stamp_of(batch)
        if stamp.base_offset < at and copy.batches:
            raise PageDamaged(f"the batch at {stamp.base_offset} comes twice or out of order")
        at = stamp.base_offset + stamp.records
    next_offset = int(answer.headers["Replog-Next-Offset"])
    if next_offset == copy.end_offset:
        raise PageDamaged(f"this member has no more than that, the log ends at {end}")
    copy.end_offset = next_offset
    return [batch for batch in batches if stamp_of(batch).base_offset < end]
