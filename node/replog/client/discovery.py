"""Who the members are now, asked in the background, so that a client outlives those it was given.

Decides: when to ask. Must not know: which member a call goes to (transport.py).
Read next: transport.py.
"""

import asyncio
from typing import Final, Protocol

from replog.client.failures import Unavailable
from replog.client.transport import Transport
from replog.wire.problems import ApiError
from replog.wire.schemas import ClusterStatus

EVERY_S: Final = 30.0
"""Between two questions; a membership change takes about as long as a new member needs to join."""


class Asked(Protocol):
    """What is needed of a client."""

    transport: Transport

    async def status(self, endpoint: str | None = None) -> ClusterStatus:
        """What some member knows of the cluster."""


class Discovery:
    """One task that asks; a question that fails is asked again at the next turn."""

    def __init__(self, client: Asked, *, every_s: float = EVERY_S) -> None:
        self._client = client
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Ask from now on."""
        self._task = asyncio.create_task(self._asking())

    async def end(self) -> None:
        """Ask no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _asking(self) -> None:
        while True:
            await self.ask()
            await asyncio.sleep(self._every_s)

    async def ask(self) -> bool:
        """Ask once; whether somebody knew."""
        try:
            known = await self._client.status()
        except (ApiError, Unavailable):
            return False
        found = [member.client_address for member in known.members if member.client_address]
        if found:
            self._client.transport.learn(found)
        return bool(found)
