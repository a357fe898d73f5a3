"""Clients that write down what they did, when they began and what they were told.

A session client keeps several numbered batches under way, sends some of them to two members at
once, and repeats each until it knows its fate; a plain client sends bursts and never repeats; a
reader asks for linearizable reads anywhere and reads what lies below.

Decides: what clients do. Must not know: whether it was right (checks.py).
Read next: checks.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from replog.wire.batches import CheckedBatch, NewRecord, build_batch
from replog.wire.problems import ApiError
from replog.wire.schemas import Appended, ProducerRequest, ProducerSession
from replog_node.model.positions import Offset

if TYPE_CHECKING:
    from replog_node.driver.driver import Driver
    from replog_node.model.entries import Entry
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

TIMEOUT_S = 3.0
WINDOW = 4
"""From a session's oldest open batch to its newest; the log remembers one more."""

RECORDS_MAX = 3
BURST_MAX = 3
PAUSE_US = 100_000


@dataclass
class Attempt:
    """An append: its unique values, when it began and ended, and how (in virtual µs).

    behind: the last record that it was to follow directly (-1: none); resolved: whether it
    happened, as the answer to that question says.
    """

    values: tuple[bytes, ...]
    began_us: int
    ended_us: int | None = None
    offset: int | None = None
    outcome: str = "unknown"
    session: str = ""
    behind: int | None = None
    resolved: bool | None = None
    told: list[int] = field(default_factory=list)

    def applied(self, result: Appended, now_us: int) -> None:
        """It was acknowledged; the first acknowledgement is when it ended."""
        self.told.append(result.base_offset)
        if self.outcome != "applied":
            self.outcome, self.offset, self.ended_us = "applied", result.base_offset, now_us

    @property
    def last(self) -> int:
        """The last offset that it was told."""
        return -1 if self.offset is None else self.offset + len(self.values) - 1


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
        self.pages = 0
        self.resolved = 0
        self.refusals: dict[str, int] = {}

    def refused(self, refusal: ApiError) -> None:
        """Count a refusal."""
        self.refusals[refusal.code] = self.refusals.get(refusal.code, 0) + 1

    @property
    def applied(self) -> int:
        """How many appends were acknowledged."""
        return sum(attempt.outcome == "applied" for attempt in self.attempts)


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
            delay_us = self.world.clockwork.random.randint(PAUSE_US // 10, 2 * PAUSE_US)
            self.world.clockwork.after(delay_us, self.act)

    @abstractmethod
    def act(self) -> None:
        """Do the next thing."""

    def someone(self) -> SimNode | None:
        """A member whose process runs; a paused one hears calls only later, as a real one would.

        Those that belong to no cluster are asked now and then only.
        """
        random = self.world.clockwork.random
        alive = [node for node in self.world.nodes if node.driver is not None]
        if random.random() < 0.95:
            alive = [
                n for n in alive if n.driver is not None and n.driver.membership.refusal() is None
            ]
        return random.choice(alive) if alive else None

    def values(self) -> tuple[bytes, ...]:
        """Values that nobody else writes."""
        self.count += 1
        records = self.world.clockwork.random.randint(1, RECORDS_MAX)
        return tuple(f"{self.name}-{self.count}-{n}".encode() for n in range(records))

    def append(self, node: SimNode, batch: CheckedBatch, answered: Any) -> None:
        """Append at a member; a turn of its own, and flushed with what else comes then."""
        reply = self.once(node, answered)
        node.do(lambda driver: driver.append(batch, reply, deadline_s=deadline_s(driver)))
        node.flush_soon()

    def once(self, node: SimNode, answered: Any) -> Any:
        """A reply that counts once, and as unknown if the member dies or stays silent.

        A second reply of the driver itself is a fault of its own.
        """
        over = False
        replied = False

        def finish(result: Any) -> None:
            nonlocal over
            if not over:
                over = True
                answered(result)

        def reply(result: Any) -> None:
            nonlocal replied
            if replied:
                raise AssertionError(f"{node.name} answered {self.name} twice: {result}")
            replied = True
            finish(result)

        def silent() -> None:
            finish(ApiError("outcome_unknown", "no answer"))

        self.world.clockwork.after(int((TIMEOUT_S + 1) * 1e6), silent)
        node.on_death(silent)
        return reply


def deadline_s(driver: Driver) -> float:
    """TIMEOUT_S from now."""
    return driver.clock.monotonic_s() + TIMEOUT_S


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
        node.do(lambda driver: driver.call(request, reply, deadline_s=deadline_s(driver)))

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


class Reader(Client):
    """Asks for linearizable reads, anywhere, and reads a page below what it was told."""

    def act(self) -> None:
        node = self.someone()
        if node is not None:
            self._read(node)
        self._again()

    def _read(self, node: SimNode) -> None:
        began_us = self.world.clockwork.now_us

        def answered(result: Offset | ApiError) -> None:
            if isinstance(result, ApiError):
                self.world.history.refused(result)
                return
            now_us = self.world.clockwork.now_us
            self.world.history.reads.append(ReadDone(began_us, now_us, result, node.name))
            at = Offset(self.world.clockwork.random.randint(0, result))
            life = node.life
            self.world.clockwork.after(
                0, lambda: self._page(node, at) if node.life == life else None
            )

        reply = self.once(node, answered)
        node.do(lambda driver: driver.read_index(reply, deadline_s=deadline_s(driver)))
        node.flush_soon()

    def _page(self, node: SimNode, at: Offset) -> None:
        def read(entries: tuple[Entry, ...] | ApiError) -> None:
            if isinstance(entries, ApiError):
                self.world.history.refused(entries)
                return
            self.world.history.pages += 1
            self.world.checks.page(node.name, at, entries)

        node.do(lambda driver: driver.read_entries(at, 4096, read))


RETRIED = frozenset(
    {
        "no_leader", "not_leader", "not_ready", "transferring", "overloaded", "timeout",
        "outcome_unknown", "shutting_down", "superseded", "unassigned", "removed", "fenced",
        "sequence_gap",
    }
)  # fmt: skip
"""What a session client meets with the same batch again. Anything else is a fault of the system."""
