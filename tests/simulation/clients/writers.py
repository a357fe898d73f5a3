"""Clients that append.

A session client keeps several numbered batches under way, sends some of them to two members at
once, and repeats each until it knows its fate; a plain client sends bursts and never repeats.

Decides: what they append, and when again. Must not know: whether it was right (../oracles/).
Read next: askers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from replog.wire.batches import CheckedBatch, NewRecord, build_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerRequest, ProducerSession
from tests.simulation.clients.client import Client
from tests.simulation.clients.history import Attempt

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

WINDOW = 4
"""From a session's oldest open batch to its newest; the log remembers one more."""

BURST_MAX = 3

RETRIED = frozenset(
    {
        "no_leader", "not_leader", "not_ready", "transferring", "overloaded", "timeout",
        "outcome_unknown", "shutting_down", "superseded", "unassigned", "removed", "fenced",
        "sequence_gap", "disk_full",
    }
)  # fmt: skip
"""What a session client meets with the same batch again. Anything else is a fault of the system."""


class Plain(Client):
    """Appends bursts, each batch once, and takes what comes."""

    def act(self) -> None:
        node = self.someone()
        if node is not None:
            for _ in range(self.world.clockwork.random.randint(1, BURST_MAX)):
                self._one(node)
        self._again()

    def _one(self, node: SimNode) -> None:
        attempt = Attempt(self.values(), self.world.clockwork.now_us)
        self.world.history.attempts.append(attempt)

        def answered(result: Appended | ApiError) -> None:
            if isinstance(result, Appended):
                attempt.applied(result, self.world.clockwork.now_us)
            else:
                attempt.outcome = result.outcome
                self.world.history.refused(result)

        self.append(node, build_batch([NewRecord(value) for value in attempt.values]), answered)


class Numbered:
    """A batch of a session until its fate is known.

    number: its place among the session's batches; asked: members that haven't answered yet.
    """

    def __init__(self, number: int, attempt: Attempt, batch: CheckedBatch) -> None:
        self.number = number
        self.attempt = attempt
        self.batch = batch
        self.asked = 0


class Session(Client):
    """Appends within a producer session, several at a time, and repeats until it knows."""

    def __init__(self, world: World, name: str) -> None:
        self._session: ProducerSession | None = None
        self._sequence = 0
        self._open: list[Numbered] = []
        super().__init__(world, name)

    def act(self) -> None:
        random = self.world.clockwork.random
        if self._session is None or random.random() < 0.02:
            self._allocate()
        else:
            while self._may_open() and random.random() < 0.7:
                self._open.append(self._next(self._session))
            self._send()
        self._again()

    def _may_open(self) -> bool:
        return not self._open or self.count + 1 - self._open[0].number < WINDOW

    def _allocate(self) -> None:
        node = self.someone()
        if node is None:
            return

        def answered(result: ProducerSession | ApiError) -> None:
            if isinstance(result, ApiError):
                self.world.history.refused(result)
            elif self._session is None:
                self._session = result
            elif replace(result, epoch=self._session.epoch) != self._session:
                raise AssertionError(f"{self.name} got {result} after {self._session}")

        request, reply = ProducerRequest(self.name), self.once(node, answered)
        deadline_s = self.deadline_s(node)
        node.do(lambda driver: driver.call(request, reply, deadline_s=deadline_s))

    def _next(self, session: ProducerSession) -> Numbered:
        attempt = Attempt(self.values(), self.world.clockwork.now_us, session=self.name)
        self.world.history.attempts.append(attempt)
        batch = build_batch(
            [NewRecord(value) for value in attempt.values],
            producer_id=session.producer_id,
            producer_epoch=session.epoch,
            base_sequence=self._sequence,
        )
        self._sequence += len(attempt.values)
        return Numbered(self.count, attempt, batch)

    def _send(self) -> None:
        """Send what nobody is asked for, in order, to one member; now and then to two at once."""
        waiting = [numbered for numbered in self._open if not numbered.asked]
        copies = 2 if self.world.clockwork.random.random() < 0.1 else 1
        for _ in range(copies if waiting else 0):
            node = self.someone()
            if node is not None:
                for numbered in waiting:
                    self._ask(node, numbered)

    def _ask(self, node: SimNode, numbered: Numbered) -> None:
        numbered.asked += 1

        def answered(result: Appended | ApiError) -> None:
            numbered.asked -= 1
            if isinstance(result, Appended):
                numbered.attempt.applied(result, self.world.clockwork.now_us)
                if numbered in self._open:
                    self._open.remove(numbered)
                return
            self.world.history.refused(result)
            if numbered in self._open and result.code not in RETRIED:
                raise AssertionError(f"{self.name} was told {result.code}: {result.detail}")

        self.append(node, numbered.batch, answered)
