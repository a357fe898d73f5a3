"""The calls of the API as methods. Each may raise ApiError or transport.Unavailable.

Decides: which calls may be repeated. Must not know: sessions, streams.
Read next: appender.py, reader.py, docs/api.md.
"""

import ssl
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlencode

import msgspec

from replog.client.discovery import Discovery
from replog.client.transport import Answer, Transport
from replog.wire.batches import CheckedBatch
from replog.wire.limits import EXPIRES_AFTER_MOST_MS
from replog.wire.recovery import FenceRequest, ForceMembersRequest, Survey
from replog.wire.schemas import (
    Appended,
    ClusterStatus,
    Done,
    LevelRequest,
    LogInfo,
    ProducerRequest,
    ProducerResolved,
    ProducerSession,
    ResolveRequest,
    SnapshotRequest,
    TransferRequest,
    TrimRequest,
    Why,
)

BATCHES = "application/vnd.replog.batches"
T = TypeVar("T")


class Client:
    """A cluster, by some of its members' client listeners."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = 30.0,
        discover: bool = False,
    ) -> None:
        """timeout_s: for each call with all its tries.

        discover: ask now and then who the members are, and turn to those too, so that a client
        outlives all members that it was given. Their advertised client addresses must be
        reachable from here.
        """
        self.transport = Transport(endpoints, token=token, tls=tls)
        self.timeout_s = timeout_s
        self._discovery = Discovery(self) if discover else None

    async def __aenter__(self) -> Self:
        await self.transport.open()
        if self._discovery is not None:
            self._discovery.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._discovery is not None:
            await self._discovery.end()
        await self.transport.close()

    async def append(self, batch: CheckedBatch, *, timeout_s: float | None = None) -> Appended:
        """Append one batch; with a producer session in it, it is repeated until its fate is known.

        Without a session it is repeated only while it surely was not appended. With a condition
        that doesn't hold: ApiError last_record_mismatch, whose extra has `last_record`.
        """
        return await self.transport.append(
            batch,
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
            repeatable=batch.producer_id >= 0,
        )

    async def allocate_producer(
        self, *, expires_after_ms: int = EXPIRES_AFTER_MOST_MS
    ) -> ProducerSession:
        """Begin a producer session; repeating the call gives the same one, by its request key.

        expires_after_ms: how long it is remembered without an append (docs/api.md has bounds).
        """
        answer = await self.transport.call(
            "POST",
            "/v1/producers",
            body=msgspec.json.encode(ProducerRequest(str(uuid.uuid4()), expires_after_ms)),
            headers={"Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            repeatable=True,
        )
        return _decoded(answer, ProducerSession)

    async def read_page(
        self,
        start: str,
        *,
        limit: int,
        max_bytes: int,
        wait_s: float = 0.0,
        linearizable: bool = True,
        accept: str = BATCHES,
    ) -> Answer:
        """Read one page; docs/api.md has its headers.

        start: an offset, earliest, latest, tail:N.
        """
        query = {
            "from": start,
            "limit": str(limit),
            "max_bytes": str(max_bytes),
            "consistency": "linearizable" if linearizable else "local",
        }
        if wait_s > 0:
            query["wait_ms"] = str(int(wait_s * 1000))
        return await self.transport.call(
            "GET",
            f"/v1/records?{urlencode(query)}",
            headers={"Accept": accept},
            timeout_s=self.timeout_s,
            wait_s=wait_s,
            repeatable=True,
        )

    async def log(self) -> LogInfo:
        """The bounds of the log, confirmed by a quorum."""
        answer = await self.transport.call(
            "GET", "/v1/log", timeout_s=self.timeout_s, repeatable=True
        )
        return _decoded(answer, LogInfo)

    async def status(self, endpoint: str | None = None) -> ClusterStatus:
        """What some member, or the one at `endpoint`, knows of the cluster."""
        return _decoded(await self._get(endpoint, "/v1/cluster"), ClusterStatus)

    async def why(self, endpoint: str | None = None) -> Why:
        """What some member, or the one at `endpoint`, waits for."""
        return _decoded(await self._get(endpoint, "/v1/why"), Why)

    async def _get(self, endpoint: str | None, path: str) -> Answer:
        if endpoint is not None:
            return await self.transport.ask(endpoint, path)
        return await self.transport.call("GET", path, timeout_s=self.timeout_s, repeatable=True)

    async def resolve_producer(self, producer_id: int, epoch: int) -> ProducerResolved:
        """Fence an epoch of a session after an unknown outcome; tells what was appended in it.

        Repeating it gives the same answer. Raises ApiError producer_unknown, producer_fenced.
        """
        answer = await self.transport.call(
            "POST",
            f"/v1/producers/{producer_id}:resolve",
            body=msgspec.json.encode(ResolveRequest(epoch)),
            headers={"Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            repeatable=True,
        )
        return _decoded(answer, ProducerResolved)

    async def trim(self, before: int) -> Done:
        """Give up the records below `before`; only peer listeners serve this, as transfer."""
        return await self._admin("/v1/log:trim", TrimRequest(before))

    async def snapshot(self) -> Done:
        """Let every member build a snapshot; only peer listeners serve this, as transfer."""
        return await self._admin("/v1/log:snapshot", SnapshotRequest())

    async def transfer(self, to: str | None) -> Done:
        """Hand leadership over; only peer listeners serve this, so the client must know those."""
        return await self._admin("/v1/cluster:transfer", TransferRequest(to))

    async def raise_feature_level(self, level: int) -> Done:
        """Raise the feature level; only peer listeners serve this, as transfer.

        Raises ApiError feature_level_lower, feature_level_unsupported, feature_level_unknown.
        """
        return await self._admin("/v1/cluster:raise-feature-level", LevelRequest(level))

    async def survey(self, endpoint: str) -> Survey:
        """What the member at this peer listener has."""
        answer = await self.transport.ask(endpoint, "/v1/cluster/survey", self.timeout_s)
        return _decoded(answer, Survey)

    async def fence(self, operation: str) -> Survey:
        """Fence the member whose peer listener is this client's only endpoint; what it has."""
        answer = await self._post("/v1/cluster:fence", FenceRequest(operation))
        return _decoded(answer, Survey)

    async def unfence(self, operation: str) -> Done:
        """Lift that member's fence."""
        return await self._admin("/v1/cluster:unfence", FenceRequest(operation))

    async def force_members(self, request: ForceMembersRequest) -> Done:
        """Let that member go on alone; ApiError not_fenced, recovery_refused if it may not."""
        return await self._admin("/v1/cluster:force-members", request)

    async def recording(self, endpoint: str) -> bytes:
        """What the flight recorder of the member at this peer listener holds (`replog debug`)."""
        answer = await self.transport.ask(endpoint, "/v1/debug/flight", self.timeout_s)
        return answer.body

    async def _admin(self, path: str, body: msgspec.Struct) -> Done:
        """An admin call that may be repeated."""
        return _decoded(await self._post(path, body), Done)

    async def _post(self, path: str, body: msgspec.Struct) -> Answer:
        return await self.transport.call(
            "POST",
            path,
            body=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
            timeout_s=self.timeout_s,
            repeatable=True,
        )


def _decoded(answer: Answer, kind: type[T]) -> T:
    return msgspec.json.decode(answer.body, type=kind)
