"""Appends that another member leads: sent on in groups, once, with the time that is left.

The follower's side keeps what it sent until the leader answers (outstanding.py). The leader's side
answers a group when its last batch is answered.

Decides: what is sent on and how an answer becomes the callers'.
Must not know: admission. Read next: outstanding.py, appends.py, messages.py.
"""

from collections.abc import Callable

from msgspec.structs import replace

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
from replog_node.driver.outstanding import Outstanding
from replog_node.driver.ports import ObserverPort
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId


class Forwards:
    """Both sides of forwarding."""

    def __init__(
        self, kernel: Kernel, appends: Appends, observer: ObserverPort, limits: DriverLimits
    ) -> None:
        self._kernel = kernel
        self._appends = appends
        self._observer = observer
        self._limits = limits
        self._serving = 0
        self._once = Once()
        self.outstanding: Outstanding[Waiting] = Outstanding(kernel, limits.forwards)

    def flush(self) -> None:
        """Send what waits to the leader, if there is one elsewhere."""
        leader = self._kernel.leader
        if leader is None or leader == self._kernel.member:
            return
        while self._appends.waiting and not self.outstanding.full:
            group = self._appends.take_group()
            if not self._send(leader, group):
                self._appends.put_back(group)
                return

    def _send(self, leader: MemberId, group: list[Waiting]) -> bool:
        message = ForwardAppends(
            sender=self._kernel.member,
            to=leader,
            incarnation=self._kernel.incarnation,
            id=self.outstanding.next_id,
            budget_ms=self.outstanding.budget_ms(max(w.deadline_s for w in group)),
            batches=tuple(waiting.batch.data for waiting in group),
            conditions=_conditions(group),
        )
        if not self.outstanding.send(message, group):
            return False
        self._observer.forwarded(len(group))
        return True

    def answered(self, message: ForwardResults) -> None:
        """The leader's word on a group.

        What a member refused because it doesn't lead waits, within its time, for the next leader.
        """
        again: list[Waiting] = []
        group = self.outstanding.answered(message, len(message.results))
        for waiting, result in zip(group, message.results, strict=False):
            if waiting is None:
                continue
            if _asked_the_wrong_one(result):
                again.append(waiting)
            else:
                waiting.reply(_told(result))
        if again:
            self.outstanding.paused = True
            self._appends.put_back(again)

    def serve(self, message: ForwardAppends) -> None:
        """Carry out another member's group, if this member leads; the same group only once."""
        if len(message.conditions) not in (0, len(message.batches)):
            return  # nonsense: nobody who keeps the protocol sends it
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
        conditions = message.conditions or (None,) * len(message.batches)
        for place, (data, condition) in enumerate(zip(message.batches, conditions, strict=True)):
            batch = _checked(data, condition)
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


def _conditions(group: list[Waiting]) -> tuple[int | None, ...]:
    found = tuple(waiting.batch.if_last_record for waiting in group)
    return () if all(condition is None for condition in found) else found


def _checked(data: bytes, condition: int | None) -> CheckedBatch | ApiError:
    try:
        batch = recheck_batch(data)
        return batch if condition is None else replace(batch, if_last_record=condition)
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
