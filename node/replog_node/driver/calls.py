"""Admin calls on their way: as a value, and sent to the leader and back.

Decides: how a call is sent on (once, with the time that is left) and how its answer returns.
Must not know: what a call does (admin.py).
Read next: outstanding.py, admin.py, messages.py.
"""

from typing import Any, Final

import msgspec

from replog.wire.problems import ApiError
from replog.wire.schemas import (
    Done,
    LevelRequest,
    MayStop,
    ProducerRequest,
    ProducerResolved,
    ProducerSession,
    SnapshotRequest,
    TargetPlan,
    TargetRequest,
    TransferRequest,
    TrimRequest,
)
from replog_node.driver.answers import Reply
from replog_node.driver.kernel import Kernel
from replog_node.driver.limits import DriverLimits
from replog_node.driver.messages import ForwardAdmin, ForwardAdminResult, telling, told
from replog_node.driver.once import Once
from replog_node.driver.outstanding import Outstanding
from replog_node.driver.wire import encode
from replog_node.model.positions import MemberId


class Resolve(msgspec.Struct, frozen=True):
    """A ResolveRequest with the producer that its path names."""

    producer_id: int
    epoch: int


class Plan(msgspec.Struct, frozen=True):
    """What a target would do; see TargetRequest.dry_run."""

    target: TargetRequest


class StopQuestion(msgspec.Struct, frozen=True):
    """Whether a member may be stopped now."""

    member: str


Question = Plan | StopQuestion
"""Answered from what the leader knows; nothing is appended."""

Request = (
    ProducerRequest
    | Resolve
    | TargetRequest
    | TransferRequest
    | LevelRequest
    | TrimRequest
    | SnapshotRequest
    | Question
)
Result = Done | ProducerSession | ProducerResolved | TargetPlan | MayStop

KINDS: Final[dict[str, tuple[type[Request], type[Result]]]] = {
    "allocate": (ProducerRequest, ProducerSession),
    "target": (TargetRequest, Done),
    "transfer": (TransferRequest, Done),
    "raise-feature-level": (LevelRequest, Done),
    "trim": (TrimRequest, Done),
    "snapshot": (SnapshotRequest, Done),
    "resolve": (Resolve, ProducerResolved),
    "plan": (Plan, TargetPlan),
    "may-stop": (StopQuestion, MayStop),
}
"""Name on the wire -> (request, result)."""


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
        self._once = Once()
        self.outstanding: Outstanding[Call] = Outstanding(kernel, limits.admin_calls)

    def send(self, leader: MemberId, call: Call) -> bool:
        """Send a call on; False: surely not sent."""
        message = ForwardAdmin(
            sender=self._kernel.member,
            to=leader,
            incarnation=self._kernel.incarnation,
            id=self.outstanding.next_id,
            budget_ms=self.outstanding.budget_ms(call.deadline_s),
            kind=_kind(call.request),
            body=msgspec.json.encode(call.request),
        )
        return self.outstanding.send(message, [call])

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

        A call comes back when the member asked doesn't lead: it waits for the next leader.
        """
        for call in self.outstanding.answered(message, 1):
            if call is not None and _asked_the_wrong_one(message):
                self.outstanding.paused = True
                return call
            if call is not None:
                call.reply(_told(call, message))
        return None


def _asked_the_wrong_one(message: ForwardAdminResult) -> bool:
    return message.refusal is not None and message.refusal.code == "not_leader"


def _told(call: Call, message: ForwardAdminResult) -> Result | ApiError:
    if message.refusal is not None:
        return told(message.refusal)
    try:
        return msgspec.json.decode(message.body, type=KINDS[_kind(call.request)][1])
    except msgspec.MsgspecError as problem:
        return ApiError("outcome_unknown", f"the leader's answer doesn't parse: {problem}")


def _kind(request: Request) -> str:
    for name, (type_, _) in KINDS.items():
        if isinstance(request, type_):
            return name
    raise TypeError(f"no admin call is a {type(request).__name__}")
