"""The API server as the person may use it: by kubeconfig, and members through the server's proxy.

Decides: where the server is, which namespace is meant, and how a refusal of the server is told.
Must not know: what is asked for.
Read next: members.py, ../kube/client.py.
"""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

import click
import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration

from replog.cli.exits import EXIT_REFUSED, EXIT_UNAVAILABLE, EXIT_USAGE, Failure
from replog.wire.schemas import TargetStatus
from replog_operator.kube.children.names import selector, selector_text
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import Client
from replog_operator.kube.kinds import LOG, POD
from replog_operator.kube.ports import Refused, Unanswered
from replog_operator.kube.reading import LEASE, Reader
from replog_operator.kube.settings import ACCOUNT
from replog_operator.plugin.look import lease_named
from replog_operator.plugin.members import ProxiedNodes
from replog_operator.plugin.options import Options

AGENT: Final = "kubectl-rlog"
RIGHTS: Final = "docs/operator.md lists the rights that kubectl rlog needs"


class Reach(NamedTuple):
    """What a command may use."""

    client: Client
    reads: Reader
    nodes: ProxiedNodes
    namespace: str

    async def log(self, name: str) -> Object:
        """The ReplicatedLog of this name; raises Failure if there is none."""
        found = await self.reads.get(LOG, self.namespace, name)
        if found is None:
            raise Failure(
                f"there is no ReplicatedLog {name} in the namespace {self.namespace}; "
                "see `kubectl get rlog --all-namespaces`",
                EXIT_REFUSED,
            )
        return found

    async def pods(self, name: str) -> Sequence[Object]:
        """The log's pods, by name; who asks members knows them from then on."""
        found = await self.reads.list(POD, self.namespace, selector_text(selector(name)))
        self.nodes.note(found)
        return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))

    async def lease(self, target: TargetStatus | None) -> Object | None:
        """Of the operator that set this target; None where it may not be read."""
        named = lease_named(target)
        if named is None:
            return None
        try:
            return await self.reads.get(LEASE, *named)
        except (Refused, Unanswered):
            return None


def tell(doubts: Sequence[str]) -> None:
    """Beside what is shown."""
    for doubt in doubts:
        click.echo(f"note: {doubt}", err=True)


@asynccontextmanager
async def reaching(options: Options) -> AsyncIterator[Reach]:
    """Raises Failure, also for what the server refuses within the block."""
    try:
        found, namespace = await _who(options)
    except (config.ConfigException, OSError, yaml.YAMLError) as problem:
        raise Failure(f"no cluster is known: {problem}; see --kubeconfig", EXIT_USAGE) from problem
    where = options.namespace or namespace
    with told():
        async with Client(found, AGENT) as client:
            yield Reach(client, Reader(client), ProxiedNodes(client, where), where)


@contextmanager
def told() -> Iterator[None]:
    """What the API server refuses, or does not answer, becomes a Failure: nothing was changed."""
    try:
        yield
    except Refused as problem:
        raise Failure(_sentence(problem), EXIT_REFUSED) from problem
    except Unanswered as problem:
        raise Failure(
            f"the API server gave no answer: {problem}; is the cluster reachable from here?",
            EXIT_UNAVAILABLE,
        ) from problem


def _sentence(problem: Refused) -> str:
    match problem.status:
        case HTTPStatus.UNAUTHORIZED:
            return f"the API server does not know you: {problem.message}; log in to it again"
        case HTTPStatus.FORBIDDEN:
            return f"you may not do that: {problem.message}; {RIGHTS}"
        case HTTPStatus.NOT_FOUND:
            return (
                f"the API server has nothing there: {problem.message}; "
                "are the definitions installed (kubectl get crd replicatedlogs.replog.dev)?"
            )
        case _:
            return f"the API server refused: {problem}"


async def _who(options: Options) -> tuple[Configuration, str]:
    """Where the server is and who we are; and the namespace that goes with it."""
    found = Configuration()
    found.retries = None
    if _is_in_pod(options):
        config.load_incluster_config(found)
        return found, (ACCOUNT / "namespace").read_text().strip()
    loader = await config.load_kube_config(
        config_file=None if options.kubeconfig is None else str(options.kubeconfig),
        context=options.context or None,
        client_configuration=found,
        persist_config=False,
    )
    return found, str(loader.current_context["context"].get("namespace") or "default")


def _is_in_pod(options: Options) -> bool:
    """As kubectl does it: the pod's own account, where no file says anything else."""
    if options.kubeconfig is not None or options.context or os.environ.get("KUBECONFIG"):
        return False
    file = Path.home() / ".kube" / "config"
    return (ACCOUNT / "token").exists() and not file.exists()
