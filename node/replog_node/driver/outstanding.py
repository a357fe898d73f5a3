"""What was sent on to the leader and is not answered: groups of appends, and admin calls.

A message whose connection broke has an unknown outcome and is never sent again. What a member
refused because it doesn't lead may be, at the next tick at the earliest.

Decides: whose an answer is, and when a caller hears that none came.
Must not know: what was asked.
Read next: forwards.py, calls.py.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Final, Generic, Protocol, TypeVar

from replog.wire.problems import ApiError
from replog_node.driver.kernel import Kernel
from replog_node.driver.messages import (
    ForwardAdmin,
    ForwardAdminResult,
    ForwardAppends,
    ForwardResults,
)
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId

GRACE_S: Final = 0.5
"""How much longer than its time an answer is waited for, so that the leader's word counts."""


class Caller(Protocol):
    """Whose call was sent on. deadline_s: monotonic."""

    deadline_s: float

    @property
    def reply(self) -> Callable[[ApiError], None]:
        """Tells it that nothing came of it, or that nobody knows."""


C = TypeVar("C", bound=Caller)


class Sent(Generic[C]):
    """A message on its way, and its callers. A place is None once its caller has heard."""

    __slots__ = ("callers", "leader")

    def __init__(self, leader: MemberId, callers: Sequence[C]) -> None:
        self.leader = leader
        self.callers: list[C | None] = list(callers)

    def refuse(self, refusal: ApiError, *, until_s: float = inf) -> None:
        """Refuse those whose time ends by then; without a time, all."""
        for place, caller in enumerate(self.callers):
            if caller is not None and caller.deadline_s <= until_s:
                self.callers[place] = None
                caller.reply(refusal)

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return all(caller is None for caller in self.callers)


class Outstanding(Generic[C]):
    """Messages of one kind that wait for the leader's word, up to a limit."""

    def __init__(self, kernel: Kernel, limit: int) -> None:
        self._kernel = kernel
        self._limit = limit
        self._sent: dict[int, Sent[C]] = {}
        self.next_id = 0
        """Of the message that is sent next."""
        self.paused = False
        """Whether a member said that it doesn't lead: nothing more is sent before the next tick."""

    @property
    def full(self) -> bool:
        """Whether no more can be sent now."""
        return self.paused or len(self._sent) >= self._limit

    @property
    def callers(self) -> int:
        """Callers of these messages who have not heard yet."""
        return sum(caller is not None for sent in self._sent.values() for caller in sent.callers)

    def budget_ms(self, deadline_s: float) -> int:
        """The time that is left, as it travels."""
        return max(1, int((deadline_s - self._kernel.clock.monotonic_s()) * 1000))

    def send(self, message: ForwardAppends | ForwardAdmin, callers: Sequence[C]) -> bool:
        """Send a message that has next_id as its id; False: surely not sent."""
        if not self._kernel.network.send(message.to, encode(message), bulk=True):
            return False
        self._sent[self.next_id] = Sent(message.to, callers)
        self.next_id += 1
        return True

    def answered(
        self, message: ForwardResults | ForwardAdminResult, answers: int
    ) -> Sequence[C | None]:
        """Take out whom the leader's word is for, in the order of its answers.

        Nobody, if it is another member's, another incarnation's, or of another number of answers.
        """
        sent = self._sent.get(message.id)
        if (
            sent is None
            or message.sender != sent.leader
            or message.to_incarnation != self._kernel.incarnation
            or answers != len(sent.callers)
        ):
            return ()
        del self._sent[message.id]
        return sent.callers

    def lost(self, member: MemberId) -> None:
        """The connection to a member is gone: what it had of us may or may not have happened."""
        for id_, sent in list(self._sent.items()):
            if sent.leader == member:
                del self._sent[id_]
                sent.refuse(ApiError("outcome_unknown", "the connection to the leader broke"))

    def expire(self, now_s: float) -> None:
        """Give up on callers whose time is over; called once a tick."""
        self.paused = False
        refusal = ApiError("timeout", "the leader did not answer in time")
        for id_, sent in list(self._sent.items()):
            sent.refuse(refusal, until_s=now_s - GRACE_S)
            if sent.over:
                del self._sent[id_]

    def close(self) -> None:
        """The member stops."""
        for sent in self._sent.values():
            sent.refuse(ApiError("outcome_unknown", "the member stops before the leader answered"))
        self._sent.clear()
