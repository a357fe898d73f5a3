"""Read a log from anywhere: pages of whole batches, checked here, resumed at any member.

Decides: where the next page begins. Must not know: what records mean.
Read next: client.py.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec

from replog.client.client import Client
from replog.client.transport import Answer
from replog.wire.batches import StoredRecord, records_of, split_batches
from replog.wire.problems import ApiError
from replog.wire.schemas import RecordsPage

PAGE_RECORDS: Final = 10_000
"""The most that the API lets one ask for; batches come whole, so there may be more."""
PAGE_BYTES: Final = 4 * 1024 * 1024
FOLLOW_WAIT_S: Final = 20.0
"""How long a member waits for new records before it answers that there are none."""


SOUND_TRIES: Final = 3
"""How often a page is asked for until its bytes are sound."""


class PageDamaged(Exception):
    """What came is not what was stored: on its way or at a member something is broken."""


class Page(NamedTuple):
    """Records in order. next_offset: where the following page begins; end_offset: of the log."""

    records: list[StoredRecord]
    next_offset: int
    end_offset: int


async def read(
    client: Client,
    *,
    start: str = "earliest",
    limit: int | None = None,
    follow: bool = False,
    linearizable: bool = True,
) -> AsyncIterator[Page]:
    """Yield pages from `start` on: up to the end as it was when the read began, or for ever.

    limit: records in all. follow: wait for more at the end. Raises ApiError, Unavailable; and
    PageDamaged when no member that was asked could give sound bytes.
    """
    end: int | None = None
    left = limit
    if start.startswith("tail:"):
        start = await _first_of_tail(client, start, linearizable=linearizable)
    while left is None or left > 0:
        answer, batches = await sound_page(
            client,
            start,
            limit=PAGE_RECORDS if left is None else min(left, PAGE_RECORDS),
            wait_s=FOLLOW_WAIT_S if follow else 0.0,
            linearizable=linearizable,
        )
        next_offset = int(answer.headers["Replog-Next-Offset"])
        log_end = int(answer.headers["Replog-End-Offset"])
        if end is None and not follow:
            end = log_end
        records = _records(batches, start, end, left)
        left = None if left is None else left - len(records)
        if records:
            whole = left is None or left > 0
            yield Page(records, next_offset if whole else records[-1].offset + 1, log_end)
        if end is not None and next_offset >= end:
            return
        start = str(next_offset)


async def sound_page(
    client: Client, start: str, *, limit: int, wait_s: float, linearizable: bool
) -> tuple[Answer, list[bytes]]:
    """A page whose checksums match; one that is damaged is asked for again, of another member."""
    damage = ""
    for _ in range(SOUND_TRIES):
        answer = await client.read_page(
            start,
            limit=limit,
            max_bytes=PAGE_BYTES,
            wait_s=wait_s,
            linearizable=linearizable,
        )
        try:
            return answer, split_batches(answer.body)
        except (ValueError, ApiError) as problem:
            damage = f"{answer.endpoint}: from {start} on: {problem}"
            client.transport.turn_from(answer.endpoint)
    raise PageDamaged(damage)


async def _first_of_tail(client: Client, start: str, *, linearizable: bool) -> str:
    """The offset at which the last N records begin: batches are served whole, so it is asked."""
    answer = await client.read_page(
        start,
        limit=1,
        max_bytes=PAGE_BYTES,
        linearizable=linearizable,
        accept="application/json",
    )
    page = msgspec.json.decode(answer.body, type=RecordsPage)
    return str(page.records[0].offset if page.records else page.next_offset)


def _records(
    batches: list[bytes], start: str, end: int | None, left: int | None
) -> list[StoredRecord]:
    """The page's records from `start` on: whole batches may begin before it and end after."""
    first = int(start) if start.isdigit() else None
    found: list[StoredRecord] = []
    for batch in batches:
        found.extend(records_of(batch))
    if first is not None and found and found[0].offset < first:
        found = [record for record in found if record.offset >= first]
    if end is not None and found and found[-1].offset >= end:
        found = [record for record in found if record.offset < end]
    return found if left is None else found[:left]
