"""How a member stops being one in good standing: fenced, removed, or about to stop.

Decides: the order in which callers hear of it, and when a stopping member may go.
Must not know: who decided that it leaves.
Read next: standing.py, callers.py.
"""

from replog.wire.problems import ApiError
from replog_node.driver.callers import Callers
from replog_node.driver.founding import Founding
from replog_node.driver.kernel import Kernel
from replog_node.driver.ports import ObserverPort
from replog_node.driver.standing import Membership, Standing
from replog_node.driver.watchers import Watchers
from replog_node.model.positions import Lineage, Offset
from replog_node.raft.effects import Reason, Rejected
from replog_node.raft.events import TransferRequested


class Leaving:
    """The transitions out of Standing.MEMBER."""

    def __init__(
        self,
        kernel: Kernel,
        membership: Membership,
        founding: Founding,
        callers: Callers,
        watchers: Watchers,
        observer: ObserverPort,
    ) -> None:
        self._kernel = kernel
        self._membership = membership
        self._founding = founding
        self._callers = callers
        self._watchers = watchers
        self._observer = observer
        self._handing_over = False

    def fence(self, lineage: Lineage) -> None:
        """See Driver.fence."""
        if self._membership.standing is Standing.MEMBER:
            self._observer.note("error", "fenced", by=str(lineage))
            self._leave(Standing.FENCED)
            self._callers.forget(self._refusal())
            self._kernel.stop()

    def removed(self, at: Offset) -> None:
        """Removed for good: the core answers others still, clients find no member here."""
        self._observer.note("warning", "removed", at=at)
        self._kernel.storage.park()
        if self._membership.standing is Standing.MEMBER:
            self._leave(Standing.REMOVED)

    def begin_stop(self) -> None:
        """See Driver.begin_stop."""
        if self._membership.standing is Standing.MEMBER:
            self._hand_over()
            self._leave(Standing.STOPPING)

    def _hand_over(self) -> None:
        """Ask the core to; a leader that nobody can replace doesn't wait for anybody."""
        if self._kernel.leading:
            refused = self._kernel.run(TransferRequested(None))
            under_way = isinstance(refused, Rejected) and refused.reason is Reason.TRANSFERRING
            self._handing_over = refused is None or under_way

    def transfer_ended(self) -> None:
        """Leadership was handed over, or nobody took it in time."""
        self._handing_over = False

    @property
    def drained(self) -> bool:
        """See Driver.drained."""
        return not ((self._kernel.leading and self._handing_over) or self._callers.begun)

    def close(self) -> None:
        """See Driver.close."""
        self._leave(Standing.STOPPING)
        self._callers.forget(self._refusal())
        self._founding.close(ApiError("shutting_down", "this member is stopping"))
        self._kernel.stop()

    def _leave(self, standing: Standing) -> None:
        """Be a member in good standing no more: nothing that waits here is begun.

        What other members sent finds the next leader; this member's own callers hear why. What
        was begun goes on.
        """
        self._callers.refuse_forwarded()
        if self._membership.standing is not Standing.REMOVED:
            self._membership.standing = standing
        self._callers.refuse(self._refusal())
        self._watchers.wake()

    def _refusal(self) -> ApiError:
        return self._membership.refusal() or ApiError("shutting_down", "this member is stopping")
