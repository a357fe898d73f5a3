"""Everything that a pass may know, read once: the resource, what belongs to it, what members say.

Nothing is remembered from the pass before, so nothing can be stale for longer than a pass. Reads go
side by side, each with a limit of its own; a member that gives no answer is silent, not waited for.

Decides: what is read, in which order: objects first, then the members behind the pods that are
there, then the leader about each member.
Must not know: what any of it means (observe.py).
Read next: nodes.py, observe.py.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from replog.wire.schemas import ClusterStatus, MayStop
from replog_operator.kube.children.names import selector, selector_text
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import (
    BUDGET,
    CLAIM,
    CONFIG_MAP,
    LOG,
    NETWORK_POLICY,
    POD,
    REVISION,
    SERVICE,
    SERVICE_ACCOUNT,
    STATEFUL_SET,
    Kind,
)
from replog_operator.kube.nodes import Nodes, Silent
from replog_operator.kube.ports import Reads

BELONGING: Final = (
    BUDGET, CLAIM, CONFIG_MAP, NETWORK_POLICY, POD, REVISION, SERVICE, SERVICE_ACCOUNT,
    STATEFUL_SET,
)  # fmt: skip
"""Kinds of which a log has objects; all carry its labels."""


class Gathered(NamedTuple):
    """All of it. answers: by uid of the pod. stops: the leader's word on each member, by id."""

    resource: Object
    objects: Mapping[Kind, Sequence[Object]]
    answers: Mapping[str, ClusterStatus | Silent]
    stops: Mapping[str, MayStop]


async def gather(reads: Reads, nodes: Nodes, namespace: str, name: str) -> Gathered | None:
    """Read it all; None if there is no such resource. Raises what `reads` raises."""
    resource = await reads.get(LOG, namespace, name)
    if resource is None:
        return None
    labels = selector_text(selector(name))
    found = await asyncio.gather(*(reads.list(kind, namespace, labels) for kind in BELONGING))
    objects = dict(zip(BELONGING, found, strict=True))
    answers = await _answers(nodes, objects[POD])
    return Gathered(resource, objects, answers, await _stops(nodes, objects[POD], answers))


async def _answers(nodes: Nodes, pods: Sequence[Object]) -> dict[str, ClusterStatus | Silent]:
    """What each pod's member says; only pods that have an address can be asked."""
    asked = {pod["metadata"]["uid"]: ip for pod in pods if (ip := pod_ip(pod))}
    said = await asyncio.gather(*(nodes.status(ip) for ip in asked.values()))
    return dict(zip(asked, said, strict=True))


async def _stops(
    nodes: Nodes, pods: Sequence[Object], answers: Mapping[str, ClusterStatus | Silent]
) -> dict[str, MayStop]:
    """What the leader says of each member's stop; nothing without a leader."""
    leader = leader_of(answers)
    if leader is None:
        return {}
    uid, status = leader
    ip = next(pod_ip(pod) for pod in pods if pod["metadata"]["uid"] == uid)
    ids = [member.id for member in status.members]
    said = await asyncio.gather(*(nodes.may_stop(ip, member) for member in ids))
    return {
        member: answer
        for member, answer in zip(ids, said, strict=True)
        if isinstance(answer, MayStop)
    }


def leader_of(
    answers: Mapping[str, ClusterStatus | Silent],
) -> tuple[str, ClusterStatus] | None:
    """The pod's uid and the word of who leads; of several that say so, that of the highest term."""
    leaders = [
        (uid, status)
        for uid, status in answers.items()
        if isinstance(status, ClusterStatus)
        and status.role == "leader"
        and status.state in ("member", "stopping")
    ]
    return max(leaders, key=lambda found: found[1].term, default=None)


def pod_ip(pod: Object) -> str:
    """A pod's address; "" while it has none, or its processes have ended."""
    status = pod.get("status", {})
    return "" if status.get("phase") in ("Failed", "Succeeded") else status.get("podIP", "")
