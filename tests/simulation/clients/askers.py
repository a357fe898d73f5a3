"""Clients that ask for more: appends with a condition, and what became of an unknown outcome.

Decides: what these clients do. Must not know: whether it was right (../oracles/).
Read next: writers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from replog.wire.batches import NewRecord, build_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerResolved, ProducerSession
from replog_node.driver.calls import Resolve
from tests.simulation.clients.client import Client
from tests.simulation.clients.history import Attempt
from tests.simulation.clients.writers import RETRIED, Numbered, Session

if TYPE_CHECKING:
    from tests.simulation.world import World


class Conditional(Client):
    """Appends only behind the record that it believes to be the last; refusals tell it which is."""

    def __init__(self, world: World, name: str) -> None:
        self._believed = -1
        super().__init__(world, name)

    def act(self) -> None:
        self._one()
        self._again()

    def _one(self) -> None:
        node = self.someone()
        if node is None:
            return
        attempt = Attempt(self.values(), self.world.clockwork.now_us, behind=self._believed)
        self.world.history.attempts.append(attempt)

        def answered(result: Appended | ApiError) -> None:
            if isinstance(result, Appended):
                attempt.applied(result, self.world.clockwork.now_us)
                self._believed = result.last_offset
                return
            attempt.outcome = result.outcome
            self.world.history.refused(result)
            if result.code == "last_record_mismatch":
                last = result.extra["last_record"]
                self._believed = -1 if last is None else last
                attempt.instead = self._believed
                attempt.refused_us = self.world.clockwork.now_us
                if not self.stopped and self.world.clockwork.random.random() < 0.7:
                    self.world.clockwork.after(0, self._one)

        batch = build_batch([NewRecord(value) for value in attempt.values])
        self.append(node, replace(batch, if_last_record=attempt.behind), answered)


class Resolver(Session):
    """A session that now and then asks what became of its epoch, and goes on in the next one."""

    def __init__(self, world: World, name: str) -> None:
        self._of_epoch: list[Numbered] = []
        self._resolving = False
        super().__init__(world, name)

    def act(self) -> None:
        if self._session is None:
            super().act()
            return
        if self._open and self.world.clockwork.random.random() < 0.05:
            self._resolving = True
            self._open = []  # whatever is answered from now on, the fence has the last word
        if self._resolving:
            self._resolve(self._session)
            self._again()
        else:
            super().act()

    def _next(self, session: ProducerSession) -> Numbered:
        numbered = super()._next(session)
        self._of_epoch.append(numbered)
        return numbered

    def _resolve(self, session: ProducerSession) -> None:
        node = self.someone()
        if node is None:
            return

        def answered(result: ProducerResolved | ApiError) -> None:
            if self._session != session:
                return  # an earlier call has told it
            if isinstance(result, ApiError):
                self.world.history.refused(result)
                if result.code not in RETRIED:
                    raise AssertionError(f"{self.name} was told {result.code}: {result.detail}")
                return
            self._learn(result)
            self._session = replace(session, epoch=result.epoch)

        request, reply = Resolve(session.producer_id, session.epoch), self.once(node, answered)
        deadline_s = self.deadline_s(node)
        node.do(lambda driver: driver.call(request, reply, deadline_s=deadline_s))
        if self.world.clockwork.random.random() < 0.5:
            self._ask(node, self._next(session))  # on the heels of the fence: mostly too late

    def _learn(self, result: ProducerResolved) -> None:
        """Everything of the epoch has a known fate now, and of its last batch the place too."""
        last_sequence = -1 if result.last_sequence is None else result.last_sequence
        for numbered in self._of_epoch:
            batch = numbered.batch
            last = batch.base_sequence + batch.count - 1
            numbered.attempt.resolved = last <= last_sequence
            if last == last_sequence and result.last_offset is not None:
                base = result.last_offset - batch.count + 1
                found = Appended(base, result.last_offset, batch.count, 0)
                numbered.attempt.applied(found, self.world.clockwork.now_us)
        self.world.history.resolved += 1
        self._of_epoch, self._sequence, self._resolving = [], 0, False
