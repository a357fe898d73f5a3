"""Members asked and told over their peer listeners, by the addresses of their pods or processes.

A pod's own address, not its name: so an answer is surely that pod's, whatever DNS remembers.

Decides: how long a member is given, and that nothing is tried twice: the next pass looks again.
Must not know: what is asked for, or whether it may be.
Read next: orders.py.
"""

import asyncio
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self, TypeVar

import msgspec

from replog.client import ApiError, Unavailable
from replog.client.transport import Transport
from replog.wire.recovery import Survey
from replog.wire.schemas import ClusterStatus, Done, MayStop, Why

ASK_S: Final = 2.0
"""How long a member is given to say how it is; one that takes longer is taken to be silent."""
TELL_S: Final = 5.0
"""How long it is given to do something."""
ASKED_AT_ONCE: Final = 16
"""Questions under way at a time, for all logs together; more wait their turn."""

FENCE: Final = "/v1/cluster:fence"

_NOBODY: Final = "localhost:7411"
"""Who a transport would call if nobody were named; here somebody always is."""

T = TypeVar("T")


class Silent(NamedTuple):
    """A member gave no answer, or a refusal. why: one sentence."""

    why: str


class Asks(Protocol):
    """Who can ask members; whatever happens is an answer."""

    async def status(self, ip: str) -> ClusterStatus | Silent:
        """What the member knows of its cluster."""

    async def why(self, ip: str) -> Why | Silent:
        """What the member waits for."""

    async def may_stop(self, ip: str, member: str) -> MayStop | Silent:
        """Whether a member may be stopped now, as the leader sees it, whoever is asked."""

    async def survey(self, ip: str) -> Survey | Silent:
        """What the member has, and who fences it."""


class Nodes:
    """Use as `async with`; connections are kept between passes.

    ip: of a pod, where all listen at one port; else host:port of the listener.
    """

    def __init__(self, peer_port: int | None, token: str | None = None) -> None:
        """peer_port: where all listen; None if addresses name it. token: presented to all."""
        self._peer_port = peer_port
        self._transport = Transport([_NOBODY], token=token)
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._transport.close()

    async def status(self, ip: str) -> ClusterStatus | Silent:
        """What the member knows of its cluster."""
        return await self._ask(ip, "/v1/cluster", ClusterStatus)

    async def why(self, ip: str) -> Why | Silent:
        """What the member waits for."""
        return await self._ask(ip, "/v1/why", Why)

    async def may_stop(self, ip: str, member: str) -> MayStop | Silent:
        """Whether a member may be stopped now, as the leader sees it, whoever is asked."""
        return await self._ask(ip, f"/v1/cluster/members/{member}:may-stop", MayStop)

    async def survey(self, ip: str) -> Survey | Silent:
        """What the member has, and who fences it."""
        return await self._ask(ip, "/v1/cluster/survey", Survey)

    async def tell(self, ip: str, path: str, request: msgspec.Struct, timeout_s: float) -> Done:
        """Have the member do something, once.

        Raises ApiError (it refused), Unavailable (it did not answer; `outcome` says whether it may
        have been done).
        """
        body = msgspec.json.encode(request)
        async with self._turns:
            answer = await self._transport.tell(self._at(ip), path, body, timeout_s)
        if path == FENCE:  # answered by a survey, which the next pass asks for again
            survey = msgspec.json.decode(answer.body, type=Survey)
            return Done(done=True, detail=f"{survey.member} is fenced by {survey.fenced_by}")
        return msgspec.json.decode(answer.body, type=Done)

    def _at(self, ip: str) -> str:
        return ip if self._peer_port is None else address(ip, self._peer_port)

    async def _ask(self, ip: str, path: str, answer: type[T]) -> T | Silent:
        async with self._turns:
            try:
                found = await self._transport.ask(self._at(ip), path, ASK_S)
                return msgspec.json.decode(found.body, type=answer)
            except (ApiError, Unavailable) as problem:
                return Silent(problem.detail)
            except msgspec.MsgspecError as problem:  # of a version that says something else
                return Silent(f"an answer that this operator can't read: {problem}")


def address(ip: str, port: int) -> str:
    """host:port of a listener of the pod that has this address."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
