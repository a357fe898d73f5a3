"""Members asked through the API server, since a person's machine seldom reaches a pod.

`GET …/pods/NAME:7401/proxy/…` is answered by the member's client listener. NetworkPolicy lets
anybody reach that one, and it knows all that is asked here.

Decides: how a question goes through the proxy, and whose refusal an answer is.
Must not know: what the answers mean.
Read next: ../members/nodes.py (the operator's own way), reach.py.
"""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec

from replog.cli.showing import Seen
from replog.wire.recovery import Survey
from replog.wire.schemas import ClusterStatus, MayStop, Why
from replog_operator.kube.children.names import CLIENT_PORT
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import Client, path_of
from replog_operator.kube.gather import pod_ip
from replog_operator.kube.kinds import POD, Kind
from replog_operator.kube.ports import Reads, Unanswered
from replog_operator.members.nodes import ASKED_AT_ONCE, Silent

ASK_S: Final = 5.0
"""How long a member is given; the way through the proxy is longer than the operator's."""

T = TypeVar("T")


class ProxiedNodes:
    """`Asks` of members/nodes.py; pods are known by their addresses, once they were noted.

    forbidden: the API server's words, if it did not let us ask.
    """

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace
        self._names: dict[str, str] = {}
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)
        self.forbidden = ""

    def note(self, pods: Sequence[Object]) -> None:
        """Remember which pod has which address."""
        self._names.update({ip: pod["metadata"]["name"] for pod in pods if (ip := pod_ip(pod))})

    async def status(self, ip: str) -> ClusterStatus | Silent:
        """What the member knows of its cluster."""
        return await self._ask(ip, "/v1/cluster", ClusterStatus)

    async def why(self, ip: str) -> Why | Silent:
        """What the member waits for."""
        return await self._ask(ip, "/v1/why", Why)

    async def may_stop(self, ip: str, member: str) -> MayStop | Silent:
        """Whether a member may be stopped now, as the leader sees it, whoever is asked."""
        return await self._ask(ip, f"/v1/cluster/members/{member}:may-stop", MayStop)

    async def survey(self, ip: str) -> Survey | Silent:
        """Members tell that only on their peer listeners."""
        return Silent("only the operator is told what members have")

    async def text(self, ip: str, path: str) -> bytes | Silent:
        """Whatever the member has there."""
        name = self._names.get(ip)
        if name is None:
            return Silent("its pod has no address")
        where = path_of(POD, self._namespace, f"{name}:{CLIENT_PORT}", "proxy")
        async with self._turns:
            try:
                status, data = await self._client.fetch(f"{where}{path}", timeout_s=ASK_S)
            except Unanswered as problem:
                return Silent(str(problem))
        return data if status < HTTPStatus.BAD_REQUEST else self._refused(status, data)

    async def _ask(self, ip: str, path: str, answer: type[T]) -> T | Silent:
        data = await self.text(ip, path)
        if isinstance(data, Silent):
            return data
        try:
            return msgspec.json.decode(data, type=answer)
        except msgspec.MsgspecError as problem:  # of a version that says something else
            return Silent(f"an answer that this version can't read: {problem}")

    def _refused(self, status: int, data: bytes) -> Silent:
        """A member refuses by a problem document, the API server by a Status."""
        said = _problem(data)
        if said.get("kind") == "Status":
            words = str(said.get("message", ""))
            if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                self.forbidden = words
            return Silent(f"the API server: {words}")
        return Silent(str(said.get("detail") or f"the answer {status}"))


def _problem(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {"detail": data.decode(errors="replace").strip()}
    return found if isinstance(found, dict) else {}


class Noting:
    """`Reads` of ports.py; pods that are read can then be asked."""

    def __init__(self, reads: Reads, nodes: ProxiedNodes) -> None:
        self._reads = reads
        self._nodes = nodes

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if there is none."""
        return await self._reads.get(kind, namespace, name)

    async def list(self, kind: Kind, namespace: str, selector: str) -> Sequence[Object]:
        """All objects that carry these labels."""
        found = await self._reads.list(kind, namespace, selector)
        if kind == POD:
            self._nodes.note(found)
        return found


async def see(nodes: ProxiedNodes, pods: Sequence[Object]) -> list[Seen]:
    """Ask each pod's member how it is and what it waits for."""
    return list(await asyncio.gather(*(_see(nodes, pod) for pod in pods)))


async def _see(nodes: ProxiedNodes, pod: Object) -> Seen:
    name, ip = pod["metadata"]["name"], pod_ip(pod)
    status, why = await asyncio.gather(nodes.status(ip), nodes.why(ip))
    if isinstance(status, Silent):
        return Seen(name, error=status.why)
    if isinstance(why, Silent):
        return Seen(name, error=why.why)
    return Seen(name, status, why.waits)


def leaders_view(found: Sequence[Seen]) -> ClusterStatus | None:
    """What the leader knows, if it answered; else what somebody knows.

    Of several that say they lead, that of the highest term.
    """
    said = [seen.status for seen in found if seen.status is not None]
    said.sort(key=lambda status: (status.role == "leader", status.term), reverse=True)
    return said[0] if said else None
