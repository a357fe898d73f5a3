"""Clients that write down what they did, when they began and what they were told.

A session client sends numbered batches, several at a time, and repeats the same batch until it
knows its fate; a plain client never repeats; a reader asks for linearizable reads.

Decides: what clients do. Must not know: whether it was right (checks.py).
Read next: checks.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from replog.wire.batches import CheckedBatch, NewRecord, build_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerRequest, ProducerSession

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

TIMEOUT_S = 3.0


@dataclass
class Attempt:
    """An append: its unique value, when it began and ended, and how (in virtual µs)."""

    value: bytes
    began_us: int
    ended_us: int | None = None
    offset: int | None = None
    outcome: str = "unknown"
    session: str = ""
    told: list[int] = field(default_factory=list)


@dataclass
class ReadDone:
    """A linearizable read: when it began, and the end of the log that it was told."""

    began_us: int
    ended_us: int
    index: int
    node: str


class History:
    """Everything that clients did."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.reads: list[ReadDone] = []
        self.refusals: dict[str, int] = {}

    def refused(self, refusal: ApiError) -> None:
        """Count a refusal."""
        self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1


class Client(ABC):
    """What all clients share: a name, a member to talk to, and a pause between calls."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.count = 0
        self.stopped = False
        self._again()

    def _again(self) -> None:
        if not self.stopped:
            delay_us = self.world.clockwork.random.randint(1000, 60_000)
            self.world.clockwork.after(delay_us, self.act)

    @abstractmethod
    def act(self) -> None:
        """Do the next thing."""

    def someone(self) -> SimNode | None:
        """A member that runs."""
        alive = [node for node in self.world.nodes if node.driver is not None and not node.paused]
        return self.world.clockwork.random.choice(alive) if alive else None

    def value(self) -> bytes:
        """A value that nobody else writes."""
        self.count += 1
        return f"{self.name}-{self.count}".encode()

    def once(self, node: SimNode, answered: Any) -> Any:
        """A reply that counts only once, and as unknown if the member dies or stays silent."""
        done = False

        def reply(result: Any) -> None:
            nonlocal done
            if not done:
                done = True
                answered(result)

        def silent() -> None:
            reply(ApiError("outcome_unknown", "no answer"))

        self.world.clockwork.after(int((TIMEOUT_S + 1) * 1e6), silent)
        node.on_death(silent)
        return reply


def deadline_s(driver: Driver) -> float:
    """TIMEOUT_S from now."""
    return driver.clock.monotonic_s() + TIMEOUT_S


class Plain(Client):
    """Appends once and takes what comes."""

    def act(self) -> None:
        node = self.someone()
        if node is None or node.driver is None:
            self._again()
            return
        attempt = Attempt(self.value(), self.world.clockwork.now_us)
        self.world.history.attempts.append(attempt)

        def answered(result: Appended | ApiError) -> None:
            attempt.ended_us = self.world.clockwork.now_us
            if isinstance(result, Appended):
                attempt.outcome, attempt.offset = "applied", result.base_offset
                attempt.told.append(result.base_offset)
            else:
                attempt.outcome = outcome_of(result)
                self.world.history.refused(result)
            self._again()

        batch = build_batch([NewRecord(attempt.value)])
        node.driver.append(batch, self.once(node, answered), deadline_s=deadline_s(node.driver))
        node.flush_soon()


class Session(Client):
    """Appends within a producer session and repeats until it knows."""

    def __init__(self, world: World, name: str) -> None:
        self._session: ProducerSession | None = None
        self._sequence = 0
        self._open: Attempt | None = None
        self._batch: CheckedBatch | None = None
        super().__init__(world, name)

    def act(self) -> None:
        node = self.someone()
        if node is None or node.driver is None:
            self._again()
        elif self._session is None:
            self._allocate(node, node.driver)
        else:
            self._append(node, node.driver, self._session)

    def _allocate(self, node: SimNode, driver: Driver) -> None:
        def answered(result: ProducerSession | ApiError) -> None:
            if isinstance(result, ProducerSession):
                self._session, self._sequence = result, 0
            else:
                self.world.history.refused(result)
            self._again()

        driver.call(
            ProducerRequest(self.name), self.once(node, answered), deadline_s=deadline_s(driver)
        )
        node.flush_soon()

    def _append(self, node: SimNode, driver: Driver, session: ProducerSession) -> None:
        if self._open is None:
            self._open = Attempt(self.value(), self.world.clockwork.now_us, session=self.name)
            self.world.history.attempts.append(self._open)
            self._batch = build_batch(
                [NewRecord(self._open.value)],
                producer_id=session.producer_id,
                producer_epoch=session.epoch,
                base_sequence=self._sequence,
            )
        attempt, batch = self._open, self._batch
        if batch is None:
            raise AssertionError("an open attempt without its batch")

        def answered(result: Appended | ApiError) -> None:
            if isinstance(result, Appended):
                attempt.ended_us = self.world.clockwork.now_us
                attempt.outcome, attempt.offset = "applied", result.base_offset
                attempt.told.append(result.base_offset)
                self._open, self._sequence = None, self._sequence + 1
            else:
                self.world.history.refused(result)
                if result.code not in RETRIED:
                    raise AssertionError(f"{self.name} was told {result.code}: {result.detail}")
            self._again()

        driver.append(batch, self.once(node, answered), deadline_s=deadline_s(driver))
        node.flush_soon()


class Reader(Client):
    """Asks for linearizable reads, anywhere."""

    def act(self) -> None:
        node = self.someone()
        if node is None or node.driver is None:
            self._again()
            return
        began_us = self.world.clockwork.now_us
        driver = node.driver

        def answered(result: int | ApiError) -> None:
            if isinstance(result, ApiError):
                self.world.history.refused(result)
            else:
                now_us = self.world.clockwork.now_us
                seen = driver.applied.offset
                self.world.history.reads.append(ReadDone(began_us, now_us, seen, node.name))
            self._again()

        driver.read_index(self.once(node, answered), deadline_s=deadline_s(driver))
        node.flush_soon()


RETRIED = frozenset(
    {
        "no_leader", "not_leader", "not_ready", "transferring", "overloaded", "timeout",
        "outcome_unknown", "shutting_down", "superseded", "unassigned", "removed", "fenced",
    }
)  # fmt: skip
"""What a session client meets with the same batch again. Anything else is a fault of the system."""


def outcome_of(refusal: ApiError) -> str:
    """What the refusal says of the effect: none or unknown."""
    return refusal.outcome
