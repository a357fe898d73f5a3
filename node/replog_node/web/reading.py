"""A read: from where, how far, and the wait for more.

Decides: how `from` becomes an offset, when a page is done (limit, bytes gone through, end), and
that only data records end a wait. Reads are repeatable: nothing is remembered between them.
Must not know: HTTP parameters and bodies.
Read next: client_routes.py.
"""

import asyncio
from collections.abc import Callable
from typing import Final, assert_never

from replog.wire.problems import ApiError
from replog_node.model.positions import Offset
from replog_node.web.decoding import Decoding
from replog_node.web.query import End, LastRecords, ReadQuery, SinceTime
from replog_node.web.records_out import Page
from replog_node.web.service import LOCAL, ReadView, Service

WAIT_SLICE_S: Final = 1.0
"""A wait looks this often whether its caller is still there, so that the dead hold no places."""

_ASK_LEAST_BYTES: Final = 16 * 1024
_ASK_BYTES_PER_RECORD: Final = 1024
"""What one look asks for: enough for `limit` records of usual size, not a megabyte for one."""


async def starting_offset(service: Service, query: ReadQuery, view: ReadView) -> int:
    """Where the read begins; raises ApiError offset_out_of_range, offset_trimmed."""
    match query.start:
        case End.EARLIEST:
            return view.log_start_offset
        case End.LATEST:
            return view.end_offset
        case LastRecords(count=count):
            return await service.last_records_from(count, view.end_offset)
        case SinceTime(time_ms=time_ms):
            return await service.offset_at_time(time_ms, view)
        case int(offset):
            return offset_within(offset, view)
        case _:
            assert_never(query.start)


def offset_within(offset: int, view: ReadView) -> int:
    """The offset, if the log has it or will have it next."""
    if offset > view.end_offset:
        raise ApiError(
            "offset_out_of_range",
            f"offset {offset} is beyond the end of the log, {view.end_offset}",
            end_offset=view.end_offset,
        )
    if offset < view.log_start_offset:
        raise ApiError(
            "offset_trimmed",
            f"offset {offset} is below the start of the log, {view.log_start_offset}",
            log_start_offset=view.log_start_offset,
        )
    return offset


async def fill(
    service: Service, decoding: Decoding, page: Page, query: ReadQuery, end_offset: int
) -> None:
    """Put records below `end_offset` into the page until it is full or max_bytes were gone through.

    What has been gone through counts, not what was found: a stretch of control records ends a
    page, too.
    """
    scanned = 0
    while page.next_offset < end_offset and not page.full and scanned < query.max_bytes:
        wanted = max(_ASK_LEAST_BYTES, _ASK_BYTES_PER_RECORD * (query.limit - page.records))
        entries = await service.entries(
            Offset(page.next_offset), max_bytes=min(wanted, query.max_bytes - scanned)
        )
        if not entries:
            return
        for entry in entries:
            if page.full or entry.base >= end_offset:
                return
            await decoding.take(page, entry)
            scanned += entry.size_bytes


async def fill_or_wait(
    service: Service,
    decoding: Decoding,
    page: Page,
    query: ReadQuery,
    view: ReadView,
    *,
    gone: Callable[[], bool],
) -> ReadView:
    """Wait at the end of the log for a data record and put it into the page.

    Returns the view that the page was filled from at last. What became committed while waiting
    is as linearizable as the view that the wait began with, so nobody is asked again.
    gone: whether the caller has left.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + query.wait_s
    while not page.records and page.next_offset >= view.end_offset and not gone():
        left_s = deadline - loop.time()
        if left_s <= 0:
            break
        at = Offset(page.next_offset)
        if await service.wait_for_records(at, timeout_s=min(left_s, WAIT_SLICE_S)):
            fresh = await service.view(LOCAL, timeout_s=left_s)
            if fresh.end_offset <= page.next_offset:
                break  # a contradiction of the service; never a reason to spin
            view = fresh
            await fill(service, decoding, page, query, view.end_offset)
    return view
