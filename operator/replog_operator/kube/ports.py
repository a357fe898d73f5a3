"""What observing and acting need of an API server.

Decides: those calls. Objects are JSON as the server has it; typed models stay unused, because they
alone would take most of the operator's memory.
Must not know: HTTP, credentials, the lease (client.py, fence.py).
Read next: observe.py, act.py.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from replog_operator.kube.children.wanted import Object
from replog_operator.kube.kinds import Kind


class Refused(Exception):
    """The server refused. status: HTTP's; reason: of Kubernetes' Status object."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{reason or status}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class Unanswered(Exception):
    """No answer came, so a write may have been done or not. The message says what happened."""


class Reads(Protocol):
    """Both raise Refused, Unanswered."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if there is none."""

    async def list(self, kind: Kind, namespace: str, selector: str) -> Sequence[Object]:
        """All objects that carry these labels (`name=value,…`)."""


class Writes(Protocol):
    """Each is sent only while the lease is held; raises Refused, Unanswered, or the loss of it.

    What names a resourceVersion or uid is refused with 409 if the object is another by now.
    """

    async def create(self, kind: Kind, found: Object) -> Object:
        """Make an object; 409 `AlreadyExists` if one of that name is there."""

    async def apply(self, kind: Kind, found: Object) -> Object:
        """Server-side apply of exactly our fields; a resourceVersion within is a precondition."""

    async def apply_status(self, kind: Kind, found: Object) -> Object:
        """The same for the subresource `status`."""

    async def patch(self, kind: Kind, namespace: str, name: str, change: Any) -> Object:
        """Merge patch; metadata.resourceVersion and metadata.uid within are preconditions."""

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete in the background, if the object still has that uid; none there is done, too."""

    async def evict(self, namespace: str, pod: str, *, uid: str) -> None:
        """Ask for the pod's eviction; 429 while a budget forbids it."""
