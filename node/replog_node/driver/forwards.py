"""Appends that another member leads: sent on in groups, once, with the time that is left.

The follower's side keeps what it sent until the leader answers; a group whose connection broke has
an unknown outcome and is never sent again. The leader's side answers a group when its last batch
is answered.

Decides: what is sent on and how an answer becomes the callers'.
Must not know: admission. Read next: appends.py, messages.py.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from replog.wire.batches import CheckedBatch, recheck_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended
from replog_node.driver.appends import Appends, Waiting
from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import (
    ForwardAppends,
    ForwardedAppended,
    ForwardedRefusal,
    ForwardResults,
    telling,
    told,
)
from replog_node.driver.once import Once
from replog_node.driver.ports import ObserverPort
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId

GRACE_S: Final = 0.5
"""How much longer than its time a batch is waited for: the leader's word counts."""


class Sent:
    """A group on its way to the leader. A place is None once its caller has heard."""

    __slots__ = ("group", "leader")

    def __init__(self, leader: MemberId, group: list[Waiting]) -> None:
        self.leader = leader
        self.group: list[Waiting | None] = list(group)

    def refuse(self, refusal: ApiError, *, until_s: float = inf) -> None:
        """Refuse those whose time ends by then; without a time, all."""
        for place, waiting in enumerate(self.group):
            if waiting is not None and waiting.deadline_s <= until_s:
                self.group[place] = None
                waiting.reply(refusal)

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return not any(self.group)


class Forwards:
    """Both sides of forwarding."""

    def __init__(
        self, kernel: Kernel, appends: Appends, observer: ObserverPort, limits: DriverLimits
    ) -> None:
        self._kernel = kernel
        self._appends = appends
        self._observer = observer
        self._limits = limits
        self._sent: dict[int, Sent] = {}
        self._next_id = 0
        self._serving = 0
        self._once = Once()
        self._refused = False

    @property
    def in_flight(self) -> int:
        """Batches sent on and not answered."""
        return sum(w is not None for sent in self._sent.values() for w in sent.group)

    def flush(self) -> None:
        """Send what waits to the leader, if there is one elsewhere."""
        leader = self._kernel.leader
        if leader is None or leader == self._kernel.member or self._refused:
            return
        while self._appends.waiting and len(self._sent) < self._limits.forwards:
            group = self._appends.take_group()
            if not self._send(leader, group):
                self._appends.put_back(group)
                return

    def _send(self, leader: MemberId, group: list[Waiting]) -> bool:
        now_s = self._kernel.clock.monotonic_s()
        deadline_s = max(waiting.deadline_s for waiting in group)
        message = ForwardAppends(
            sender=self._kernel.member,
            to=leader,
            incarnation=self._kernel.incarnation,
            id=self._next_id,
            budget_ms=max(1, int((deadline_s - now_s) * 1000)),
            batches=tuple(waiting.batch.data for waiting in group),
        )
        if not self._kernel.network.send(leader, encode(message), bulk=True):
            return False
        self._sent[self._next_id] = Sent(leader, group)
        self._next_id += 1
        self._observer.forwarded(len(group))
        return True

    def answered(self, message: ForwardResults) -> None:
        """The leader's word on a group; of another incarnation's group, nothing.

        What a member refused because it doesn't lead waits, within its time, for the next leader;
        it is sent on at the next tick at the earliest.
        """
        sent = self._sent.get(message.id)
        if (
            sent is None
            or message.sender != sent.leader
            or message.to_incarnation != self._kernel.incarnation
            or len(message.results) != len(sent.group)
        ):
            return
        del self._sent[message.id]
        again: list[Waiting] = []
        for waiting, result in zip(sent.group, message.results, strict=True):
            if waiting is None:
                continue
            if _asked_the_wrong_one(result):
                again.append(waiting)
            else:
                waiting.reply(_told(result))
        if again:
            self._refused = True
            self._appends.put_back(again)

    def lost(self, member: MemberId) -> None:
        """The connection to a member is gone: what it had of us may or may not have happened."""
        for id_, sent in list(self._sent.items()):
            if sent.leader == member:
                del self._sent[id_]
                sent.refuse(ApiError("outcome_unknown", "the connection to the leader broke"))

    def expire(self, now_s: float) -> None:
        """Give up on batches whose time is over; called once a tick."""
        self._refused = False
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

    def serve(self, message: ForwardAppends) -> None:
        """Carry out another member's group, if this member leads; the same group only once."""
        if not message.batches or not self._once.first(
            message.sender, message.incarnation, message.id
        ):
            return
        collect = Collected(len(message.batches), lambda results: self._reply(message, results))
        refusal = self._cannot_serve()
        self._serving += 1
        if refusal is not None:
            collect.refuse_all(refusal)
            return
        now_s = self._kernel.clock.monotonic_s()
        for place, data in enumerate(message.batches):
            batch = _checked(data)
            if isinstance(batch, ApiError):
                collect.put(place, batch)
                continue
            self._appends.take(
                Waiting(
                    batch, collect.reply_at(place), arrived_s=now_s,
                    deadline_s=now_s + message.budget_ms / 1000, forwarded=True,
                )
            )  # fmt: skip

    def _cannot_serve(self) -> ApiError | None:
        if not self._kernel.leading:
            return ApiError("not_leader", "the member asked does not lead")
        if self._serving >= self._limits.served_forwards:
            return ApiError("overloaded", f"{self._serving} groups are being carried out")
        return None

    def _reply(self, message: ForwardAppends, results: list[Appended | ApiError]) -> None:
        self._serving -= 1
        reply = ForwardResults(
            sender=self._kernel.member,
            to=message.sender,
            incarnation=self._kernel.incarnation,
            to_incarnation=message.incarnation,
            id=message.id,
            results=tuple(map(_telling, results)),
        )
        self._kernel.network.send(message.sender, encode(reply), bulk=True)


class Collected:
    """The answers of one group; `done` is called with all of them once the last is there."""

    def __init__(self, count: int, done: Callable[[list[Appended | ApiError]], None]) -> None:
        self._results: list[Appended | ApiError | None] = [None] * count
        self._missing = count
        self._done = done

    def put(self, place: int, result: Appended | ApiError) -> None:
        """One batch is answered."""
        self._results[place] = result
        self._missing -= 1
        if self._missing == 0:
            self._done([result for result in self._results if result is not None])

    def reply_at(self, place: int) -> Callable[[Appended | ApiError], None]:
        """The reply of the batch at this place."""
        return lambda result: self.put(place, result)

    def refuse_all(self, refusal: ApiError) -> None:
        """Answer every batch alike."""
        for place in range(len(self._results)):
            self.put(place, refusal)


def _checked(data: bytes) -> CheckedBatch | ApiError:
    try:
        return recheck_batch(data)
    except ApiError as refusal:
        return refusal


def _telling(result: Appended | ApiError) -> ForwardedAppended | ForwardedRefusal:
    if isinstance(result, ApiError):
        return telling(result)
    return ForwardedAppended(result.base_offset, result.last_offset, result.term, result.duplicate)


def _told(result: ForwardedAppended | ForwardedRefusal) -> Appended | ApiError:
    if isinstance(result, ForwardedRefusal):
        return told(result)
    count = result.last_offset - result.base_offset + 1
    return Appended(
        result.base_offset, result.last_offset, count, result.term, duplicate=result.duplicate
    )


def _asked_the_wrong_one(result: ForwardedAppended | ForwardedRefusal) -> bool:
    """Whether nothing happened but that the leader has changed meanwhile."""
    return isinstance(result, ForwardedRefusal) and result.code == "not_leader"
