"""Entries as a page: records as JSON or NDJSON, values alone, or the batches as they are stored.

Decides: which records of which entries belong to a page, where the page ends, how bytes become
JSON. Control records are skipped, their offsets are not.
Must not know: where entries come from (reading.py).
Read next: reading.py.
"""

import base64
from abc import ABC, abstractmethod
from typing import Final, Protocol

import msgspec

from replog.wire.batches import StoredRecord, records_of
from replog.wire.schemas import ReadRecord, RecordsPage
from replog_node.frames.decode import data_batches
from replog_node.frames.layout import batch_header
from replog_node.model.entries import Entry
from replog_node.web.pieces import Pieces, body_of

JSON_TYPE: Final = "application/json"
NDJSON_TYPE: Final = "application/x-ndjson"
BATCHES_TYPE: Final = "application/vnd.replog.batches"
VALUES_TYPE: Final = "application/octet-stream"
FRAMES_TYPE: Final = "application/vnd.replog.frames"
READ_TYPES: Final = (JSON_TYPE, NDJSON_TYPE, BATCHES_TYPE, VALUES_TYPE, FRAMES_TYPE)
"""What a read can be answered with; the first when the caller doesn't mind."""

QUICK_RECORDS: Final = 2000
"""So many records are decoded in a few ms."""

_CODEC_BITS: Final = 0x07
_JSON: Final = msgspec.json.Encoder()


class Page(Protocol):
    """What collects records until it is full.

    next_offset: where the following page begins; records: how many it has; holds: whether there is
    anything in it; full: nothing more belongs to it.
    """

    @property
    def next_offset(self) -> int: ...
    @property
    def records(self) -> int: ...
    @property
    def holds(self) -> bool: ...
    @property
    def full(self) -> bool: ...

    def take(self, entry: Entry) -> None:
        """Take what belongs here of the entry that contains `next_offset`, and move on."""

    def is_quick(self, entry: Entry) -> bool:
        """Whether `take` needs so little time that nobody who shares the loop notices."""

    def body(self, end_offset: int, log_start_offset: int) -> bytes | Pieces:
        """The page as the response's body."""


def page_of(content_type: str, start: int, limit: int, max_bytes: int) -> Page:
    """An empty page of one of READ_TYPES."""
    if content_type == BATCHES_TYPE:
        return BatchesPage(start, limit)
    if content_type == FRAMES_TYPE:
        return FramesPage(start, limit)
    if content_type == VALUES_TYPE:
        return ValuesPage(start, limit, max_bytes)
    return JsonPage(start, limit, max_bytes, lines=content_type == NDJSON_TYPE)


class _DecodedPage(ABC):
    """Records, one by one; what is kept of each, its kinds say."""

    __slots__ = ("_bytes_left", "_limit", "full", "next_offset", "records")

    def __init__(self, start: int, limit: int, max_bytes: int) -> None:
        self._limit = limit
        self._bytes_left = max_bytes
        self.next_offset = start
        self.records = 0
        self.full = False

    @property
    def holds(self) -> bool:
        """Whether there is a record."""
        return self.records > 0

    def is_quick(self, entry: Entry) -> bool:
        """Few records, and none compressed."""
        return entry.last - entry.base < QUICK_RECORDS and not any(
            batch_header(batch, 0).attributes & _CODEC_BITS for batch in data_batches(entry)
        )

    @abstractmethod
    def _keep(self, record: StoredRecord) -> int:
        """Keep a record; how many bytes it counts for."""

    def take(self, entry: Entry) -> None:
        """Take records from `next_offset` on, until the limit or the bytes are used up.

        The bytes are counted as decoded: a compressed batch can be far larger than it lies.
        """
        for batch in data_batches(entry):
            header = batch_header(batch, 0)
            if header.base + header.last_delta >= self.next_offset:
                self._take_batch(batch)
            if self.full:
                return
        self.next_offset = entry.last + 1

    def _take_batch(self, batch: memoryview) -> None:
        start = self.next_offset
        for record in records_of(batch):
            if record.offset < start:
                continue
            self.records += 1
            self._bytes_left -= self._keep(record)
            if self.records >= self._limit or self._bytes_left <= 0:
                self.next_offset, self.full = record.offset + 1, True
                return


class JsonPage(_DecodedPage):
    """Records as one JSON document, or one line each."""

    __slots__ = ("_found", "_lines")

    def __init__(self, start: int, limit: int, max_bytes: int, *, lines: bool) -> None:
        super().__init__(start, limit, max_bytes)
        self._lines = lines
        self._found: list[ReadRecord] = []

    def _keep(self, record: StoredRecord) -> int:
        value, key = record.value, record.key
        headers = [_header(name, content) for name, content in record.headers]
        self._found.append(_read_record(record.offset, record.timestamp, value, key, headers))
        named = sum(len(name) + len(text) for name, text in headers)
        return len(value or b"") + len(key or b"") + named

    def body(self, end_offset: int, log_start_offset: int) -> bytes:
        """A RecordsPage, or lines of ReadRecord."""
        if self._lines:
            return _JSON.encode_lines(self._found)
        return _JSON.encode(
            RecordsPage(self._found, self.next_offset, end_offset, log_start_offset)
        )


class EventsPage(JsonPage):
    """Records as server-sent events, each with the id from which its reader goes on."""

    __slots__ = ("_lineage",)

    def __init__(self, start: int, limit: int, max_bytes: int, lineage: str) -> None:
        super().__init__(start, limit, max_bytes, lines=True)
        self._lineage = lineage.encode()

    def body(self, end_offset: int, log_start_offset: int) -> bytes:
        """An event for each record."""
        lineage, encode = self._lineage, _JSON.encode
        return b"".join(
            [
                b"id: %b-%d\ndata: %b\n\n" % (lineage, record.offset, encode(record))
                for record in self._found
            ]
        )


class ValuesPage(_DecodedPage):
    """The values alone, one directly after the other; a record without value adds nothing."""

    __slots__ = ("_values",)

    def __init__(self, start: int, limit: int, max_bytes: int) -> None:
        super().__init__(start, limit, max_bytes)
        self._values: list[bytes] = []

    def _keep(self, record: StoredRecord) -> int:
        value = record.value or b""
        self._values.append(value)
        return len(value)

    def body(self, end_offset: int, log_start_offset: int) -> bytes:
        """The values' bytes."""
        return b"".join(self._values)


class BatchesPage:
    """Whole batches, not decoded: their bytes as they lie, one after the other."""

    __slots__ = ("_batches", "_limit", "full", "next_offset", "records")

    def __init__(self, start: int, limit: int) -> None:
        self._limit = limit
        self._batches: list[memoryview] = []
        self.next_offset = start
        self.records = 0
        self.full = False

    def take(self, entry: Entry) -> None:
        """Take the batches that contain `next_offset` or follow it, until the limit is reached."""
        for batch in data_batches(entry):
            header = batch_header(batch, 0)
            last = header.base + header.last_delta
            if last < self.next_offset:
                continue
            self._batches.append(batch)
            self.records += last - max(header.base, self.next_offset) + 1
            self.next_offset = last + 1
            if self.records >= self._limit:
                self.full = True
                return
        self.next_offset = entry.last + 1

    @property
    def holds(self) -> bool:
        """Whether there is a batch."""
        return self.records > 0

    def is_quick(self, entry: Entry) -> bool:
        """Nothing is decoded."""
        return True

    def body(self, end_offset: int, log_start_offset: int) -> bytes | Pieces:
        """The batches' bytes."""
        return body_of(self._batches)


class FramesPage:
    """Whole frames as they are stored, control records included: each one's chain proves that it
    is what followed the one before, so the reader need not believe this member."""

    __slots__ = ("_frames", "_limit", "full", "next_offset", "records")

    def __init__(self, start: int, limit: int) -> None:
        self._limit = limit
        self._frames: list[bytes] = []
        self.next_offset = start
        self.records = 0
        self.full = False

    def take(self, entry: Entry) -> None:
        """Take the frame."""
        self._frames.append(entry.frame)
        for batch in data_batches(entry):
            header = batch_header(batch, 0)
            last = header.base + header.last_delta
            self.records += max(0, last - max(header.base, self.next_offset) + 1)
        self.next_offset = entry.last + 1
        self.full = self.records >= self._limit

    @property
    def holds(self) -> bool:
        """Whether there is a frame, of records or not."""
        return bool(self._frames)

    def is_quick(self, entry: Entry) -> bool:
        """Nothing is decoded."""
        return True

    def body(self, end_offset: int, log_start_offset: int) -> bytes:
        """The frames' bytes."""
        return b"".join(self._frames)


def _read_record(
    offset: int,
    timestamp_ms: int,
    value: bytes | None,
    key: bytes | None,
    headers: list[tuple[str, str]],
) -> ReadRecord:
    """A record in JSON's words: text where it is text, else base64."""
    value_text, value_base64 = _text_or_base64(value)
    key_text, key_base64 = _text_or_base64(key) if key is not None else (None, None)
    return ReadRecord(offset, timestamp_ms, value_text, value_base64, key_text, key_base64, headers)


def _text_or_base64(content: bytes | None) -> tuple[str | None, str | None]:
    """(text, None) for UTF-8, (None, base64) for other bytes, (None, None) for nothing."""
    if content is None:
        return None, None
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return None, base64.b64encode(content).decode()


def _header(name: str, content: bytes | None) -> tuple[str, str]:
    """A header as JSON has it; what isn't UTF-8 (only raw batches may hold it) is replaced."""
    return name, (content or b"").decode(errors="replace")
