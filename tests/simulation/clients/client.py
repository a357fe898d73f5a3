"""What all clients share: a name, a member to talk to, and a pause between calls.

Decides: how a client waits for its answer. Must not know: what it asks for.
Read next: writers.py, readers.py, askers.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from replog.wire.batches import CheckedBatch
from replog.wire.problems import ApiError

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

TIMEOUT_S = 3.0
HURRIED = 0.1
"""The part of calls whose time is shorter than an election, or than a write on a slow disk."""

RECORDS_MAX = 3
MANY_RECORDS = 20
PAUSE_US = 200_000


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
        random = self.world.clockwork.random
        records = random.randint(1, MANY_RECORDS if random.random() < 0.03 else RECORDS_MAX)
        names = (f"{self.name}-{self.count}-{n}".encode() for n in range(records))
        return tuple(name.ljust(self.world.value_bytes, b".") for name in names)

    def append(self, node: SimNode, batch: CheckedBatch, answered: Any) -> None:
        """Append at a member; a turn of its own, and flushed with what else comes then."""
        reply = self.once(node, answered)
        deadline_s = self.deadline_s(node)
        node.do(lambda driver: driver.append(batch, reply, deadline_s=deadline_s))
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

    def deadline_s(self, node: SimNode) -> float:
        """Until when a call that is made now may take; mostly TIMEOUT_S from now."""
        random = self.world.clockwork.random
        left_s = random.uniform(0.01, 0.5) if random.random() < HURRIED else TIMEOUT_S
        return node.clock.monotonic_s() + left_s
