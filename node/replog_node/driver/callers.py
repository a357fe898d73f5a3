"""Everybody who waits here for an answer: this member's own callers, and other members'.

A call waits in a queue (appends, admin, reads), then for the leader elsewhere (forwards, calls) or
for its commit here (ledger). Each is answered once.

Decides: which callers an event concerns. Must not know: when it comes (driver.py, leaving.py).
Read next: appends.py, admin.py, reads.py, forwards.py, calls.py, ledger.py.
"""

from typing import Any, assert_never

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog_node.driver.admin import Admin
from replog_node.driver.answers import Reply
from replog_node.driver.appends import Appends, Waiting
from replog_node.driver.calls import Call, Calls, Request
from replog_node.driver.forwards import Forwards
from replog_node.driver.kernel import Kernel
from replog_node.driver.ledger import Ledger
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import (
    CallMessage,
    ForwardAdmin,
    ForwardAdminResult,
    ForwardAppends,
    ForwardResults,
)
from replog_node.driver.obstacles import Obstacles
from replog_node.driver.ports import ObserverPort
from replog_node.driver.reads import Read, Reads
from replog_node.driver.standing import Membership, Standing
from replog_node.driver.verdicts import Verdicts
from replog_node.model.positions import MemberId, Offset
from replog_node.state.applied import AppliedState
from replog_node.state.head import HeadState


class Callers:
    """All queues, and what concerns several of them."""

    def __init__(
        self,
        kernel: Kernel,
        membership: Membership,
        applied: AppliedState,
        head: HeadState,
        obstacles: Obstacles,
        observer: ObserverPort,
        limits: DriverLimits,
    ) -> None:
        self._kernel = kernel
        self._membership = membership
        self.ledger = Ledger()
        self.reads = Reads(kernel, lambda: applied.offset, limits)
        verdicts = Verdicts(kernel, self.ledger, self.reads)
        self.appends = Appends(kernel, head, self.ledger, verdicts, obstacles, observer, limits)
        self.admin = Admin(kernel, head, self.ledger, verdicts, obstacles, limits)
        self.forwards = Forwards(kernel, self.appends, observer, limits)
        self._calls = Calls(kernel, limits)

    # What they ask for.

    def append(self, batch: CheckedBatch, reply: Reply[Appended], *, deadline_s: float) -> None:
        """See Driver.append."""
        if self._taken_here(reply):
            now_s = self._kernel.clock.monotonic_s()
            self.appends.take(
                Waiting(batch, reply, arrived_s=now_s, deadline_s=deadline_s, forwarded=False)
            )

    def read_index(self, reply: Reply[Offset], *, deadline_s: float) -> None:
        """See Driver.read_index."""
        if self._taken_here(reply):
            self.reads.take(Read(reply, deadline_s))

    def call(self, request: Request, reply: Reply[object], *, deadline_s: float) -> bool:
        """See Driver.call; False: refused at once."""
        taken = self._taken_here(reply)
        if taken:
            self.admin.take(Call(request, reply, deadline_s=deadline_s))
        return taken

    def _taken_here(self, reply: Reply[Any]) -> bool:
        """Whether this member takes calls at all; if not, the caller hears why."""
        refusal = self._membership.refusal()
        if refusal is not None:
            reply(refusal)
        return refusal is None

    # What travels between members.

    def receive(self, message: CallMessage) -> None:
        """Another member's call, or the leader's word on one that was sent on."""
        match message:
            case ForwardAppends():
                self.forwards.serve(message)
                self._refuse_what_it_cannot_lead()
            case ForwardResults():
                self.forwards.answered(message)
            case ForwardAdmin():
                call = self._calls.received(message)
                if call is not None:
                    self.admin.take(call)
                self._refuse_what_it_cannot_lead()
            case ForwardAdminResult():
                again = self._calls.answered(message)
                if again is not None:
                    self.admin.put_back(again)
            case _:
                assert_never(message)

    def send_on(self) -> None:
        """Send what waits here to the leader, if one is known elsewhere."""
        leader = self._kernel.leader
        if self._kernel.leading or leader is None:
            return
        if self._membership.standing is not Standing.MEMBER:
            return
        self.forwards.flush()
        while not self._calls.outstanding.full:
            call = self.admin.take_for_leader()
            if call is None:
                return
            if not self._calls.send(leader, call):
                self.admin.put_back(call)
                return

    def lost(self, member: MemberId) -> None:
        """The connection to a member is gone."""
        self.forwards.outstanding.lost(member)
        self._calls.outstanding.lost(member)

    def _refuse_what_it_cannot_lead(self) -> None:
        """Who sent something here must find the leader elsewhere, now or soon."""
        if not self._kernel.leading or self._membership.standing is not Standing.MEMBER:
            self.refuse_forwarded()

    def refuse_forwarded(self) -> None:
        """Refuse what other members sent here and what isn't begun: they find the next leader."""
        refusal = ApiError("not_leader", "the member asked lost the lead before it appended")
        self.appends.refuse_forwarded(refusal)
        self.admin.refuse_forwarded(refusal)

    # How waiting ends.

    def settle(self, applied: Offset) -> None:
        """More is applied: answer who waited for it."""
        self.ledger.settle(applied, self._kernel.term_at)
        self.reads.settle()

    def expire(self, now_s: float) -> None:
        """Refuse or give up on what has waited for too long; called once a tick."""
        self.appends.expire(now_s)
        self.admin.expire(now_s)
        self.forwards.outstanding.expire(now_s)
        self._calls.outstanding.expire(now_s)
        self.ledger.expire(now_s, self._kernel.term())

    @property
    def begun(self) -> bool:
        """Whether anybody waits for what was begun."""
        return bool(
            self.ledger.waiting
            or self.forwards.outstanding.callers
            or self._calls.outstanding.callers
            or self.reads.waiting
        )

    def refuse(self, refusal: ApiError) -> None:
        """Refuse appends and admin calls that are not begun; reads that were taken go on."""
        self.appends.close(refusal)
        self.admin.refuse(refusal)

    def forget(self, refusal: ApiError) -> None:
        """Answer everybody whose call was begun: nobody will be told here what became of it."""
        self.admin.close(refusal)
        self.reads.close(refusal)
        self.forwards.outstanding.close()
        self._calls.outstanding.close()
        self.ledger.close()
