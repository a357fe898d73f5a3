"""A log as an API server serves it, members behind the server's proxy: a world over real HTTP.

Decides: paths and answers. What is written is kept, and every request is noted.
Must not know: what the plugin makes of it.
Read next: tests/unit/kube/world.py.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import yaml
from aiohttp import web
from click.testing import CliRunner

from replog.wire.problems import ApiError
from replog.wire.schemas import ClusterStatus, Wait, Why
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import path_of
from replog_operator.kube.kinds import LOG, TASK, Kind
from replog_operator.members.nodes import Silent
from replog_operator.plugin.command import main
from tests.unit.kube.members import may_stop
from tests.unit.kube.world import World

NAMESPACE = "shop"
FORBIDDEN = {"kind": "Status", "reason": "Forbidden", "message": "pods/proxy is forbidden"}


class Ran(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


class Served:
    """texts: other things that are served, by path. forbidden: parts of paths that are refused.

    asked: `METHOD path` of each request. tasks: that were made, by name; ends: their status.
    forgets: a task that is made is gone at once.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.waits: dict[str, list[Wait]] = {}
        self.texts: dict[str, Any] = {}
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        self.tasks: dict[str, Object] = {}
        self.ends: dict[str, str] = {"state": "Done", "message": "done so"}
        self.forgets = False
        self.kubeconfig = Path()

    async def run(self, *arguments: str) -> Ran:
        """Run `kubectl rlog` with a kubeconfig that names this server and the namespace."""
        runner = CliRunner(env={"KUBECONFIG": None, "COLUMNS": "400"})
        told = [*arguments, "--kubeconfig", str(self.kubeconfig)]
        result = await asyncio.to_thread(runner.invoke, main, told)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    async def answer(self, request: web.Request) -> web.Response:
        """Whatever is asked."""
        path = request.path
        self.asked.append(f"{request.method} {path}")
        if any(part in path for part in self.forbidden):
            return web.json_response(FORBIDDEN, status=403)
        if request.method == "POST":
            return self._make(await request.json())
        if "/proxy/" in path:
            return self._member(*path.split("/proxy"))
        if path in self.texts:
            found = self.texts[path]
            return web.Response(text=found if isinstance(found, str) else json.dumps(found))
        return self._object(path)

    def _make(self, task: Object) -> web.Response:
        if not self.forgets:
            self.tasks[task["metadata"]["name"]] = {**task, "status": self.ends}
        return web.json_response(task, status=201)

    def _member(self, pod: str, path: str) -> web.Response:
        name = pod.rpartition("/")[2].partition(":")[0]
        said = self.world.answers.get(f"uid-of-{name}")
        if not isinstance(said, ClusterStatus):
            problem = ApiError("not_ready", said.why if isinstance(said, Silent) else "")
            return web.Response(status=503, body=problem.body())
        if path == "/metrics":
            return web.Response(text=f"replog_up{{member={name!r}}} 1\n")
        found: Any = said
        if path == "/v1/why":
            found = Why(said.member, self.waits.get(name, []))
        elif path.endswith(":may-stop"):
            found = may_stop(path.rpartition("/")[2].removesuffix(":may-stop"))
        return web.Response(body=msgspec.json.encode(found))

    def _object(self, path: str) -> web.Response:
        tasks = path_of(TASK, NAMESPACE)
        if path == tasks:
            return _list(TASK, [*self.world.tasks, *self.tasks.values()])
        if path.startswith(tasks):
            return _one(self.tasks.get(path.rpartition("/")[2]))
        if path == path_of(LOG, NAMESPACE, "orders"):
            return _one(self.world.resource)
        for kind, items in self.world.objects.items():
            if path == path_of(kind, NAMESPACE):
                return _list(kind, items)
            if path.startswith(path_of(kind, NAMESPACE) + "/"):
                named = (i for i in items if i["metadata"]["name"] == path.rpartition("/")[2])
                return _one(next(named, None))
        return _one(None)


def _one(found: Object | None) -> web.Response:
    if found is None:
        status = {"kind": "Status", "reason": "NotFound", "message": "not found"}
        return web.json_response(status, status=404)
    return web.json_response(found)


def _list(kind: Kind, items: Any) -> web.Response:
    plain = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in items]
    found = next((item["kind"] for item in items if "kind" in item), kind.plural)
    answer = {"apiVersion": kind.api_version, "kind": f"{found}List", "items": plain}
    return web.json_response(answer)


@asynccontextmanager
async def served(directory: Path, world: World | None = None) -> AsyncIterator[Served]:
    """A server on a free port of 127.0.0.1; the kubeconfig lies in the directory."""
    found = Served(World() if world is None else world)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    found.kubeconfig = directory / "kubeconfig"
    found.kubeconfig.write_text(yaml.safe_dump(kubeconfig(port)))
    try:
        yield found
    finally:
        await runner.cleanup()


def kubeconfig(port: int) -> dict[str, Any]:
    """Its current context names the namespace; the other one has nothing of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "a-persons-token"}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}},
            {"name": "plain", "context": {"cluster": "c", "user": "u"}},
        ],
    }
