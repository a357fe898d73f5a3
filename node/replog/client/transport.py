"""One call to a cluster: which member is asked, how long, and whether it is asked again.

A call that surely had no effect, or whose repetition is harmless, is tried again at the next
member, with growing pauses, until its time is over. Everything else is told as it is.

Decides: that. Must not know: what the calls mean.
Read next: client.py.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import aiohttp

from replog.wire.problems import ApiError, problem_of

PAUSE_FIRST_S: Final = 0.05
PAUSE_MOST_S: Final = 1.0
"""Between two tries: doubled each time, drawn between half of it and the whole."""

TRY_S: Final = 5.0
"""The longest that one member is given for one try (a waiting read is given its wait besides)."""

GRACE_S: Final = 1.0
"""How much longer than the time it was told a member is waited for, so that its word counts."""

CONNECT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 256 * 1024 * 1024


class Unavailable(Exception):
    """No member answered in time. outcome: "none" if no try was ever sent, else "unknown"."""

    def __init__(self, detail: str, outcome: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.outcome = outcome


class Answer(NamedTuple):
    """A successful answer."""

    body: bytes
    headers: Mapping[str, str]
    endpoint: str


class Transport:
    """HTTP to any of several members; the one that answered last is asked first."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """endpoints: host:port of client listeners. token: presented with every call."""
        if not endpoints:
            raise ValueError("at least one endpoint is needed")
        self.endpoints = tuple(endpoints)
        self._scheme = "http" if tls is None else "https"
        self._ssl: Any = True if tls is None else tls
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._at = 0
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Be ready; connections are made as they are needed and kept."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl), trust_env=False
        )

    async def close(self) -> None:
        """Give the connections back."""
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        wait_s: float = 0.0,
        repeatable: bool = False,
    ) -> Answer:
        """Call some member. repeatable: doing it twice is the same as once.

        wait_s: how long a member may wait for records before it answers. Raises ApiError with the
        last refusal, Unavailable.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        pause_s = PAUSE_FIRST_S
        last: ApiError | Unavailable | None = None
        sent_once = False
        while True:
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise last or Unavailable("no time was given", "none")
            try:
                return await self._try(
                    method, path, body, headers, min(TRY_S, left_s), wait_s
                )
            except ApiError as refusal:
                last = refusal
                if not _again(refusal, repeatable=repeatable):
                    raise
            except Unavailable as failure:
                sent_once = sent_once or failure.outcome == "unknown"
                last = Unavailable(failure.detail, "unknown" if sent_once else "none")
                if failure.outcome == "unknown" and not repeatable:
                    raise last from failure
            self._at = (self._at + 1) % len(self.endpoints)
            await asyncio.sleep(min(pause_s * random.uniform(0.5, 1.0), max(0.0, left_s)))
            pause_s = min(2 * pause_s, PAUSE_MOST_S)

    async def ask(self, endpoint: str, path: str, timeout_s: float = TRY_S) -> Answer:
        """Ask one certain member, once."""
        return await self._send("GET", endpoint, path, None, None, timeout_s, 0.0)

    async def _try(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        try_s: float,
        wait_s: float,
    ) -> Answer:
        endpoint = self.endpoints[self._at]
        return await self._send(method, endpoint, path, body, headers, try_s, wait_s)

    async def _send(
        self,
        method: str,
        endpoint: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str] | None,
        try_s: float,
        wait_s: float,
    ) -> Answer:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with`")
        sent = {**self._headers, "Replog-Timeout-Ms": str(max(1, int(try_s * 1000)))}
        sent.update(headers or {})
        timeout = aiohttp.ClientTimeout(total=try_s + wait_s + GRACE_S, sock_connect=CONNECT_S)
        url = f"{self._scheme}://{endpoint}{path}"
        try:
            async with self._session.request(
                method, url, data=body, headers=sent, timeout=timeout
            ) as response:
                content = await response.read()
                if response.status < 400:
                    return Answer(content, response.headers, endpoint)
                raise _refusal(response.status, content, endpoint)
        except aiohttp.ClientConnectorError as problem:
            raise Unavailable(f"{endpoint}: {problem.strerror or problem}", "none") from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            said = str(problem) or type(problem).__name__
            raise Unavailable(f"{endpoint}: {said}", "unknown") from problem


def _again(refusal: ApiError, *, repeatable: bool) -> bool:
    return refusal.retryable and (refusal.outcome == "none" or repeatable)


def _refusal(status: int, content: bytes, endpoint: str) -> ApiError | Unavailable:
    problem = problem_of(content)
    if problem is not None:
        return problem
    text = content[:200].decode(errors="replace")
    return Unavailable(f"{endpoint}: HTTP {status}: {text}", "unknown")
