"""Admin calls on their way: as a value, and sent to the leader and back.

Decides: how a call is sent on (once, with the time that is left) and how its answer returns.
Must not know: what a call does (admin.py).
Read next: admin.py, messages.py.
"""

from typing import Any, Final

import msgspec

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    Done,
    ProducerRequest,
    ProducerSession,
    TargetRequest,
    TransferRequest,
)
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import ForwardAdmin, ForwardAdminResult, telling, told
from replog_node.driver.once import Once
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId

Request = ProducerRequest | TargetRequest | TransferRequest

KINDS: Final[dict[str, tuple[type[Request], type[Done] | type[ProducerSession]]]] = {
    "allocate": (ProducerRequest, ProducerSession),
    "target": (TargetRequest, Done),
    "transfer": (TransferRequest, Done),
}
"""Name on the wire -> (request, result)."""

GRACE_S: Final = 0.5
"""How much longer than its time a call is waited for, so that the leader's word counts."""


class Call:
    """One admin call. deadline_s: monotonic; forwarded: another member sent it."""

    __slots__ = ("deadline_s", "forwarded", "reply", "request")

    def __init__(
        self, request: Request, reply: Reply[Any], *, deadline_s: float, forwarded: bool = False
    ) -> None:
        self.request = request
        self.reply = reply
        self.deadline_s = deadline_s
        self.forwarded = forwarded


class Calls:
    """Calls sent to the leader, and calls of others that are carried out here."""

    def __init__(self, kernel: Kernel, limits: DriverLimits) -> None:
        self._kernel = kernel
        self._limits = limits
        self._sent: dict[int, tuple[MemberId, str, Call]] = {}
        self._next_id = 0
        self._once = Once()
        self._refused = False

    @property
    def in_flight(self) -> int:
        """Calls sent on and not answered."""
        return len(self._sent)

    @property
    def full(self) -> bool:
        """Whether no more can be sent now."""
        return self._refused or len(self._sent) >= self._limits.admin_calls

    def send(self, leader: MemberId, call: Call) -> bool:
        """Send a call on; False: surely not sent."""
        kind = _kind(call.request)
        left_s = call.deadline_s - self._kernel.clock.monotonic_s()
        message = ForwardAdmin(
            sender=self._kernel.member,
            to=leader,
            incarnation=self._kernel.incarnation,
            id=self._next_id,
            budget_ms=max(1, int(left_s * 1000)),
            kind=kind,
            body=msgspec.json.encode(call.request),
        )
        if not self._kernel.network.send(leader, encode(message), bulk=True):
            return False
        self._sent[self._next_id] = (leader, kind, call)
        self._next_id += 1
        return True

    def received(self, message: ForwardAdmin) -> Call | None:
        """Another member's call, as one to be taken here.

        None if it came before, or if it is nonsense (which is refused).
        """
        if not self._once.first(message.sender, message.incarnation, message.id):
            return None
        types = KINDS.get(message.kind)

        def reply(result: Any) -> None:
            self._answer(message, result)

        if types is None:
            reply(ApiError("protocol_unsupported", f"no admin call is named {message.kind!r}"))
            return None
        try:
            request = msgspec.json.decode(message.body, type=types[0])
        except msgspec.MsgspecError as problem:
            reply(ApiError("json_invalid", f"a forwarded {message.kind} call: {problem}"))
            return None
        deadline_s = self._kernel.clock.monotonic_s() + message.budget_ms / 1000
        return Call(request, reply, deadline_s=deadline_s, forwarded=True)

    def _answer(self, message: ForwardAdmin, result: Any) -> None:
        refusal = telling(result) if isinstance(result, ApiError) else None
        reply = ForwardAdminResult(
            sender=self._kernel.member,
            to=message.sender,
            incarnation=self._kernel.incarnation,
            to_incarnation=message.incarnation,
            id=message.id,
            body=b"" if refusal is not None else msgspec.json.encode(result),
            refusal=refusal,
        )
        self._kernel.network.send(message.sender, encode(reply), bulk=True)

    def answered(self, message: ForwardAdminResult) -> Call | None:
        """The leader's word on a call.

        A call comes back when the member asked doesn't lead: it waits for the next leader, and is
        sent on at the next tick at the earliest.
        """
        leader, kind, call = self._sent.get(message.id, (None, "", None))
        if (
            call is None
            or message.sender != leader
            or message.to_incarnation != self._kernel.incarnation
        ):
            return None
        del self._sent[message.id]
        if message.refusal is not None and message.refusal.code == "not_leader":
            self._refused = True
            return call
        if message.refusal is not None:
            call.reply(told(message.refusal))
            return None
        try:
            call.reply(msgspec.json.decode(message.body, type=KINDS[kind][1]))
        except msgspec.MsgspecError as problem:
            call.reply(ApiError("outcome_unknown", f"the leader's answer doesn't parse: {problem}"))
        return None

    def lost(self, member: MemberId) -> None:
        """The connection to a member is gone."""
        self._give_up(
            [i for i, (leader, _, _) in self._sent.items() if leader == member],
            ApiError("outcome_unknown", "the connection to the leader broke"),
        )

    def expire(self, now_s: float) -> None:
        """Give up on calls whose time is over; called once a tick."""
        self._refused = False
        self._give_up(
            [i for i, (_, _, call) in self._sent.items() if call.deadline_s + GRACE_S <= now_s],
            ApiError("timeout", "the leader did not answer in time"),
        )

    def close(self) -> None:
        """The member stops."""
        self._give_up(
            list(self._sent),
            ApiError("outcome_unknown", "the member stops before the leader answered"),
        )

    def _give_up(self, ids: list[int], refusal: ApiError) -> None:
        for id_ in ids:
            _, _, call = self._sent.pop(id_)
            call.reply(refusal)


def _kind(request: Request) -> str:
    for name, (type_, _) in KINDS.items():
        if isinstance(request, type_):
            return name
    raise TypeError(f"no admin call is a {type(request).__name__}")
