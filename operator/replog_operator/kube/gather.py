"""Everything that a pass may know, read once: the resource, what belongs to it, what members say.

Nothing is remembered from the pass before, so nothing can be stale for longer than a pass. Reads go
side by side, each with a limit of its own; a member that gives no answer is silent, not waited for.

Decides: what is read, in which order: objects first, then the members behind the pods that are
there, then the leader about each member.
Must not know: what any of it means (observe.py).
Read next: ../members/nodes.py, observe.py.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from replog.wire.recovery import Survey
from replog.wire.schemas import ClusterStatus, MayStop, Why
from replog_operator.kube import recovery
from replog_operator.kube.children.names import peers_service, selector, selector_text
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
    TASK,
    Kind,
)
from replog_operator.kube.ports import Reads
from replog_operator.members.nodes import Asks, Silent
from replog_operator.planner.facts import leader_of as planner_leader_of

BELONGING: Final = (
    BUDGET, CLAIM, CONFIG_MAP, NETWORK_POLICY, POD, REVISION, SERVICE, SERVICE_ACCOUNT,
    STATEFUL_SET,
)  # fmt: skip
"""Kinds of which a log has objects; all carry its labels."""
NAMED: Final = (BUDGET, CONFIG_MAP, NETWORK_POLICY, SERVICE, SERVICE_ACCOUNT, STATEFUL_SET)
"""Kinds of which one has the log's own name."""


class Gathered(NamedTuple):
    """All of it. objects: also such as have a child's name and not its labels.

    answers: by uid of the pod. stops: the leader's word on each member, by id. blockers: what the
    leader waits for, worst first: its evidence by its code. tasks: all of the namespace. surveys:
    by uid of the pod; asked for only while a task looks at them.
    """

    resource: Object
    objects: Mapping[Kind, Sequence[Object]]
    answers: Mapping[str, ClusterStatus | Silent]
    stops: Mapping[str, MayStop]
    blockers: Mapping[str, str]
    tasks: Sequence[Object]
    surveys: Mapping[str, Survey] = {}


async def gather(reads: Reads, nodes: Asks, namespace: str, name: str) -> Gathered | None:
    """Read it all; None if there is no such resource. Raises what `reads` raises."""
    resource = await reads.get(LOG, namespace, name)
    if resource is None:
        return None
    labels = selector_text(selector(name))
    *found, tasks = await asyncio.gather(
        *(reads.list(kind, namespace, labels) for kind in BELONGING),
        reads.list(TASK, namespace, ""),
    )
    objects = dict(zip(BELONGING, found, strict=True))
    for kind, others in (await _unlabelled(reads, objects, namespace, name)).items():
        objects[kind] = [*objects[kind], *others]
    surveyed = objects[POD] if recovery.needs_surveys(name, tasks) else ()
    answers, surveys = await asyncio.gather(
        _answers(nodes, objects[POD]), _surveys(nodes, surveyed)
    )
    leader = leader_of(answers)
    if leader is None:
        return Gathered(resource, objects, answers, {}, {}, tasks, surveys)
    uid, status = leader
    ip = next(pod_ip(pod) for pod in objects[POD] if pod["metadata"]["uid"] == uid)
    stops, blockers = await asyncio.gather(_stops(nodes, ip, status), _blockers(nodes, ip))
    return Gathered(resource, objects, answers, stops, blockers, tasks, surveys)


async def _unlabelled(
    reads: Reads, objects: Mapping[Kind, Sequence[Object]], namespace: str, name: str
) -> dict[Kind, list[Object]]:
    """What stands where a child should, without its labels: it is somebody else's."""
    names = [(kind, name) for kind in NAMED] + [(SERVICE, peers_service(name))]
    missing = [
        (kind, child)
        for kind, child in names
        if all(found["metadata"]["name"] != child for found in objects[kind])
    ]
    stored = await asyncio.gather(*(reads.get(kind, namespace, child) for kind, child in missing))
    others: dict[Kind, list[Object]] = {}
    for (kind, _), found in zip(missing, stored, strict=True):
        if found is not None:
            others.setdefault(kind, []).append(found)
    return others


async def _answers(nodes: Asks, pods: Sequence[Object]) -> dict[str, ClusterStatus | Silent]:
    """What each pod's member says; only pods that have an address can be asked."""
    asked = {pod["metadata"]["uid"]: ip for pod in pods if (ip := pod_ip(pod))}
    said = await asyncio.gather(*(nodes.status(ip) for ip in asked.values()))
    return dict(zip(asked, said, strict=True))


async def _surveys(nodes: Asks, pods: Sequence[Object]) -> dict[str, Survey]:
    """What each pod's member has, of those that say it."""
    asked = {pod["metadata"]["uid"]: ip for pod in pods if (ip := pod_ip(pod))}
    said = await asyncio.gather(*(nodes.survey(ip) for ip in asked.values()))
    found = zip(asked, said, strict=True)
    return {uid: survey for uid, survey in found if isinstance(survey, Survey)}


async def _stops(nodes: Asks, ip: str, status: ClusterStatus) -> dict[str, MayStop]:
    """What the leader says of each member's stop."""
    ids = [member.id for member in status.members]
    said = await asyncio.gather(*(nodes.may_stop(ip, member) for member in ids))
    return {
        member: answer
        for member, answer in zip(ids, said, strict=True)
        if isinstance(answer, MayStop)
    }


async def _blockers(nodes: Asks, ip: str) -> dict[str, str]:
    """What the leader waits for."""
    why = await nodes.why(ip)
    return {wait.code: wait.evidence for wait in why.waits} if isinstance(why, Why) else {}


def leader_of(
    answers: Mapping[str, ClusterStatus | Silent],
) -> tuple[str, ClusterStatus] | None:
    """The pod's uid and the word of who leads; of several that say so, that of the highest term."""
    said = {uid: word for uid, word in answers.items() if isinstance(word, ClusterStatus)}
    uid = planner_leader_of(said)
    return None if uid is None else (uid, said[uid])


def pod_ip(pod: Object) -> str:
    """A pod's address; "" while it has none, or its processes have ended."""
    status = pod.get("status", {})
    return "" if status.get("phase") in ("Failed", "Succeeded") else status.get("podIP", "")
