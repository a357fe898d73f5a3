"""Addresses without names: asked who is there, as long as somebody is missing.

Both sides of such a connection introduce themselves and hang up, so each learns the other's id and
addresses; members then dial each other by id.

Decides: how often. Must not know: who is missing, and why.
Read next: peers.py.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from random import Random
from typing import Final

import aiohttp

from replog_node.adapters.hello import Accept, HelloAnswer, HelloError, judge_answer
from replog_node.adapters.links import CONTROL_PATH, DIAL_S, Dialer

ROUND_FIRST_S: Final = 0.5
ROUND_MOST_S: Final = 15.0
"""Between two rounds: doubled each time, drawn between half of it and the whole, and begun anew
once nobody is missing."""


class Seeds:
    """The seeds of one member, asked until close()."""

    def __init__(
        self,
        addresses: Sequence[str],
        dialer: Dialer,
        missing: Callable[[], bool],
        introduced: Callable[[HelloAnswer], None],
        failed: Callable[[BaseException], None],
        random: Random,
    ) -> None:
        """missing: whether somebody is. introduced: told who was found."""
        self._addresses = addresses
        self._dialer = dialer
        self._missing = missing
        self._introduced = introduced
        self._failed = failed
        self._random = random
        self._task = asyncio.get_running_loop().create_task(self._run(), name="seeds")
        self._task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Ask nobody any more."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    def _ended(self, task: "asyncio.Task[None]") -> None:
        problem = None if task.cancelled() else task.exception()
        if problem is not None:
            self._failed(problem)

    async def _run(self) -> None:
        wait_s = ROUND_FIRST_S
        while True:
            await asyncio.sleep(wait_s * self._random.uniform(0.5, 1.0))
            if not self._missing():
                wait_s = ROUND_FIRST_S
                continue
            wait_s = min(2 * wait_s, ROUND_MOST_S)
            for address in self._addresses:
                answer = await self._ask(address)
                if answer is not None:
                    self._introduced(answer)

    async def _ask(self, address: str) -> HelloAnswer | None:
        """Who is there, if it is somebody of this cluster or of none."""
        try:
            async with asyncio.timeout(DIAL_S), AsyncExitStack() as stack:
                socket = await self._dialer.open(stack, address, CONTROL_PATH)
                hello = self._dialer.greeting(None)
                answer = await self._dialer.greet(socket, hello)
        except (aiohttp.ClientError, OSError, HelloError):
            return None  # nobody there, or nobody of ours: the next round asks again
        return answer if isinstance(judge_answer(hello, answer), Accept) else None
