"""Request bodies: read whole, within a size, a time and a common bound.

Decides: when a body is refused (408, 413, 415, 429), and that one which ends too early is none.
Must not know: what is in it.
Read next: records_in.py.
"""

import asyncio
from typing import Final

from aiohttp import ClientPayloadError, StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage

from replog.wire.problems import ApiError
from replog_node.settings import Settings

_BROKEN: Final = (ConnectionError, ClientPayloadError, web.RequestPayloadError, BadHttpMessage)
"""How aiohttp tells that a body ended early, or broke the rules of its framing."""


class Bodies:
    """The bodies that a listener holds at this moment. `held` counts their bytes."""

    __slots__ = ("_bytes_max", "_held_max", "_timeout_s", "held")

    def __init__(self, settings: Settings) -> None:
        self._bytes_max = settings.body_bytes_max
        self._held_max = settings.requests_bytes_max
        self._timeout_s = settings.body_timeout_ms / 1000
        self.held = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """Return the whole body; the caller gives its length to `release` when it is done with it.

        Raises ApiError content_type_unsupported, body_too_large, overloaded, request_timeout,
        body_incomplete; nothing is held then.
        """
        if set(request.headers.getall("Content-Encoding", ())) - {"identity"}:
            raise ApiError("content_type_unsupported", "encoded bodies are not taken", supported=[])
        declared = request.content_length or 0
        self._hold(declared, declared)
        try:
            content = request.content
            if content.is_eof():  # it came with the head: no timer, no task switch
                body = content.read_nowait(-1)
                self._hold(len(body) - declared, len(body))
                return body
            return await self._read_slowly(content, declared)
        except _BROKEN:
            self.release(declared)
            raise ApiError("body_incomplete", "the body ended before its declared end") from None
        except BaseException:
            self.release(declared)
            raise

    def hold(self, length: int) -> None:
        """Hold a body that has arrived; raises ApiError body_too_large, overloaded."""
        self._hold(length, length)

    def release(self, length: int) -> None:
        """The bytes of a body are not held any more."""
        self.held -= length

    async def _read_slowly(self, content: StreamReader, declared: int) -> bytes:
        """Read as the body comes; what exceeds `declared` is held only at success."""
        chunks: list[bytes] = []
        length = held = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                while not content.at_eof():
                    chunk = await content.readany()
                    chunks.append(chunk)
                    length += len(chunk)
                    self._hold(more := max(0, length - declared - held), length)
                    held += more
        except TimeoutError:
            self.release(held)
            raise ApiError(
                "request_timeout", f"the body did not arrive within {self._timeout_s:g} s"
            ) from None
        except BaseException:
            self.release(held)
            raise
        self.release(declared + held - length)
        return b"".join(chunks)

    def _hold(self, more: int, length: int) -> None:
        """Count `more` bytes of a body of so far `length`, or refuse it."""
        check_declared(length, self._bytes_max)
        if more > 0 and self.held + more > self._held_max:
            raise ApiError("overloaded", "too many bytes of request bodies are held already")
        self.held += more


def check_declared(length: int | None, bytes_max: int) -> None:
    """Raise ApiError body_too_large for a body of more than `bytes_max` bytes, as far as known."""
    if length is not None and length > bytes_max:
        raise ApiError(
            "body_too_large", f"the body is longer than {bytes_max} bytes", limit_bytes=bytes_max
        )
