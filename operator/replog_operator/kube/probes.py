"""What kubelet and Prometheus ask the operator's process: /livez, /readyz, /metrics.

Decides: when a restart would help: if the process acts, and has not managed to list all logs for a
long time. Without an answer of the API server that can be its own fault as well as the server's;
both processes of a pair restart then, which harms nobody.
Must not know: what a pass does.
Read next: process.py.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from replog_operator.kube.fence import Clock

DEAD_S: Final = 300.0
"""Five full looks were missed."""
CONNECTIONS_MAX: Final = 64


class Health:
    """What is known of the process. All moments are of the clock that is given."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._acting_since_s: float | None = None
        self._resynced_s: float | None = None
        self.connected = False

    def acts(self) -> None:
        """The lease is held from now on."""
        self._acting_since_s = self._clock()

    def resynced(self) -> None:
        """All logs were listed just now."""
        self._resynced_s = self._clock()

    def dead(self) -> str | None:
        """Why a restart would help; None if it would not."""
        if self._acting_since_s is None:
            return None
        last_s = max(self._acting_since_s, self._resynced_s or 0.0)
        silent_s = self._clock() - last_s
        return f"no list of all logs for {silent_s:.0f} s" if silent_s > DEAD_S else None


@asynccontextmanager
async def served(
    health: Health, metrics: Callable[[], bytes], address: str, port: int
) -> AsyncIterator[int]:
    """Serve them within the block; the port, for who asked for any."""
    app = web.Application()
    app.router.add_get("/livez", _livez(health))
    app.router.add_get("/readyz", _readyz(health))
    app.router.add_get("/metrics", _metrics(metrics))
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, port, backlog=CONNECTIONS_MAX)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


Answer = Callable[[web.Request], Awaitable[web.Response]]


def _livez(health: Health) -> Answer:
    async def livez(request: web.Request) -> web.Response:
        dead = health.dead()
        return web.Response(status=503 if dead else 200, text=f"{dead or 'ok'}\n")

    return livez


def _readyz(health: Health) -> Answer:
    async def readyz(request: web.Request) -> web.Response:
        ready = health.connected
        return web.Response(
            status=200 if ready else 503, text="ok\n" if ready else "the lease was not seen yet\n"
        )

    return readyz


def _metrics(metrics: Callable[[], bytes]) -> Answer:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=metrics(), content_type="text/plain", charset="utf-8")

    return answer
