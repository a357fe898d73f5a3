"""What the members say, asked once a pass, side by side.

Decides: what is asked, of whom. Must not know: what it means (observe.py).
Read next: ../members/nodes.py, observe.py.
"""

import asyncio
from collections.abc import Callable

import msgspec

from replog.client import ApiError, Unavailable
from replog.wire.schemas import ClusterStatus, Done, MayStop, Why
from replog_operator.local.said import Said
from replog_operator.local.settings import UpSettings
from replog_operator.members.nodes import ASK_S, Nodes
from replog_operator.planner.facts import leader_of


class LocalNodes(Nodes):
    """Members of this machine; failpoints stand around what they are told."""

    def __init__(self, token: str | None, reach: Callable[[str], None] = lambda _: None) -> None:
        super().__init__(None, token)
        self._reach = reach

    async def is_ready(self, client_address: str) -> bool:
        """Whether the member is in the configuration and has caught up since its start."""
        try:
            await self._transport.ask(client_address, "/readyz", ASK_S)
        except (ApiError, Unavailable):
            return False
        return True

    async def tell(self, ip: str, path: str, request: msgspec.Struct, timeout_s: float) -> Done:
        """As Nodes.tell."""
        verb = path.rpartition(":")[2]
        self._reach(f"before-{verb}")
        done = await super().tell(ip, path, request, timeout_s)
        self._reach(f"after-{verb}")
        return done


async def gather(
    nodes: LocalNodes, settings: UpSettings, ordinals: list[int], *, thorough: bool
) -> Said:
    """Ask the members of these ordinals; thorough: the leader also about each member's stop."""
    said, ready = await asyncio.gather(
        asyncio.gather(*(nodes.status(settings.peer_address(at)) for at in ordinals)),
        asyncio.gather(*(nodes.is_ready(settings.client_address(at)) for at in ordinals)),
    )
    answers = {
        at: answer
        for at, answer in zip(ordinals, said, strict=True)
        if isinstance(answer, ClusterStatus)
    }
    well = frozenset(at for at, is_ready in zip(ordinals, ready, strict=True) if is_ready)
    leader = leader_of(answers)
    if leader is None or not thorough:
        return Said(answers, well, leader)
    address = settings.peer_address(leader)
    ids = [member.id for member in answers[leader].members]
    *stops, why = await asyncio.gather(
        *(nodes.may_stop(address, member) for member in ids), nodes.why(address)
    )
    words = {
        member: stop for member, stop in zip(ids, stops, strict=True) if isinstance(stop, MayStop)
    }
    blockers = {wait.code: wait.evidence for wait in why.waits} if isinstance(why, Why) else {}
    return Said(answers, well, leader, words, blockers)
