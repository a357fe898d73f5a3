"""What this member is to its cluster: unassigned, member, removed, fenced, or stopping.

Decides: what each standing answers to a client. Must not know: how it came about.
Read next: founding.py, leaving.py, obstacles.py.
"""

from enum import StrEnum

from replog.wire.problems import ApiError
from replog_node.model.positions import ClusterId, Lineage


class Standing(StrEnum):
    """The value is ClusterStatus.state."""

    UNASSIGNED = "unassigned"
    MEMBER = "member"
    REMOVED = "removed"
    FENCED = "fenced"
    STOPPING = "stopping"

    @property
    def wait(self) -> str:
        """The code of the wait that tells of it (replog.wire.codes); a member's has none."""
        return self.value.capitalize()


class Membership:
    """A member's standing and the cluster it belongs to. founding.py and leaving.py change them."""

    def __init__(
        self, cluster_id: ClusterId | None, lineage: Lineage | None, *, removed: bool = False
    ) -> None:
        self.cluster_id = cluster_id
        self.lineage = lineage
        self.standing = Standing.UNASSIGNED if cluster_id is None else Standing.MEMBER
        if removed:
            self.standing = Standing.REMOVED

    def refusal(self) -> ApiError | None:
        """Why no client call is taken here at all; None for a member in good standing."""
        match self.standing:
            case Standing.MEMBER:
                return None
            case Standing.UNASSIGNED:
                return ApiError("unassigned", "this member belongs to no cluster yet")
            case Standing.REMOVED:
                return ApiError("removed", "this member was removed from its cluster")
            case Standing.FENCED:
                return ApiError("fenced", f"a newer lineage than {self.lineage} exists")
            case Standing.STOPPING:
                return ApiError("shutting_down", "this member is stopping")
