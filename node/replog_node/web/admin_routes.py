"""The admin calls of the peer listener: who belongs, who leads, what is kept, what is spoken, and
how a log goes on that has lost its majority.

Decides: how their bodies are read. Who may call is the gate's, what happens is the service's.
Must not know: how a change is carried out.
Read next: app.py.
"""

from aiohttp import web

from replog.wire.recovery import FenceRequest, ForceMembersRequest
from replog.wire.schemas import (
    AcknowledgeClockRequest,
    BootstrapRequest,
    LevelRequest,
    SnapshotRequest,
    TargetRequest,
    TransferRequest,
    TrimRequest,
)
from replog_node.settings import Settings
from replog_node.web.bodies import Bodies
from replog_node.web.gate import Route
from replog_node.web.json_bodies import Body, JsonBody, json_response
from replog_node.web.permissions import Permission
from replog_node.web.query import no_query, timeout_s
from replog_node.web.service import Service

_BOOTSTRAP = JsonBody(BootstrapRequest)
_TARGET = JsonBody(TargetRequest)
_TRANSFER = JsonBody(TransferRequest, TransferRequest())
_LEVEL = JsonBody(LevelRequest)
_TRIM = JsonBody(TrimRequest)
_SNAPSHOT = JsonBody(SnapshotRequest, SnapshotRequest())
_FENCE = JsonBody(FenceRequest)
_FORCE = JsonBody(ForceMembersRequest)
_ACKNOWLEDGE = JsonBody(AcknowledgeClockRequest, AcknowledgeClockRequest())


class AdminRoutes:
    """The calls that change who leads and who belongs, what is kept and spoken, the one that
    vouches for a clock, and those of recovery."""

    def __init__(self, service: Service, settings: Settings, bodies: Bodies) -> None:
        self._service = service
        self._bodies = bodies
        self._timeout_s = settings.request_timeout_ms / 1000

    def routes(self) -> tuple[Route, ...]:
        """The rows of the route table."""
        return (
            Route("POST", "/v1/cluster:bootstrap", self.bootstrap, Permission.ADMIN),
            Route("POST", "/v1/cluster:target", self.target, Permission.ADMIN),
            Route("POST", "/v1/cluster:transfer", self.transfer, Permission.ADMIN),
            Route("POST", "/v1/cluster:raise-feature-level", self.level, Permission.ADMIN),
            Route("POST", "/v1/log:trim", self.trim, Permission.ADMIN),
            Route("POST", "/v1/log:snapshot", self.snapshot, Permission.ADMIN),
            Route("POST", "/v1/cluster:acknowledge-clock", self.acknowledge, Permission.ADMIN),
            Route("POST", "/v1/cluster:fence", self.fence, Permission.ADMIN),
            Route("POST", "/v1/cluster:unfence", self.unfence, Permission.ADMIN),
            Route("POST", "/v1/cluster:force-members", self.force_members, Permission.ADMIN),
            Route("GET", "/v1/cluster/survey", self.survey, Permission.ADMIN),
        )

    async def bootstrap(self, request: web.Request) -> web.Response:
        """Found a cluster of this one member."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _BOOTSTRAP)
        return json_response(await self._service.bootstrap(body, timeout_s=limit_s))

    async def target(self, request: web.Request) -> web.Response:
        """Commit a new target."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _TARGET)
        if body.dry_run:
            return json_response(await self._service.plan_target(body, timeout_s=limit_s))
        return json_response(await self._service.set_target(body, timeout_s=limit_s))

    async def transfer(self, request: web.Request) -> web.Response:
        """Hand leadership over."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _TRANSFER)
        return json_response(await self._service.transfer(body, timeout_s=limit_s))

    async def level(self, request: web.Request) -> web.Response:
        """Raise the feature level."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _LEVEL)
        return json_response(await self._service.raise_feature_level(body, timeout_s=limit_s))

    async def trim(self, request: web.Request) -> web.Response:
        """Give up records."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _TRIM)
        return json_response(await self._service.trim(body.before, timeout_s=limit_s))

    async def snapshot(self, request: web.Request) -> web.Response:
        """Let every member build a snapshot."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _SNAPSHOT)
        return json_response(await self._service.snapshot(body, timeout_s=limit_s))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Believe this member's clock."""
        limit_s = timeout_s(request, self._timeout_s)
        await self._read(request, _ACKNOWLEDGE)
        return json_response(await self._service.acknowledge_clock(timeout_s=limit_s))

    async def fence(self, request: web.Request) -> web.Response:
        """Keep this member from all it does, and tell what it has."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _FENCE)
        return json_response(await self._service.fence(body, timeout_s=limit_s))

    async def unfence(self, request: web.Request) -> web.Response:
        """Lift that fence."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _FENCE)
        return json_response(await self._service.unfence(body, timeout_s=limit_s))

    async def force_members(self, request: web.Request) -> web.Response:
        """Let this member go on alone."""
        limit_s = timeout_s(request, self._timeout_s)
        body = await self._read(request, _FORCE)
        return json_response(await self._service.force_members(body, timeout_s=limit_s))

    async def survey(self, request: web.Request) -> web.Response:
        """What this member has."""
        no_query(request)
        return json_response(self._service.survey())

    async def _read(self, request: web.Request, kind: JsonBody[Body]) -> Body:
        """The call's body; its bytes are let go once they are decoded."""
        no_query(request)
        raw = await self._bodies.read(request)
        try:
            return kind.decode(request, raw)
        finally:
            self._bodies.release(len(raw))
