"""Workers that take keys off the queue: as many passes at a time as there are workers.

Decides: what a pass that raised means (it failed, and is tried again), and that a pass has an end.
Must not know: what a pass does.
Read next: workqueue.py, reconcile.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from replog.logs import Log
from replog_operator.kube.fence import Clock, Deposed
from replog_operator.kube.workqueue import Key, Queue

PASS_S: Final = 120.0
"""A pass that takes longer is broken off and counts as failed; each call within has its own end."""

Pass = Callable[[Key], Awaitable[float | None]]
"""One look at a log; how many seconds until the next one, or None: there is no such log."""


class Workers:
    """Passes over the keys of one queue. Everything happens on one event loop."""

    def __init__(self, run: Pass, log: Log, clock: Clock) -> None:
        self._run = run
        self._log = log
        self._clock = clock
        self._queue = Queue()
        self._news = asyncio.Event()
        self._ended = asyncio.Event()
        self._running: dict[Key, float] = {}
        self._draining = False

    def look(self, key: Key, *, after_s: float | None = None) -> None:
        """Have a log looked at soon."""
        now_s = self._clock()
        added = self._queue.add(key, now_s, **({} if after_s is None else {"after_s": after_s}))
        if not added:
            self._log.warning("log_not_served", namespace=key.namespace, name=key.name)
        self._news.set()

    def logs(self) -> int:
        """How many logs there are."""
        return len(self._queue)

    def running(self) -> dict[Key, float]:
        """The passes under way, each with the moment of its begin."""
        return dict(self._running)

    async def drain(self, timeout_s: float) -> bool:
        """Begin no pass any more; True once none is under way, False after that time."""
        self._draining = True
        self._news.set()
        try:
            async with asyncio.timeout(timeout_s):
                while self._running:
                    self._ended.clear()
                    await self._ended.wait()
        except TimeoutError:
            return False
        return True

    async def work(self) -> None:
        """Be one worker until `drain`. Raises Deposed."""
        while not self._draining:
            key = self._queue.take(self._clock())
            if key is None:
                await self._sleep()
            else:
                await self._pass(key)

    async def _sleep(self) -> None:
        """Until the next key is due, or one was added."""
        self._news.clear()
        next_s = self._queue.next_s()
        wait_s = None if next_s is None else max(0.0, next_s - self._clock())
        try:
            async with asyncio.timeout(wait_s):
                await self._news.wait()
        except TimeoutError:
            return

    async def _pass(self, key: Key) -> None:
        self._running[key] = self._clock()
        try:
            async with asyncio.timeout(PASS_S):
                after_s = await self._run(key)
        except Deposed:
            raise
        except Exception as problem:  # noqa: BLE001 - a log's fault must not stop the others
            self._failed(key, problem)
        else:
            self._done(key, after_s)
        finally:
            del self._running[key]
            self._ended.set()
            self._news.set()

    def _done(self, key: Key, after_s: float | None) -> None:
        if after_s is None:
            self._queue.gone(key, self._clock())
        else:
            self._queue.done(key, self._clock(), after_s=after_s)

    def _failed(self, key: Key, problem: Exception) -> None:
        wait_s = self._queue.failed(key, self._clock())
        log = self._log.bind(namespace=key.namespace, name=key.name)
        log.error("pass_failed", error=problem, again_s=wait_s)
