"""Everything that the operator can do to a log: one method a deed, each fenced, none repeated.

To Kubernetes each write names the uid or resourceVersion that it was planned from, so that a deed
of a plan that is not true any more changes nothing, and says `superseded`; what members are told is
in ../members/orders.py.

Decides: which precondition goes with which deed. Must not know: when a deed is due (the planner).
Read next: act.py, outcomes.py.
"""

from collections.abc import Awaitable, Sequence
from typing import Any, Final

from replog_operator.kube.apply import Applied, stamped
from replog_operator.kube.children.names import CLUSTER_ID, GOOD_TEMPLATE, MEMBER_ID, RETIRED
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import CLAIM, POD, STATEFUL_SET, TASK, Kind, kind_of
from replog_operator.kube.outcomes import of_server
from replog_operator.kube.ports import Refused, Unanswered, Writes
from replog_operator.members.nodes import Nodes
from replog_operator.members.orders import Orders
from replog_operator.members.outcomes import DONE, Outcome
from replog_operator.model.steps import Object as Seen

TASK_KIND: Final = "ReplicatedLogTask"


class Hands(Orders):
    """For the logs of one namespace."""

    def __init__(self, namespace: str, writes: Writes, nodes: Nodes, applied: Applied) -> None:
        self._namespace = namespace
        self._writes = writes
        super().__init__(nodes)
        self._applied = applied

    async def apply(self, child: Object, seen: Seen | None = None) -> Outcome:
        """Make a child as it should be; fields of others stay. seen: only if it still is this."""
        return await _to_server(self._apply(child, seen))

    async def remove(self, kind: Kind, child: Seen) -> Outcome:
        """Delete a child that there should not be. Never for claims: see delete_claim."""
        if kind == CLAIM:
            raise ValueError("claims hold data: only delete_claim deletes one")
        return await _to_server(
            self._writes.delete(kind, self._namespace, child.name, uid=child.uid)
        )

    async def scale(self, stateful_set: Seen, replicas: int) -> Outcome:
        """Set how many pods there are."""
        return await self._patch(STATEFUL_SET, stateful_set, spec={"replicas": replicas})

    async def note_good(self, stateful_set: Seen, template: str) -> Outcome:
        """Note the template with which every pod is well."""
        notes = {GOOD_TEMPLATE: template}
        return await self._patch(STATEFUL_SET, stateful_set, metadata={"annotations": notes})

    async def make_claim(self, claim: Object) -> Outcome:
        """Make a claim before the StatefulSet would."""
        return await _to_server(self._writes.create(CLAIM, claim))

    async def stamp_claim(self, claim: Seen, cluster_id: str, member: str) -> Outcome:
        """Note whose data it holds, before there is any."""
        return await self._annotate(claim, {CLUSTER_ID: cluster_id, MEMBER_ID: member})

    async def retire_claim(self, claim: Seen) -> Outcome:
        """Note that its member was removed."""
        return await self._annotate(claim, {RETIRED: "true"})

    async def expand_claim(self, claim: Seen, size: str) -> Outcome:
        """Ask for more room; a storage class that can't is a refusal."""
        return await self._patch(CLAIM, claim, spec={"resources": {"requests": {"storage": size}}})

    async def own_claim(self, claim: Seen, owners: Sequence[Object]) -> Outcome:
        """Set the claim's owners: with the resource among them, data goes with the resource."""
        return await self._patch(CLAIM, claim, metadata={"ownerReferences": list(owners)})

    async def delete_claim(self, claim: Seen) -> Outcome:
        """Delete data: the planner asks for that in two cases only, and means just this uid."""
        return await _to_server(
            self._writes.delete(CLAIM, self._namespace, claim.name, uid=claim.uid)
        )

    async def evict_pod(self, pod: Seen) -> Outcome:
        """Ask for a ready pod to go; a budget may forbid it."""
        return await _to_server(self._writes.evict(self._namespace, pod.name, uid=pod.uid))

    async def delete_pod(self, pod: Seen) -> Outcome:
        """Have a pod that is not ready made anew."""
        return await _to_server(self._writes.delete(POD, self._namespace, pod.name, uid=pod.uid))

    async def note_task(self, task: Object, status: Object) -> Outcome:
        """Note on a task how far it is; not if somebody has noted something meanwhile."""
        fence = ("namespace", "name", "uid", "resourceVersion")
        metadata = {name: task["metadata"][name] for name in fence}
        found = {
            "apiVersion": TASK.api_version, "kind": TASK_KIND, "metadata": metadata,
            "status": status,
        }  # fmt: skip
        return await _to_server(self._writes.apply_status(TASK, found))

    async def delete_task(self, task: Object) -> Outcome:
        """Remove a task whose time is over."""
        name, uid = task["metadata"]["name"], task["metadata"]["uid"]
        return await _to_server(self._writes.delete(TASK, self._namespace, name, uid=uid))

    async def _apply(self, child: Object, seen: Seen | None) -> None:
        found = stamped(child)
        if seen is not None:
            fence = {"uid": seen.uid, "resourceVersion": seen.resource_version}
            found = {**found, "metadata": {**found["metadata"], **fence}}
        self._applied.note(await self._writes.apply(kind_of(child), found))

    async def _annotate(self, claim: Seen, notes: dict[str, str]) -> Outcome:
        return await self._patch(CLAIM, claim, metadata={"annotations": notes})

    async def _patch(self, kind: Kind, seen: Seen, **change: dict[str, Any]) -> Outcome:
        fence = {"uid": seen.uid, "resourceVersion": seen.resource_version}
        body = {**change, "metadata": {**change.get("metadata", {}), **fence}}
        return await _to_server(self._writes.patch(kind, self._namespace, seen.name, body))


async def _to_server(deed: Awaitable[object]) -> Outcome:
    try:
        await deed
    except (Refused, Unanswered) as problem:
        return of_server(problem)
    return DONE
