"""`replog append`: lines, or whole files, become records, in order, each exactly once.

A line is stored without its newline. A last line that has none is marked by a record header, so
that `replog read` gives back the very bytes.

Decides: how values become batches, and what is told of them.
Must not know: how a batch is appended (client/appender.py), how input is read (source.py).
Read next: read.py (the way back).
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

import click
import msgspec

from replog.cli.exits import EXIT_USAGE, Failure, run
from replog.cli.options import Shared, shared
from replog.cli.progress import Progress
from replog.cli.source import Source, Values
from replog.client import Appended, Appender, Client, NewRecord, SessionEnded
from replog.wire.limits import EXPIRES_AFTER_MOST_MS

UNTERMINATED: Final = "replog-unterminated"
"""The record header of a value after which nothing came."""

BATCH_BYTES: Final = 2 * 1024 * 1024
"""A batch is closed when its records would take more; a single larger one goes alone."""

RECORD_EXTRA_BYTES: Final = 32
"""The most that a record takes beside its key and value."""

KEY_BYTES_MAX: Final = 16 * 1024

SESSION_LEAST_MS: Final = 10 * 60 * 1000
"""A command is soon over, and a loop of them must not fill the log with a day's sessions."""

_MARK: Final = ((UNTERMINATED, b""),)


class Total(msgspec.Struct):
    """What was acknowledged. Offsets are of records, inclusive; -1 for nothing.

    duplicates: batches whose first answer was lost, and which were not appended again.
    """

    records: int = 0
    bytes: int = 0
    batches: int = 0
    duplicates: int = 0
    first_offset: int = -1
    last_offset: int = -1
    seconds: float = 0.0

    def add(self, appended: Appended, size_bytes: int) -> None:
        """Count one batch."""
        self.records += appended.count
        self.bytes += size_bytes
        self.batches += 1
        self.duplicates += appended.duplicate
        self.first_offset = appended.base_offset if self.first_offset < 0 else self.first_offset
        self.last_offset = max(self.last_offset, appended.last_offset)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--whole", is_flag=True, help="Each file is one record, not each line.")
@click.option("-z", "--null", is_flag=True, help="Records end with a zero byte, not a newline.")
@click.option("--key", help="The key of every record.")
@click.option("--gzip", is_flag=True, help="Compress the batches.")
@shared
def append(
    options: Shared, files: tuple[str, ...], whole: bool, null: bool, key: str | None, gzip: bool
) -> None:
    """Append the lines of FILES, or of standard input, each as one record.

    Every record is appended exactly once, in order, also when members die meanwhile.
    """
    names = files or ("-",)
    faults = [fault for name in names if (fault := _fault(name)) is not None]
    if faults:
        raise Failure(f"{'; '.join(faults)}; nothing was appended", EXIT_USAGE)
    key_bytes = None if key is None else key.encode(errors="surrogateescape")
    if key_bytes is not None and len(key_bytes) > KEY_BYTES_MAX:
        raise click.BadParameter(f"longer than {KEY_BYTES_MAX} bytes", param_hint="--key")
    if "-" in names and sys.stdin.isatty():
        click.echo("reading lines from the terminal; Ctrl-D ends", err=True)
    source = Source(names, whole=whole, end=b"\0" if null else b"\n")
    run(_append(options, source, key_bytes, gzip=gzip))


def _fault(name: str) -> str | None:
    """Why this can't be read, if that shows before anything is sent."""
    if name == "-":
        return "standard input is closed" if sys.stdin is None else None
    if not Path(name).exists():
        return f"no such file: {name}"
    return f"a directory, not a file: {name}" if Path(name).is_dir() else None


async def _append(options: Shared, source: Source, key: bytes | None, *, gzip: bool) -> None:
    total = Total()
    began_s = time.monotonic()
    whole = False
    try:
        async with options.client() as client:
            with Progress("appended", source.size_bytes) as progress:
                await _Pump(client, key, total, progress, gzip=gzip).run(source)
        whole = True
    finally:
        total.seconds = round(time.monotonic() - began_s, 3)
        _tell(options, total, whole=whole)


class _Pump:
    """From a source into the log: reading goes on while batches are under way."""

    def __init__(
        self, client: Client, key: bytes | None, total: Total, progress: Progress, *, gzip: bool
    ) -> None:
        self._client = client
        self._key = key
        self._total = total
        self._progress = progress
        self._gzip = gzip
        self._appender: Appender | None = None

    async def run(self, source: Source) -> None:
        """Append all of it; returns when everything is durable on a majority."""
        try:
            async for found in source.values():
                for group in in_batches(found, len(self._key or b"")):
                    await self._send(group)
        except (Failure, OSError, SessionEnded):
            await self._settle()  # what was sent goes on; raises what ended the session
            raise
        await self._settle()

    async def _settle(self) -> None:
        if self._appender is not None:
            await self._appender.settle()

    async def _send(self, group: Values) -> None:
        appender = await self._session()
        if group.unterminated:
            now_ms = time.time_ns() // 1_000_000
            records = [NewRecord(value, self._key, _MARK, now_ms) for value in group.values]
            done = await appender.send(records, gzip=self._gzip)
        else:
            done = await appender.send_values(group.values, key=self._key, gzip=self._gzip)
        done.add_done_callback(partial(self._count, group.size_bytes))

    async def _session(self) -> Appender:
        """The session; another one when input paused for so long that it may have expired."""
        appender = self._appender
        if appender is not None and appender.may_have_expired:
            await appender.settle()
            appender = None
        if appender is None:
            appender = self._appender = await Appender.begin(
                self._client, expires_after_ms=session_ms(self._client.timeout_s)
            )
        return appender

    def _count(self, size_bytes: int, done: asyncio.Future[Appended]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._total.add(done.result(), size_bytes)
            self._progress.advance(size_bytes)


def session_ms(timeout_s: float) -> int:
    """How long a session is to be remembered: for much longer than one call is repeated."""
    return int(min(max(SESSION_LEAST_MS, 2000 * timeout_s), EXPIRES_AFTER_MOST_MS))


def in_batches(found: Values, key_bytes: int) -> Iterator[Values]:
    """Split into what one batch takes: all of it, in nearly every case."""
    values, unterminated, end = found
    extra = RECORD_EXTRA_BYTES + key_bytes
    if unterminated and len(values) > 1:
        raise ValueError("an unterminated value stands alone")
    if sum(map(len, values)) + len(values) * extra <= BATCH_BYTES:
        yield found
        return
    group: list[bytes] = []
    room = BATCH_BYTES
    for value in values:
        size = len(value) + extra
        if size > room and group:
            yield Values(group, False, end)
            group, room = [], BATCH_BYTES
        group.append(value)
        room -= size
    yield Values(group, unterminated, end)


def _tell(options: Shared, total: Total, *, whole: bool) -> None:
    if not options.json:
        _tell_people(total, whole=whole)
        return
    try:
        click.echo(msgspec.json.encode(total))
    except OSError:  # the only word of what happened must not be lost with the output
        _tell_people(total, whole=whole)
        if whole:
            raise


def _tell_people(total: Total, *, whole: bool) -> None:
    if not total.records:
        click.echo("nothing to append" if whole else "nothing was acknowledged", err=True)
        return
    click.echo(
        f"{'appended' if whole else 'acknowledged before it ended:'} {total.records} records, "
        f"offsets {total.first_offset} to {total.last_offset}, in {total.seconds:.1f} s",
        err=True,
    )
