"""`replog read` and `replog tail`: records back as the bytes that they were, or as JSON.

Decides: how a record is written. Must not know: pages, batches (client/reader.py).
Read next: append.py (the way in).
"""

import base64
import sys
from collections.abc import Iterable

import click
import msgspec

from replog.cli.append import UNTERMINATED
from replog.cli.exits import run
from replog.cli.options import Shared, shared
from replog.cli.progress import Progress
from replog.client.reader import read as read_pages
from replog.wire.batches import StoredRecord
from replog.wire.schemas import ReadRecord

_JSON = msgspec.json.Encoder()


class Start(click.ParamType[str]):
    """An offset, `earliest`, `latest`, or `tail:N`."""

    name = "offset|earliest|latest|tail:N"

    def convert(
        self, value: str, param: click.Parameter | None, context: click.Context | None
    ) -> str:
        """Return it as the API takes it."""
        number = value.removeprefix("tail:")
        if value not in ("earliest", "latest") and not (number.isascii() and number.isdigit()):
            self.fail(f"{value!r} is none of {self.name}", param, context)
        return value


@click.command()
@click.option("--from", "start", type=Start(), default="earliest", show_default=True)
@click.option("--limit", type=click.IntRange(min=0), help="At most so many records.")
@click.option(
    "--consistency",
    type=click.Choice(["linearizable", "local"]),
    default="linearizable",
    show_default=True,
    help="local asks nobody else and may miss the newest records.",
)
@click.option("-z", "--null", is_flag=True, help="A zero byte after each record, not a newline.")
@click.option("--raw", is_flag=True, help="Nothing after a record.")
@shared
def read(
    options: Shared, start: str, limit: int | None, consistency: str, null: bool, raw: bool
) -> None:
    """Write the records from --from up to the end of the log to standard output."""
    end = _end(null=null, raw=raw)
    run(_write(options, start, limit, consistency, end, follow=False))


@click.command()
@click.option("-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True)
@click.option("-f/-F", "--follow/--no-follow", default=True, help="Wait for more; -f by default.")
@click.option("--from", "start", type=Start(), help="Begin here, not with the last --lines.")
@click.option("--limit", type=click.IntRange(min=0), help="Stop after so many records.")
@click.option("-z", "--null", is_flag=True, help="A zero byte after each record, not a newline.")
@click.option("--raw", is_flag=True, help="Nothing after a record.")
@shared
def tail(
    options: Shared,
    lines: int,
    follow: bool,
    start: str | None,
    limit: int | None,
    null: bool,
    raw: bool,
) -> None:
    """Write the last records, then every new one, until Ctrl-C."""
    begin = start or (f"tail:{lines}" if lines else "latest")
    end = _end(null=null, raw=raw)
    run(_write(options, begin, limit, "linearizable", end, follow=follow))


def _end(*, null: bool, raw: bool) -> bytes:
    """What comes after a record."""
    if null and raw:
        raise click.UsageError("--null and --raw exclude each other")
    return b"" if raw else b"\0" if null else b"\n"


async def _write(
    options: Shared,
    start: str,
    limit: int | None,
    consistency: str,
    end: bytes,
    *,
    follow: bool,
) -> None:
    out = sys.stdout.buffer
    # Between the lines of a terminal a bar would be noise; while they go elsewhere it helps.
    watched = not follow and not sys.stdout.isatty()
    async with options.client() as client:
        with Progress("read", None) as progress:
            async for page in read_pages(
                client,
                start=start,
                limit=limit,
                follow=follow,
                linearizable=consistency == "linearizable",
            ):
                if options.json:
                    content = _JSON.encode_lines([_json(record) for record in page.records])
                else:
                    content = _text(page.records, end)
                out.write(content)
                out.flush()
                if watched:
                    progress.advance(len(content))


def _text(records: Iterable[StoredRecord], end: bytes) -> bytes:
    """Values with their ends, but where a line had none."""
    parts: list[bytes] = []
    for record in records:
        parts.append(record.value or b"")
        headers = record.headers
        if not headers or all(name != UNTERMINATED for name, _ in headers):
            parts.append(end)
    return b"".join(parts)


def _json(record: StoredRecord) -> ReadRecord:
    value, value_base64 = _text_or_base64(record.value)
    key, key_base64 = _text_or_base64(record.key)
    headers = [
        (name, (content or b"").decode(errors="replace")) for name, content in record.headers
    ]
    return ReadRecord(
        record.offset, record.timestamp, value, value_base64, key, key_base64, headers
    )


def _text_or_base64(content: bytes | None) -> tuple[str | None, str | None]:
    if content is None:
        return None, None
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(content).decode()
