"""The two listeners as aiohttp applications, and how to run them.

Decides: what is served where (docs/api.md has the same table, checked by a test).
Must not know: addresses, signals, what is behind the Service.
Read next: gate.py, client_routes.py, admin_routes.py, health.py.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from replog_node.metrics import NodeMetrics
from replog_node.settings import Settings
from replog_node.web.admin_routes import AdminRoutes
from replog_node.web.bodies import Bodies
from replog_node.web.client_routes import ClientRoutes
from replog_node.web.debug_routes import DebugRoutes
from replog_node.web.direct import Direct
from replog_node.web.gate import Gate, Route
from replog_node.web.health import Health
from replog_node.web.listener import DIRECT, Listener
from replog_node.web.openapi import Described
from replog_node.web.permissions import Access, Permission, Tokens
from replog_node.web.problems import Handler
from replog_node.web.service import Service

ROUTES: Final = web.AppKey("routes", tuple)
"""The rows that an application serves, for the test of docs/api.md."""


def client_app(
    service: Service, settings: Settings, metrics: NodeMetrics, tokens: Tokens | None = None
) -> web.Application:
    """The client listener. tokens: None leaves it open (settings.py has refused it elsewhere)."""
    access = Access(tokens)
    gate = Gate("client", settings, metrics, access)
    bodies = Bodies(settings)
    client = ClientRoutes(service, settings, metrics, bodies, gate)
    health = Health(service, settings, metrics)
    app = _app("client", gate, access, (*client.routes(), *health.client_routes()))
    app[DIRECT] = Direct(service, settings, bodies, gate, client.decoding)
    app.on_shutdown.append(client.end)
    app.on_cleanup.append(client.close)
    return app


def peer_app(
    service: Service,
    settings: Settings,
    metrics: NodeMetrics,
    tokens: Tokens | None = None,
    *,
    peer_handlers: Mapping[str, Handler],
) -> web.Application:
    """The peer listener. peer_handlers: path -> WebSocket handler, behind the permission peer."""
    access = Access(tokens)
    gate = Gate("peer", settings, metrics, access)
    admin = AdminRoutes(service, settings, Bodies(settings))
    sockets = tuple(
        Route("GET", path, handler, Permission.PEER, bounded=False)
        for path, handler in peer_handlers.items()
    )
    debug = DebugRoutes(service, settings)
    health = Health(service, settings, metrics)
    routes = (*admin.routes(), *debug.routes(), *health.peer_routes(), *sockets)
    return _app("peer", gate, access, routes)


def runner(app: web.Application, settings: Settings) -> web.AppRunner:
    """Return a runner of an app, with the limits that the routes count upon (listener.py)."""
    return Listener(app, settings)


def _app(
    listener: str, gate: Gate, access: Access, described: tuple[Route, ...]
) -> web.Application:
    """An application of these routes and of their description."""
    app = web.Application()
    title = f"replog, {listener} listener"
    routes = (*described, Described(title, described, tokens_asked=not access.open).route)
    app[ROUTES] = routes
    gate.add(app, routes)
    return app
