"""An append session to one member: many appends under way on one connection (docs/api.md).

A session saves what HTTP costs for each request; what is appended, refused and unknown is the same.

Decides: which answer is whose, and what an ended connection means.
Must not know: which member is asked, what is tried again (transport.py).
Read next: ../wire/sessions.py, transport.py.
"""

import asyncio
from typing import Final

import aiohttp

from replog.client.failures import Unavailable
from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog.wire.sessions import ANY, SessionAppend, decode_answers, encode_append

HEARTBEAT_S: Final = 20.0
"""Between two pings: a node ends a session in which nothing comes for 75 s."""

ANSWERS_BYTES_MAX: Final = 4 * 1024 * 1024
"""A longer message of answers is nobody's we know."""


class Channel:
    """One open session. Any number of tasks may append at once."""

    def __init__(self, endpoint: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.endpoint = endpoint
        self._socket = socket
        self._next = 0
        self._waiting: dict[int, asyncio.Future[Appended]] = {}
        self._reader = asyncio.create_task(self._read())
        self._retired = False
        self._ending: asyncio.Task[bool] | None = None

    @property
    def open(self) -> bool:
        """Whether it can take appends."""
        return not self._reader.done() and not self._socket.closed

    async def append(self, batch: CheckedBatch, *, timeout_s: float, grace_s: float) -> Appended:
        """Append a batch. timeout_s: what the node is told; grace_s: how much longer to wait.

        Raises ApiError; Unavailable, with outcome unknown, when no answer comes.
        """
        request, self._next = self._next, self._next + 1
        answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
        self._waiting[request] = answer
        condition = ANY if batch.if_last_record is None else batch.if_last_record
        sent = SessionAppend(request, batch.data, condition, max(1, int(timeout_s * 1000)))
        try:
            async with asyncio.timeout(timeout_s + grace_s):
                await self._socket.send_bytes(encode_append(sent))
                return await answer
        except (aiohttp.ClientError, OSError) as problem:  # TimeoutError is an OSError
            said = str(problem) or type(problem).__name__
            raise Unavailable(f"{self.endpoint}: {said}", "unknown") from problem
        finally:
            self._waiting.pop(request, None)
            self._end_if_retired()

    def retire(self) -> None:
        """Take no more appends; the session ends once those under way are answered."""
        self._retired = True
        self._end_if_retired()

    def _end_if_retired(self) -> None:
        if self._retired and not self._waiting and self._ending is None:
            self._ending = asyncio.create_task(self._socket.close())

    async def close(self) -> None:
        """End the session; what isn't answered is unknown."""
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        said = "the session ended"
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.BINARY:
                    said = "an answer that isn't binary"
                    break
                self._take(message.data)
        except ValueError as problem:
            said = str(problem)
        finally:
            self._end(said)
            await self._socket.close()

    def _take(self, message: bytes) -> None:
        for request, appended, problem in decode_answers(message):
            answer = self._waiting.get(request)
            if answer is None or answer.done():
                continue  # its caller has left
            if appended is not None:
                answer.set_result(appended)
            else:
                answer.set_exception(problem or ApiError("outcome_unknown", "an empty answer"))

    def _end(self, said: str) -> None:
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Unavailable(f"{self.endpoint}: {said}", "unknown"))
                answer.exception()  # told by whoever still waits
