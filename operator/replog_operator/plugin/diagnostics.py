"""`kubectl rlog diagnostics`: everything that helps to understand a log from afar, in one file.

What may not be read is named in the bundle, and stops nothing else.

Decides: what is read, and how much of it. Must not know: what may leave the cluster (redact.py).
Read next: bundle.py, docs/cli.md.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

from replog.cli.exits import EXIT_USAGE, Failure, run
from replog.cli.showing import print_json
from replog.wire.schemas import ClusterStatus
from replog_operator.kube.children.names import LABEL_NAME, MANAGER, selector, selector_text
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import path_of
from replog_operator.kube.gather import BELONGING, Gathered, pod_ip
from replog_operator.kube.kinds import EVENT, NETWORK_POLICY, POD, TASK, Kind
from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.kube.reading import LEASE
from replog_operator.members.nodes import Silent
from replog_operator.plugin.bundle import Bundle
from replog_operator.plugin.look import lease_named, obeyed, operator_pods
from replog_operator.plugin.members import see
from replog_operator.plugin.options import Options, shared
from replog_operator.plugin.reach import Reach, reaching

EVENTS_MAX: Final = 2000
"""The newest."""
LOG_LINES: Final = 5000
LOG_BYTES: Final = 4 * 1024 * 1024
"""The newest of each operator's pod; at most so much."""
OPERATORS_MAX: Final = 4
TASKS_MAX: Final = 200

T = TypeVar("T")


@click.command()
@click.argument("name")
@click.option("--file", type=click.Path(dir_okay=False, path_type=Path),
              help="A new file; left out: NAMESPACE-NAME-TIME.tar.gz here.")  # fmt: skip
@shared
def diagnostics(options: Options, name: str, file: Path | None) -> None:
    """Write what can be known of a log into one tar.gz, without secrets, for whoever helps."""
    run(_diagnostics(options, name, file))


async def _diagnostics(options: Options, name: str, file: Path | None) -> None:
    now_s = time.time()
    async with reaching(options) as reach:
        bundle = await Collector(reach, name).collected()
    at = datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = f"{reach.namespace}-{name}-{at}"
    target = file or Path(f"{folder}.tar.gz")
    _write(target, bundle.packed(folder, now_s))
    if options.json:
        print_json({"file": str(target), "not_read": bundle.missing})
        return
    click.echo(str(target))
    for what, why in bundle.missing.items():
        click.echo(f"not read: {what}: {why}", err=True)


def _write(target: Path, data: bytes) -> None:
    """A new file that nobody else may read."""
    try:
        number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "wb") as file:
            file.write(data)
    except OSError as problem:
        raise Failure(f"--file {target}: {problem.strerror}", EXIT_USAGE) from problem


class Operators(NamedTuple):
    """Where the operator's pods are, and which they are."""

    namespace: str
    selector: str


class Collector:
    """Fills one bundle."""

    def __init__(self, reach: Reach, name: str) -> None:
        self._reach = reach
        self._name = name
        self._bundle = Bundle()
        self._objects: dict[Kind, Sequence[Object]] = {}

    async def collected(self) -> Bundle:
        """Read it all. Raises Failure only if the log itself can't be read."""
        resource = await self._reach.log(self._name)
        self._bundle.object("log.json", resource)
        labels = selector_text(selector(self._name))
        await asyncio.gather(*(self._listed(kind, labels) for kind in BELONGING))
        await asyncio.gather(self._tasks(), self._events())
        answers = await self._members()
        found = Gathered(resource, self._objects, answers, {}, {}, ())
        await self._operator(found)
        await self._versions(answers)
        return self._bundle

    async def _listed(self, kind: Kind, labels: str) -> None:
        reads, namespace = self._reach.reads, self._reach.namespace
        found = await self._tried(kind.plural, reads.list(kind, namespace, labels))
        self._objects[kind] = found or []
        if found is not None:
            self._bundle.object(f"children/{kind.plural}.json", found)

    async def _tasks(self) -> None:
        found = await self._tried(TASK.plural, self._reach.reads.list(TASK, self._reach.namespace))
        mine = [task for task in found or () if task["spec"]["log"] == self._name]
        mine.sort(key=lambda task: str(task["metadata"].get("creationTimestamp")))
        self._bundle.object("tasks.json", mine[-TASKS_MAX:])

    async def _events(self) -> None:
        found = await self._tried(
            EVENT.plural, self._reach.reads.list(EVENT, self._reach.namespace)
        )
        mine = [event for event in found or () if self._is_mine(event)]
        mine.sort(key=lambda event: str(event["metadata"].get("creationTimestamp")))
        self._bundle.object("events.json", mine[-EVENTS_MAX:])

    def _is_mine(self, event: Object) -> bool:
        about = str((event.get("regarding") or {}).get("name", ""))
        return about == self._name or about.startswith((f"{self._name}-", f"data-{self._name}-"))

    async def _members(self) -> dict[str, ClusterStatus | Silent]:
        """What each says; the answers by uid of the pod."""
        nodes, pods = self._reach.nodes, self._objects[POD]
        nodes.note(pods)
        answers: dict[str, ClusterStatus | Silent] = {}
        for pod, seen in zip(pods, await see(nodes, pods), strict=True):
            name, folder = pod["metadata"]["name"], f"members/{pod['metadata']['name']}"
            if seen.status is not None:
                answers[pod["metadata"]["uid"]] = seen.status
            for path, file in (("/v1/cluster", "cluster.json"), ("/v1/why", "why.json"),
                               ("/metrics", "metrics.txt")):  # fmt: skip
                said = await nodes.text(pod_ip(pod), path)
                if isinstance(said, Silent):
                    self._bundle.missing[f"{name}{path}"] = said.why
                else:
                    self._bundle.text(f"{folder}/{file}", said)
        return answers

    async def _operator(self, found: Gathered) -> None:
        named = lease_named(obeyed(found.answers.values()))
        if named is not None:
            lease = await self._tried("lease", self._reach.reads.get(LEASE, *named))
            self._bundle.object("operator/lease.json", lease)
        where = _operators(found, named)
        if where is None:
            self._bundle.missing["operator"] = "nothing tells in which namespace it is"
            return
        reads = self._reach.reads
        pods = await self._tried("operator's pods", reads.list(POD, *where))
        if pods is None:
            return
        if not pods:
            self._bundle.missing["operator"] = f"no pod {where.selector} in {where.namespace}"
        self._bundle.object("operator/pods.json", pods)
        for pod in pods[:OPERATORS_MAX]:
            await self._log_of(where.namespace, pod["metadata"]["name"])

    async def _log_of(self, namespace: str, pod: str) -> None:
        path = path_of(POD, namespace, pod, "log")
        query = {"tailLines": str(LOG_LINES), "limitBytes": str(LOG_BYTES)}
        found = await self._tried(f"log of {pod}", self._reach.client.fetch(path, query=query))
        if found is None:
            return
        status, data = found
        if status >= HTTPStatus.BAD_REQUEST:
            self._bundle.missing[f"log of {pod}"] = data.decode(errors="replace")[:1000]
        else:
            self._bundle.text(f"operator/{pod}.log", data)

    async def _versions(self, answers: dict[str, ClusterStatus | Silent]) -> None:
        names = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in self._objects[POD]}
        server = await self._tried("version", self._reach.client.call("GET", "/version"))
        found: dict[str, Any] = {
            "kubectl_rlog": version("replicated-log"),
            "server": server,
            "members": {
                names[uid]: said.version
                for uid, said in answers.items()
                if isinstance(said, ClusterStatus)
            },
        }
        self._bundle.object("versions.json", found)

    async def _tried(self, what: str, work: Awaitable[T]) -> T | None:
        """What comes of it; None, and a note in the bundle, if it can't be read."""
        try:
            return await work
        except (Refused, Unanswered) as problem:
            self._bundle.missing[what] = str(problem)
            return None


def _operators(found: Gathered, lease: tuple[str, str] | None) -> Operators | None:
    """As the log's NetworkPolicy has them; without one, where the lease is."""
    pods = operator_pods(found) if found.objects[NETWORK_POLICY] else None
    if pods is not None and pods.namespace:
        return Operators(pods.namespace, selector_text(pods.labels))
    return None if lease is None else Operators(lease[0], f"{LABEL_NAME}={MANAGER}")
