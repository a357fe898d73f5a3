"""The short way of small appends: from a connection's bytes to a batch, without aiohttp's request.

A request whose head is of the plainest kind, and whose body came with it, needs neither a parser
nor a task of its own. Single values that arrive together become one batch, each with the answer
that it would have had alone: sessionless records keep no promise between them but their order.
Everything else, and everything unusual, goes the usual way (listener.py hands it on untouched).

Decides: which requests are plain (Head); that the same holds for them as behind gate.py:
permission, bounds, codes, metrics.
Must not know: sockets (listener.py), who appends (service.py).
Read next: listener.py, client_routes.py (the usual way).
"""

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict, CIMultiDictProxy

from replog.wire.batches import CheckedBatch, build_values
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog_node.settings import Settings
from replog_node.web.bodies import Bodies
from replog_node.web.decoding import Decoding
from replog_node.web.gate import Gate
from replog_node.web.permissions import Permission
from replog_node.web.problems import ends_connection, raw_response, unexpected
from replog_node.web.query import TIMEOUT_MAX_MS
from replog_node.web.records_in import BATCH, OCTETS, batch_of, is_quick
from replog_node.web.service import Service

REQUEST_LINE: Final = b"POST /v1/records HTTP/1.1\r\n"
HEAD_END: Final = b"\r\n\r\n"
HEAD_BYTES_MAX: Final = 2048
"""A longer head goes the usual way."""

BODY_BYTES_MAX: Final = 64 * 1024
"""So does a larger body."""

HEADS_MAX: Final = 512
"""Heads remembered, as a connection repeats its own; past it all are forgotten."""

TOGETHER_BYTES: Final = 256 * 1024
TOGETHER_RECORDS: Final = 4096
"""Values that share a batch, at most."""

LABEL: Final = "POST /v1/records"

_HEADERS: Final = frozenset(
    (
        "accept", "accept-encoding", "authorization", "connection", "content-length",
        "content-type", "host", "replog-timeout-ms", "user-agent",
    )
)  # fmt: skip
"""Those that a plain head may have; any other means something that is not served here."""

_HEADER: Final = re.compile(rb"([A-Za-z-]+):[ \t]*([!-~](?:[ -~]*[!-~])?)[ \t]*")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_ENCODER: Final = msgspec.json.Encoder()
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
_NO_HEADERS: Final = CIMultiDictProxy(CIMultiDict[str]())


class Head(NamedTuple):
    """A plain head, understood. timeout_s: None when it doesn't say."""

    content_type: str
    length: int
    timeout_s: float | None
    authorization: str | None


class Connection(Protocol):
    """Who asked. answer: called once for each request that was taken, never within `take`."""

    def answer(self, response: bytes, *, close: bool) -> None:
        """Send this; close: the connection can't go on."""


class _Asked(NamedTuple):
    connection: Connection
    began_s: float
    body: bytes


class Direct:
    """The direct appends of one listener."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        bodies: Bodies,
        gate: Gate,
        decoding: Decoding,
    ) -> None:
        """bodies, gate and decoding: those of the usual way, whose bounds count both ways."""
        self._service = service
        self._decoding = decoding
        self._bodies = bodies
        self._gate = gate
        self._timeout_s = settings.request_timeout_ms / 1000
        self._heads: dict[bytes, Head | None] = {}
        self._gathered: dict[float, list[_Asked]] = {}
        self._flush_due = False
        self._tasks: set[asyncio.Task[None]] = set()

    def head_of(self, data: bytes) -> tuple[Head, int] | None:
        """The plain head that these bytes begin with, and where its body begins; None: none."""
        if not data.startswith(REQUEST_LINE):
            return None
        end = data.find(HEAD_END, 0, HEAD_BYTES_MAX)
        if end < 0:
            return None
        text = data[len(REQUEST_LINE) : end]
        if text not in self._heads:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            self._heads[text] = _head(text)
        head = self._heads[text]
        return (head, end + len(HEAD_END)) if head else None

    def serves(self, head: Head, body: bytes) -> bool:
        """Whether a body that came with its head is served here: none that overtakes another."""
        small = len(body) <= BODY_BYTES_MAX and is_quick(head.content_type, body)
        return small and not self._decoding.busy

    def take(self, connection: Connection, head: Head, body: bytes) -> None:
        """Serve a request; refusals are answered, too."""
        began_s = time.perf_counter()
        asked = _Asked(connection, began_s, body)
        try:
            self._gate.enter(head.authorization, Permission.WRITE, bulk=True)
        except ApiError as error:
            asyncio.get_running_loop().call_soon(self._refuse, [asked], error)
            return
        try:
            self._bodies.hold(len(body))
        except ApiError as error:
            asyncio.get_running_loop().call_soon(self._turn_back, [asked], error)
            return
        timeout_s = self._timeout_s if head.timeout_s is None else head.timeout_s
        if head.content_type == OCTETS:
            self._gather(asked, timeout_s)
        else:
            self._soon(self._ready_made(asked, timeout_s))

    def _gather(self, asked: _Asked, timeout_s: float) -> None:
        """Let it wait for what else arrives in this turn of the loop."""
        self._gathered.setdefault(timeout_s, []).append(asked)
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        gathered, self._gathered = self._gathered, {}
        for timeout_s, waiting in gathered.items():
            together: list[_Asked] = []
            room = TOGETHER_BYTES
            for asked in waiting:
                room -= len(asked.body)
                if together and (room < 0 or len(together) >= TOGETHER_RECORDS):
                    self._soon(self._values(together, timeout_s))
                    together, room = [], TOGETHER_BYTES - len(asked.body)
                together.append(asked)
            self._soon(self._values(together, timeout_s))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _values(self, together: list[_Asked], timeout_s: float) -> None:
        """Append values as one batch; each is answered as if it had been alone."""
        try:
            now_ms = time.time_ns() // 1_000_000
            batch = build_values([asked.body for asked in together], timestamp_ms=now_ms)
            done = await self._service.append(batch, timeout_s=timeout_s)
        except ApiError as error:
            self._end(together, error)
        except Exception as error:  # noqa: BLE001 (the last guard: the log is told in full)
            self._end(together, unexpected(error, LABEL))
        else:
            base, term, duplicate = done.base_offset, done.term, done.duplicate
            self._done(
                together,
                [
                    _ENCODER.encode(Appended(offset, offset, 1, term, duplicate=duplicate))
                    for offset in range(base, base + len(together))
                ],
            )

    async def _ready_made(self, asked: _Asked, timeout_s: float) -> None:
        """Append a batch that the client built."""
        try:
            batch: CheckedBatch = batch_of(BATCH, _NO_HEADERS, asked.body)
            done = await self._service.append(batch, timeout_s=timeout_s)
        except ApiError as error:
            self._end([asked], error)
        except Exception as error:  # noqa: BLE001 (the last guard: the log is told in full)
            self._end([asked], unexpected(error, LABEL))
        else:
            self._done([asked], [_ENCODER.encode(done)])

    def _done(self, together: list[_Asked], bodies: list[bytes]) -> None:
        """Answer 200 with these bodies."""
        date = rfc822_formatted_time()
        tail = f"\r\nDate: {date}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode()
        for asked, body in zip(together, bodies, strict=True):
            self._bodies.release(len(asked.body))
            asked.connection.answer(b"%b%d%b%b" % (_OK, len(body), tail, body), close=False)
        self._gate.leave(len(together))
        self._gate.count(LABEL, 200, [asked.began_s for asked in together])

    def _end(self, together: list[_Asked], error: ApiError) -> None:
        """Refuse what was let in, and whose body is held."""
        for asked in together:
            self._bodies.release(len(asked.body))
        self._turn_back(together, error)

    def _turn_back(self, together: list[_Asked], error: ApiError) -> None:
        """Refuse what was let in."""
        self._gate.leave(len(together))
        self._refuse(together, error)

    def _refuse(self, together: list[_Asked], error: ApiError) -> None:
        """Refuse what was not let in."""
        self._gate.count(LABEL, error.status, [asked.began_s for asked in together], error.code)
        close = ends_connection(error)
        response = raw_response(error, close=close)
        for asked in together:
            asked.connection.answer(response, close=close)


def _head(text: bytes) -> Head | None:
    """The lines after the request line, if they are plain."""
    found: dict[str, str] = {}
    for line in text.split(b"\r\n"):
        match = _HEADER.fullmatch(line)
        name = match[1].decode().lower() if match else ""
        if match is None or name not in _HEADERS or name in found:
            return None
        found[name] = match[2].decode()
    length, content_type = found.get("content-length", ""), found.get("content-type", "")
    timeout_ms = found.get("replog-timeout-ms")
    if (
        "host" not in found
        or content_type not in (OCTETS, BATCH)
        or not _NUMBER.fullmatch(length)
        or found.get("connection", "keep-alive").lower() != "keep-alive"
        or (timeout_ms is not None and not _is_timeout(timeout_ms))
    ):
        return None
    timeout_s = None if timeout_ms is None else int(timeout_ms) / 1000
    return Head(content_type, int(length), timeout_s, found.get("authorization"))


def _is_timeout(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and 1 <= int(text) <= TIMEOUT_MAX_MS
