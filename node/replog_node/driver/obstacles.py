"""What stands between a call and its effect right now, each with its row in the table of codes.

Decides: when a leader may append for clients (design section 3: only after the term's no-op is
committed and applied, and after the first target was reached), and how a refusal reads.
Must not know: who asks.
Read next: appends.py, waits.py.
"""

from typing import Final

from replog.wire.problems import ApiError
from replog_node.driver.kernel import Kernel
from replog_node.driver.space import short_of_space
from replog_node.driver.standing import Membership
from replog_node.raft.effects import Reason
from replog_node.state.applied import AppliedState

OVERLOADED: Final = Reason.OVERLOADED.value
"""An obstacle that no wait tells of: it passes in a moment, and is refused by this code."""

_WAITS: Final = {
    "not_leader": "NoLeader",
    "not_ready": "NotCaughtUp",
    "transferring": "Transferring",
    "clock_jump": "ClockJump",
}
"""The wait that tells of an obstacle which the core names by its reason."""


def wait_of(obstacle: str) -> str:
    """The code of the wait that tells of what to_append() named."""
    return _WAITS.get(obstacle, obstacle)


class Obstacles:
    """Read-only: facts of this moment."""

    def __init__(self, kernel: Kernel, membership: Membership, applied: AppliedState) -> None:
        self._kernel = kernel
        self._membership = membership
        self._applied = applied

    def to_append(self) -> str | None:
        """None when an append proposed now is taken; else the wait or code that hinders it."""
        return self.to_control() or self._to_data()

    def to_control(self) -> str | None:
        """As to_append, for the cluster's own records (targets come before client data)."""
        core = self._kernel.core
        if self._membership.refusal() is not None or core is None:
            return self._membership.standing.value
        reason = core.admitting
        if reason is not None:
            return reason.value
        if self._applied.offset < core.ready_at:
            return "not_ready"
        return None

    def _to_data(self) -> str | None:
        configuration = self._kernel.configuration()
        if configuration is None or not configuration.target_reached:
            return "FirstTargetPending"
        return None if self.no_room() is None else "DiskFull"

    def no_room(self) -> ApiError | None:
        """As a leader: the refusal of data for lack of space; None: there is room.

        It says who is short of it. A quorum that doesn't answer is another matter.
        """
        core = self._kernel.core
        if core is None or core.roomy or not self._kernel.leading:
            return None
        short = short_of_space(core.status())
        if not short:
            return None
        said = "; ".join(f"{member}: {words}" for member, words in short)
        members = [member for member, _ in short]
        return ApiError(
            "disk_full", f"no room for data at {said}", wait="DiskFull", members=members
        )

    def why_not_appended(self) -> ApiError:
        """The refusal of an append that waited in vain; nothing of it happened."""
        refusal = self._membership.refusal()
        if refusal is not None:
            return refusal
        if self._kernel.leader is None:
            return ApiError("no_leader", "no leader was found in time")
        if not self._kernel.leading:
            return ApiError("not_leader", "the leader could not be reached in time")
        obstacle = self.to_append()
        full = self.no_room()
        if obstacle == "DiskFull" and full is not None:
            return full
        if obstacle is None:
            return ApiError("overloaded", "its turn did not come in time")
        if obstacle == OVERLOADED:
            return ApiError("overloaded", "too much is appended and not committed")
        if obstacle == "transferring":
            return ApiError("transferring", "leadership is being handed over")
        wait = wait_of(obstacle)
        return ApiError("not_ready", f"the leader doesn't append now: {wait}", wait=wait)
