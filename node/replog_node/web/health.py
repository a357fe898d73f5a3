"""Health, metrics, and what a member knows and waits for: asked by probes and people.

Decides: what liveness and readiness answer. These routes are served when the node is overloaded,
because they tell why.
Must not know: why a member is not ready (Service knows).
Read next: app.py.
"""

from aiohttp import web

from replog.wire.problems import ApiError
from replog.wire.schemas import Why
from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.gate import Route
from replog_node.web.json_bodies import json_response
from replog_node.web.permissions import Permission
from replog_node.web.query import no_query, ready_query, timeout_s
from replog_node.web.service import Service

MAY_STOP = "/v1/cluster/members/{id}:may-stop"
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Health:
    """The routes that tell how the member is."""

    def __init__(self, service: Service, settings: Settings, metrics: NodeMetrics) -> None:
        self._service = service
        self._timeout_s = settings.request_timeout_ms / 1000
        self._metrics = metrics

    def client_routes(self) -> tuple[Route, ...]:
        """What the client listener serves of them."""
        return (
            *self._status_routes(Permission.READ),
            Route("GET", "/readyz", self.readyz, None, bounded=False),
            Route("GET", "/metrics", self.metrics, Permission.READ, bounded=False),
        )

    def peer_routes(self) -> tuple[Route, ...]:
        """What the peer listener serves of them."""
        return self._status_routes(Permission.ADMIN)

    def _status_routes(self, permission: Permission) -> tuple[Route, ...]:
        return (
            Route("GET", "/v1/cluster", self.cluster, permission, bounded=False),
            Route("GET", "/v1/why", self.why, permission, bounded=False),
            Route("GET", MAY_STOP, self.may_stop, permission, bounded=False),
            Route("GET", "/livez", self.livez, None, bounded=False),
        )

    async def livez(self, request: web.Request) -> web.Response:
        """200 unless a restart would help."""
        no_query(request)
        fault = self._service.alive()
        if fault is not None:
            raise ApiError("not_alive", fault)
        return json_response({"ok": True})

    async def readyz(self, request: web.Request) -> web.Response:
        """200 when it can serve what `for` says; else 503 `not_ready` with the wait's code."""
        what = ready_query(request)
        wait = self._service.ready(what)
        if wait is not None:
            raise ApiError("not_ready", f"it can't serve {what} now: {wait}", wait=wait)
        return json_response({"ok": True})

    async def metrics(self, request: web.Request) -> web.Response:
        """All metrics, the gauges as of now."""
        no_query(request)
        self._metrics.observe(self._service.status(), self._service.waits())
        return web.Response(body=self._metrics.text(), headers={"Content-Type": METRICS_TYPE})

    async def cluster(self, request: web.Request) -> web.Response:
        """What this member knows of the cluster."""
        no_query(request)
        return json_response(self._service.status())

    async def may_stop(self, request: web.Request) -> web.Response:
        """Whether a member may be stopped now, and why not."""
        no_query(request)
        limit_s = timeout_s(request, self._timeout_s)
        member = request.match_info["id"]
        return json_response(await self._service.may_stop(member, timeout_s=limit_s))

    async def why(self, request: web.Request) -> web.Response:
        """What this member waits for."""
        no_query(request)
        return json_response(Why(self._service.status().member, self._service.waits()))
