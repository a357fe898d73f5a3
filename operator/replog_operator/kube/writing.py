"""Writes: each asks the fence just before it is sent, and passes a failpoint before and after.

Decides: that no write goes without the lease, how long one may take, which field manager we are.
Must not know: which writes are due, what they mean.
Read next: fence.py, client.py, apply.py.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec

from replog.wire.schemas import Done
from replog_operator.kube.children.names import PEER_PORT
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.client import APPLY, MERGE, Client, path_of, place_of
from replog_operator.kube.fence import Fence
from replog_operator.kube.kinds import EVENT, POD, Kind
from replog_operator.kube.ports import Refused
from replog_operator.members.nodes import Nodes

MANAGER: Final = "replog-operator"
"""Our name among field managers: final, because what it owns is bound to it."""
WRITE_S: Final = 5.0
"""A write to the API server; lease.Timing counts on it."""

Failpoint = Callable[[str], None]
T = TypeVar("T")


class Writer:
    """`Writes` of ports.py."""

    def __init__(self, client: Client, fence: Fence, reach: Failpoint) -> None:
        self._client = client
        self._fence = fence
        self._reach = reach

    async def create(self, kind: Kind, found: Object) -> Object:
        """Make an object; 409 `AlreadyExists` if one of that name is there."""
        namespace, _ = place_of(found)
        write = "event" if kind == EVENT else "create"
        return await self._send(write, "POST", path_of(kind, namespace), found)

    async def apply(self, kind: Kind, found: Object) -> Object:
        """Server-side apply of exactly our fields; a resourceVersion within is a precondition.

        Fields that another manager owns and we want, too, become ours: that is what they are for.
        """
        return await self._apply("apply", path_of(kind, *place_of(found)), found)

    async def apply_status(self, kind: Kind, found: Object) -> Object:
        """The same for the subresource `status`."""
        path = path_of(kind, *place_of(found), "status")
        return await self._apply("apply-status", path, found)

    async def patch(self, kind: Kind, namespace: str, name: str, change: Any) -> Object:
        """Merge patch; metadata.resourceVersion and metadata.uid within are preconditions."""
        path = path_of(kind, namespace, name)
        query = {"fieldManager": MANAGER}
        return await self._send("patch", "PATCH", path, change, query=query, content=MERGE)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete in the background, if the object still has that uid; none there is done, too."""
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._send("delete", "DELETE", path_of(kind, namespace, name), options)
        except Refused as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise

    async def evict(self, namespace: str, pod: str, *, uid: str) -> None:
        """Ask for the pod's eviction; 429 while a budget forbids it."""
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": namespace, "name": pod},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        await self._send("evict", "POST", path_of(POD, namespace, pod, "eviction"), eviction)

    async def _apply(self, write: str, path: str, found: Object) -> Object:
        query = {"fieldManager": MANAGER, "force": "true"}
        return await self._send(write, "PATCH", path, found, query=query, content=APPLY)

    async def _send(self, write: str, method: str, path: str, body: Any, **how: Any) -> Object:
        call = self._client.call
        return await guarded(
            self._fence, self._reach, write,
            lambda: call(method, path, body, timeout_s=WRITE_S, **how),
        )  # fmt: skip


class FencedNodes(Nodes):
    """Members asked as ever, and told only under the lease."""

    def __init__(self, fence: Fence, reach: Failpoint, peer_port: int = PEER_PORT) -> None:
        super().__init__(peer_port)
        self._fence = fence
        self._reach = reach

    async def tell(self, ip: str, path: str, request: msgspec.Struct, timeout_s: float) -> Done:
        """As Nodes.tell; raises Deposed, too."""
        tell = super().tell
        write = path.rpartition(":")[2]
        return await guarded(
            self._fence, self._reach, write, lambda: tell(ip, path, request, timeout_s)
        )


async def guarded(
    fence: Fence, reach: Failpoint, write: str, send: Callable[[], Awaitable[T]]
) -> T:
    """Send one write. Raises Deposed instead of sending it without the lease."""
    reach(f"before-{write}")
    fence.check()
    answer = await send()
    reach(f"after-{write}")
    return answer
