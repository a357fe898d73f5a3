"""Carries out the steps of bootstrap.py over the members' peer listeners.

Decides: how long to pause between two looks. Must not know: processes.
Read next: bootstrap.py.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from replog.client import ApiError, Client, Unavailable
from replog.wire.schemas import BootstrapRequest, ClusterStatus, TargetRequest
from replog_operator.local.bootstrap import (
    Found,
    Joined,
    SetTarget,
    Step,
    Stuck,
    Wait,
    next_step,
)

PAUSE_S: Final = 0.1
LOOK_S: Final = 1.0
"""How long a member is given to say how it is."""
CALL_S: Final = 5.0
_JSON: Final = {"Content-Type": "application/json"}


class JoiningFailed(Exception):
    """The members can't become one log without a human; the message says why."""


async def look(client: Client, endpoints: Sequence[str]) -> list[ClusterStatus | None]:
    """What each of these listeners says of its member; None without an answer."""
    return list(await asyncio.gather(*(_ask(client, endpoint) for endpoint in endpoints)))


async def _ask(client: Client, endpoint: str) -> ClusterStatus | None:
    try:
        answer = await client.transport.ask(endpoint, "/v1/cluster", LOOK_S)
    except (ApiError, Unavailable):
        return None
    return msgspec.json.decode(answer.body, type=ClusterStatus)


async def join(addresses: Sequence[str], token: str | None, tell: Callable[[str], None]) -> Joined:
    """Make one log of the members behind these peer listeners; returns once it takes appends.

    tell: is told each step once. Raises JoiningFailed.
    """
    told = ""
    async with Client(addresses, token=token) as client:
        while True:
            step = next_step(await look(client, addresses), addresses)
            said = _words(step)
            if said != told:
                told = said
                tell(said)
            match step:
                case Joined():
                    return step
                case Stuck(why=why):
                    raise JoiningFailed(why)
                case _:
                    await _take(step, addresses, token, tell)
            await asyncio.sleep(PAUSE_S)


def _words(step: Step) -> str:
    match step:
        case Found():
            return "all members are new: member-0 founds the log"
        case SetTarget(members=members):
            return f"asking for {len(members)} members"
        case Joined(leader=leader):
            return f"ready: member-{leader} leads"
        case Wait(why=why) | Stuck(why=why):
            return why


async def _take(
    step: Step, addresses: Sequence[str], token: str | None, tell: Callable[[str], None]
) -> None:
    """Take the step; a refusal is told, and the next look shows what became of it."""
    try:
        match step:
            case Found():
                request = BootstrapRequest(str(uuid.uuid4()), str(uuid.uuid4()))
                await _post(addresses[0], "/v1/cluster:bootstrap", request, token)
            case SetTarget(leader=leader, members=members, planned_from=planned_from):
                target = TargetRequest(list(members), str(uuid.uuid4()), planned_from)
                await _post(addresses[leader], "/v1/cluster:target", target, token)
    except (ApiError, Unavailable) as problem:
        tell(f"not yet: {problem.detail}")


async def _post(address: str, path: str, request: msgspec.Struct, token: str | None) -> None:
    async with Client([address], token=token) as client:
        body = msgspec.json.encode(request)
        await client.transport.call("POST", path, body=body, headers=_JSON, timeout_s=CALL_S)
