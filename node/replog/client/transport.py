"""One call to a cluster: which member is asked, how long, and whether it is asked again.

A call that surely had no effect, or whose repetition is harmless, is tried again at the next
member, with growing pauses, until its time is over or every member can't serve it for good.
One endpoint may be the name of several members (a Service, a load balancer): who can't serve is
left by a new connection, and all of them are asked for a while before they are believed.
Everything else is told as it is.

Decides: that. Must not know: what the calls mean.
Read next: client.py.
"""

import asyncio
import io
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import aiohttp
import msgspec

from replog.client.channel import ANSWERS_BYTES_MAX, HEARTBEAT_S, Channel
from replog.client.failures import Unavailable
from replog.wire.batches import CheckedBatch
from replog.wire.codes import NONE
from replog.wire.problems import ApiError, problem_of
from replog.wire.schemas import Appended
from replog.wire.sessions import SESSION_PATH

BATCH: Final = "application/vnd.replog.batch"
T = TypeVar("T")

PAUSE_FIRST_S: Final = 0.05
PAUSE_MOST_S: Final = 1.0
"""Between two tries: doubled each time, drawn between half of it and the whole."""

TRY_S: Final = 5.0
"""The longest that one member is given for one try (a waiting read is given its wait besides)."""

TRY_LEAST_S: Final = 0.05
"""The shortest, so that a call with no time left fails by an answer rather than by arithmetic."""

GRACE_S: Final = 1.0
"""How much longer than the time it was told a member is waited for, so that its word counts."""

CONNECT_S: Final = 2.0
ANSWER_BYTES_MAX: Final = 64 * 1024 * 1024
"""A page of whole batches has at most twice 4 MiB; a larger answer is nobody's we know."""

ENDPOINTS_MAX: Final = 32
"""Learned endpoints; a cluster has at most 9 members and as many that join or leave."""

READ_BYTES: Final = 1024 * 1024
"""What may wait unread of an answer: a page of megabytes then comes without many stops."""

CHANNELS_MAX: Final = ENDPOINTS_MAX
"""Append sessions that are kept; past it all are ended and begun as they are needed."""

NO_CHANNEL_S: Final = 10.0
"""For so long a member that gave no session is not asked for one again."""

OUT_OF_TURN: Final = "sequence_gap"
HOPELESS_S: Final = 10.0
"""For so long all endpoints must have said that they never will: what stands behind a name may be
changing just now, as when members were removed and the Service hasn't heard of it yet."""

PAUSE_OUT_OF_TURN_S: Final = 0.01
"""Batches of one session travel side by side; the one that comes too early tries again."""


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
        self.seeds = tuple(endpoints)
        self.endpoints = tuple(endpoints)
        self._scheme = "http" if tls is None else "https"
        self._ssl: Any = True if tls is None else tls
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._at = 0
        self._session: aiohttp.ClientSession | None = None
        self._channels: dict[str, Channel] = {}
        self._left: set[Channel] = set()
        self._no_channel_before_s: dict[str, float] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Be ready; connections are made as they are needed and kept."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl),
            trust_env=False,
            read_bufsize=READ_BYTES,
        )

    async def close(self) -> None:
        """Give the connections back."""
        await self._close_channels()
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
        last refusal; Unavailable when nobody answered, or when an earlier try may have worked.
        """

        async def once(endpoint: str, try_s: float) -> Answer:
            return await self._send(method, endpoint, path, body, headers, try_s, wait_s)

        return await self._until_settled(once, timeout_s, repeatable=repeatable)

    async def append(self, batch: CheckedBatch, *, timeout_s: float, repeatable: bool) -> Appended:
        """Append a batch, by a session where one can be had. Raises as `call` does."""

        async def once(endpoint: str, try_s: float) -> Appended:
            channel = await self._channel(endpoint)
            try_s = max(try_s, TRY_LEAST_S)
            if channel is not None:
                return await self._append_on(channel, batch, try_s)
            headers = _append_headers(batch)
            answer = await self._send(
                "POST", endpoint, "/v1/records", batch.data, headers, try_s, 0.0
            )
            return msgspec.json.decode(answer.body, type=Appended)

        return await self._until_settled(once, timeout_s, repeatable=repeatable)

    async def _append_on(self, channel: Channel, batch: CheckedBatch, try_s: float) -> Appended:
        try:
            return await channel.append(batch, timeout_s=try_s, grace_s=GRACE_S)
        except ApiError as refusal:
            if refusal.elsewhere:  # the endpoint may lead to others, too
                if self._channels.get(channel.endpoint) is channel:
                    del self._channels[channel.endpoint]
                self._left = {each for each in self._left if each.open} | {channel}
                channel.retire()
            raise

    async def _channel(self, endpoint: str) -> Channel | None:
        """The session with this member; None if it gives none now: then HTTP does as well."""
        now_s = asyncio.get_running_loop().time()
        channel = self._channels.get(endpoint)
        if channel is not None and channel.open:
            return channel
        if now_s < self._no_channel_before_s.get(endpoint, 0.0):
            return None
        async with self._opening:
            channel = self._channels.get(endpoint)
            if channel is None or not channel.open:
                channel = await self._open_channel(endpoint)
            return channel

    async def _open_channel(self, endpoint: str) -> Channel | None:
        if self._session is None:
            raise RuntimeError("the client is not open: use `async with`")
        self._channels = {name: kept for name, kept in self._channels.items() if kept.open}
        if len(self._channels) >= CHANNELS_MAX:
            await self._close_channels()
        try:
            async with asyncio.timeout(CONNECT_S):
                socket = await self._session.ws_connect(
                    f"{self._scheme}://{endpoint}{SESSION_PATH}",
                    headers=self._headers,
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=ANSWERS_BYTES_MAX,
                    compress=0,
                )
        except aiohttp.WSServerHandshakeError:  # HTTP tells why, or does it
            now_s = asyncio.get_running_loop().time()
            self._no_channel_before_s[endpoint] = now_s + NO_CHANNEL_S
            return None
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            said = str(problem) or type(problem).__name__
            raise Unavailable(f"{endpoint}: {said}", NONE) from problem
        self._channels[endpoint] = Channel(endpoint, socket)
        return self._channels[endpoint]

    async def _close_channels(self) -> None:
        channels = [*self._channels.values(), *self._left]
        self._channels, self._left = {}, set()
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _until_settled(
        self, once: Callable[[str, float], Awaitable[T]], timeout_s: float, *, repeatable: bool
    ) -> T:
        """Try at one member after the other; see `call`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        pauses = _Pauses()
        unknown = False
        hopeless = _Hopeless()
        while True:
            now_s = asyncio.get_running_loop().time()
            at = self.endpoints[self._at]
            try:
                return await once(at, min(TRY_S, deadline - now_s))
            except (ApiError, Unavailable) as failure:
                now_s, pause_s = asyncio.get_running_loop().time(), pauses.after(failure)
                over = deadline - now_s <= pause_s
                hopeless.note(at, failure, now_s)
                if (
                    over
                    or hopeless.all_of(self.endpoints, now_s)
                    or not _again(failure, repeatable=repeatable)
                ):
                    raise _final(failure, unknown=unknown) from failure
                unknown = unknown or failure.outcome == "unknown"
                self._turn_from(at, failure)
            await asyncio.sleep(pause_s)

    def turn_from(self, endpoint: str) -> None:
        """Ask another member first from now on: what this one answers is of no use."""
        if self.endpoints[self._at] == endpoint:
            self._at = (self._at + 1) % len(self.endpoints)

    def learn(self, endpoints: Sequence[str]) -> None:
        """These are the members now; asked besides the ones that the client was given.

        What was learned before and is not named any more is forgotten: no more is kept than
        ENDPOINTS_MAX. The member that is asked at present stays the one that is asked.
        """
        asked = self.endpoints[self._at]
        self.endpoints = tuple(dict.fromkeys((*self.seeds, *endpoints[:ENDPOINTS_MAX])))
        self._at = self.endpoints.index(asked) if asked in self.endpoints else 0
        held = self._no_channel_before_s.items()
        self._no_channel_before_s = {name: s for name, s in held if name in self.endpoints}

    def _turn_from(self, endpoint: str, failure: ApiError | Unavailable) -> None:
        """Ask the next member from now on, unless another call has turned away meanwhile."""
        if not (isinstance(failure, ApiError) and failure.code == OUT_OF_TURN):
            self.turn_from(endpoint)

    async def ask(self, endpoint: str, path: str, timeout_s: float = TRY_S) -> Answer:
        """Ask one certain member, once."""
        return await self._send("GET", endpoint, path, None, None, timeout_s, 0.0)

    async def tell(self, endpoint: str, path: str, body: bytes, timeout_s: float) -> Answer:
        """Post a JSON body to one certain member, once. Raises ApiError, Unavailable."""
        headers = {"Content-Type": "application/json"}
        return await self._send("POST", endpoint, path, body, headers, timeout_s, 0.0)

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
        try_s = max(try_s, TRY_LEAST_S)
        sent = {**self._headers, "Replog-Timeout-Ms": str(int(try_s * 1000))}
        sent.update(headers or {})
        timeout = aiohttp.ClientTimeout(total=try_s + wait_s + GRACE_S, sock_connect=CONNECT_S)
        url = f"{self._scheme}://{endpoint}{path}"
        try:
            async with self._session.request(
                method, url, data=_content(body), headers=sent, timeout=timeout
            ) as response:
                if (response.content_length or 0) > ANSWER_BYTES_MAX:
                    raise Unavailable(f"{endpoint}: an answer too large", "unknown", again=False)
                content = await response.read()
                if response.status < 400:
                    return Answer(content, response.headers, endpoint)
                raise _refusal(response.status, content, endpoint)
        except aiohttp.ClientConnectorError as problem:
            raise Unavailable(f"{endpoint}: {problem.strerror or problem}", "none") from problem
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            said = str(problem) or type(problem).__name__
            raise Unavailable(f"{endpoint}: {said}", "unknown") from problem


def _content(body: bytes | None) -> io.BytesIO | None:
    """The body as aiohttp wants a large one: sent in pieces, so that other calls go on."""
    return None if body is None else io.BytesIO(body)


def _append_headers(batch: CheckedBatch) -> dict[str, str]:
    headers = {"Content-Type": BATCH}
    if batch.if_last_record is not None:
        last = batch.if_last_record
        headers["If-Last-Record"] = "none" if last < 0 else str(last)
    return headers


class _Pauses:
    """How long to wait after each failure of one call."""

    def __init__(self) -> None:
        self._pause_s = PAUSE_FIRST_S

    def after(self, failure: ApiError | Unavailable) -> float:
        """The next pause; a batch that overtook the one before it comes again quickly."""
        if isinstance(failure, ApiError) and failure.code == OUT_OF_TURN:
            return PAUSE_OUT_OF_TURN_S
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, PAUSE_MOST_S)
        return pause_s * random.uniform(0.5, 1.0)


class _Hopeless:
    """Which endpoints said that they can't serve the call for good, each since when."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def note(self, endpoint: str, failure: ApiError | Unavailable, now_s: float) -> None:
        """It failed like this."""
        if isinstance(failure, ApiError) and failure.elsewhere and not failure.retryable:
            self._since_s.setdefault(endpoint, now_s)
        else:
            self._since_s.pop(endpoint, None)

    def all_of(self, endpoints: Sequence[str], now_s: float) -> bool:
        """Whether all have said so for HOPELESS_S."""
        return all(
            now_s - self._since_s.get(endpoint, now_s) >= HOPELESS_S for endpoint in endpoints
        )


def _again(failure: ApiError | Unavailable, *, repeatable: bool) -> bool:
    """Whether to try again: here later, or at another member."""
    if not repeatable and failure.outcome != NONE:
        return False
    if isinstance(failure, ApiError):
        return failure.retryable or failure.elsewhere
    return failure.again


def _final(failure: ApiError | Unavailable, *, unknown: bool) -> ApiError | Unavailable:
    """What the call ends with: the last failure, unless an earlier try may have worked."""
    if unknown and failure.outcome == NONE:
        return Unavailable(f"{failure}, after a try whose outcome is unknown", "unknown")
    return failure


def _refusal(status: int, content: bytes, endpoint: str) -> ApiError | Unavailable:
    problem = problem_of(content)
    if problem is not None:
        return problem
    text = content[:200].decode(errors="replace")
    theirs = 400 <= status < 500
    outcome = "none" if theirs else "unknown"
    return Unavailable(f"{endpoint}: HTTP {status}: {text}", outcome, again=not theirs)
