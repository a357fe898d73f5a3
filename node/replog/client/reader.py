"""Read a log from anywhere: pages of whole batches, checked here, resumed at any member.

Decides: where the next page begins. Must not know: what records mean.
Read next: client.py.
"""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

import msgspec

from replog.client.client import Client
from replog.wire.batches import StoredRecord, records_of, split_batches
from replog.wire.schemas import RecordsPage

PAGE_RECORDS: Final = 10_000
"""The most that the API lets one ask for; batches come whole, so there may be more."""
PAGE_BYTES: Final = 4 * 1024 * 1024
FOLLOW_WAIT_S: Final = 20.0
"""How long a member waits for new records before it answers that there are none."""


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

    limit: records in all. follow: wait for more at the end. Raises ApiError, Unavailable; a page
    whose bytes aren't sound raises ValueError.
    """
    end: int | None = None
    left = limit
    if start.startswith("tail:"):
        start = await _first_of_tail(client, start, linearizable=linearizable)
    while left is None or left > 0:
        answer = await client.read_page(
            start,
            limit=PAGE_RECORDS if left is None else min(left, PAGE_RECORDS),
            max_bytes=PAGE_BYTES,
            wait_s=FOLLOW_WAIT_S if follow else 0.0,
            linearizable=linearizable,
        )
        next_offset = int(answer.headers["Replog-Next-Offset"])
        log_end = int(answer.headers["Replog-End-Offset"])
        if end is None and not follow:
            end = log_end
        records = _records(answer.body, start, end, left)
        left = None if left is None else left - len(records)
        if records:
            whole = left is None or left > 0
            yield Page(records, next_offset if whole else records[-1].offset + 1, log_end)
        if end is not None and next_offset >= end:
            return
        start = str(next_offset)


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


def _records(body: bytes, start: str, end: int | None, left: int | None) -> list[StoredRecord]:
    """The page's records from `start` on: whole batches may begin before it and end after."""
    first = int(start) if start.isdigit() else None
    found: list[StoredRecord] = []
    for batch in split_batches(body):
        found.extend(records_of(batch))
    if first is not None and found and found[0].offset < first:
        found = [record for record in found if record.offset >= first]
    if end is not None and found and found[-1].offset >= end:
        found = [record for record in found if record.offset < end]
    return found if left is None else found[:left]
