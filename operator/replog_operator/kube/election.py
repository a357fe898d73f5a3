"""Holding the lease: looks at it, takes it, renews it, gives it up.

Every round is one read and at most one write. A renewal counts from the moment before its request
was sent, because the server may have done it right then; an answer that never came counts as none.

Decides: when a round is due, and what a failed one means (nothing, until the time is up).
Must not know: what is done under the lease.
Read next: lease.py, fence.py.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from replog.logs import Log
from replog_operator.kube.children.wanted import Object
from replog_operator.kube.fence import Clock, Deposed, Epoch, Fence
from replog_operator.kube.lease import (
    Lease,
    Renew,
    Seen,
    Take,
    Timing,
    Wait,
    decide,
    read,
    seen,
    written,
)
from replog_operator.kube.ports import Refused, Unanswered


class Leases(Protocol):
    """The lease at the API server. Each raises Refused, Unanswered (also after timeout_s)."""

    async def get(self, namespace: str, name: str, timeout_s: float) -> Object | None:
        """The lease; None if there is none."""

    async def put(self, lease: Object, timeout_s: float) -> Object:
        """Make it, or replace the version that it names."""


class Election:
    """One process that wants one lease. name: its namespace and name. looked: told of each look."""

    def __init__(
        self, leases: Leases, name: tuple[str, str], identity: str, fence: Fence, log: Log, *,
        clock: Clock, timing: Timing, looked: Callable[[], None],
    ) -> None:  # fmt: skip
        self._leases = leases
        self._name = name
        self._me = identity
        self._fence = fence
        self._log = log
        self._clock = clock
        self._timing = timing
        self._looked = looked
        self._above = 0
        self._seen: Seen | None = None

    @property
    def holder(self) -> str:
        """Who holds it, as last seen; empty: nobody."""
        lease = None if self._seen is None else self._seen.lease
        return "" if lease is None else lease.holder

    def rise_above(self, number: int) -> None:
        """A log has seen this number of our lease: the next renewal has a higher one."""
        self._above = max(self._above, number)

    async def win(self) -> Epoch:
        """Wait until the lease is ours; the fence is open then."""
        while True:
            epoch = await self._round()
            if epoch is not None:
                self._log.info("lease_acquired", transitions=epoch.number, identity=self._me)
                return epoch
            await asyncio.sleep(self._until_next_s())

    async def keep(self) -> None:
        """Renew it for ever. Raises Deposed once writes may not be sent any more."""
        while True:
            await asyncio.sleep(min(self._timing.every_s, max(0.0, self._fence.remaining_s())))
            self._fence.check()
            if await self._round() is None and self._lost():
                self._fence.close()
                raise Deposed(f"{self.holder or 'nobody'} holds the lease")

    async def release(self) -> None:
        """Give it up, so that another need not wait. Nothing may be written from here on."""
        self._fence.close()
        lease = None if self._seen is None else self._seen.lease
        if lease is None or lease.holder != self._me:
            return
        freed = self._object("", lease.transitions, lease.version)
        try:
            await self._leases.put(freed, self._timing.request_s)
            self._log.info("lease_released", transitions=lease.transitions)
        except (Refused, Unanswered) as problem:
            self._log.warning("lease_not_released", reason=str(problem))

    async def _round(self) -> Epoch | None:
        """One look and what it asks for; the epoch if the lease is ours now."""
        try:
            found = await self._leases.get(*self._name, self._timeout_s())
            self._see(None if found is None else read(found))
            return await self._act()
        except Refused as problem:
            if problem.status != 409:  # another was faster, which the next look shows
                self._log.warning("lease_refused", reason=str(problem))
        except Unanswered as problem:
            self._log.warning("lease_unanswered", reason=str(problem))
        return None

    def _see(self, lease: Lease | None) -> None:
        self._seen = seen(self._seen, lease, self._clock())
        self._looked()

    async def _act(self) -> Epoch | None:
        if self._seen is None:
            return None
        step = decide(self._me, self._seen, self._clock(), above=self._above)
        if isinstance(step, Wait) or (isinstance(step, Take) and self._holding()):
            return None  # a lease that was taken away from us is never taken back: see keep
        return await self._write(step)

    async def _write(self, step: Take | Renew) -> Epoch:
        sent_s = self._clock()
        wanted = self._object(self._me, step.transitions, step.version)
        stored = read(await self._leases.put(wanted, self._timeout_s()))
        self._see(stored)
        epoch = Epoch("/".join(self._name), stored.transitions, self._me)
        self._fence.extend(epoch, sent_s + self._timing.write_s)
        return epoch

    def _object(self, holder: str, transitions: int, version: str | None) -> Object:
        now = datetime.now(UTC)
        return written(self._name, holder, transitions, self._timing, now, version)

    def _holding(self) -> bool:
        return self._fence.remaining_s() > 0

    def _lost(self) -> bool:
        """Whether the last look showed another holder, or no lease at all."""
        lease = None if self._seen is None else self._seen.lease
        return lease is None or lease.holder != self._me

    def _timeout_s(self) -> float:
        """While it is held, no request outlives the time for which it is held."""
        remaining_s = self._fence.remaining_s()
        return (
            min(self._timing.request_s, remaining_s) if remaining_s > 0 else self._timing.request_s
        )

    def _until_next_s(self) -> float:
        if self._seen is None:
            return self._timing.every_s
        step = decide(self._me, self._seen, self._clock(), above=self._above)
        if isinstance(step, Wait):
            return min(self._timing.every_s, max(0.05, step.until_s - self._clock()))
        return self._timing.every_s
