"""Which kinds of faults there are, and how one is struck.

A fault says by itself when it took effect (`Blow.hit`): a partition once it has lost a message, a
pause once something had to wait. A fault that hits nothing has tested nothing, and isn't counted.

Decides: that. Must not know: single kinds.
Read next: network.py, ../plan.py.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

Fault = Callable[["Blow"], None]

_FAULTS: dict[str, Fault] = {}


class Strike(NamedTuple):
    """A fault to come: at_ms after the run's begin, which kind, at which member, with what luck.

    luck: seeds whatever else the fault draws, so that leaving one fault out changes no other.
    """

    number: int
    at_ms: int
    kind: str
    place: int
    luck: int


class Blow:
    """A fault that is being struck. node: the member that it is about, if it is about one."""

    def __init__(self, world: World, kind: str, node: SimNode, random: Random) -> None:
        self.world = world
        self.kind = kind
        self.node = node
        self.random = random
        self._has_hit = False

    def hit(self) -> None:
        """It took effect. Counted once a fault, however often it does."""
        if not self._has_hit:
            self._has_hit = True
            self.world.effects[self.kind] += 1

    def later(self, delay_us: int, happen: Callable[[], None]) -> None:
        """Let another part of this fault happen, unless the faults are over by then."""
        self.world.clockwork.after(delay_us, lambda: None if self.world.healed else happen())

    def others(self) -> list[SimNode]:
        """All members but the one that this is about."""
        return [other for other in self.world.nodes if other is not self.node]


def fault(kind: str) -> Callable[[Fault], Fault]:
    """Register a function as the fault of this kind."""

    def register(function: Fault) -> Fault:
        _FAULTS[kind] = function
        return function

    return register


def kinds() -> tuple[str, ...]:
    """All kinds, in the order of their definition."""
    return tuple(_FAULTS)


def strike(world: World, strike: Strike) -> None:
    """Let it happen now."""
    node = world.nodes[strike.place % len(world.nodes)]
    world.faults[strike.kind] += 1
    world.clockwork.note(node.name, "fault", strike.kind, f"#{strike.number}")
    _FAULTS[strike.kind](Blow(world, strike.kind, node, Random(strike.luck)))


class Faults:
    """Strikes again and again, by the world's own luck, until stopped. For scripted runs."""

    def __init__(self, world: World, *, kinds: tuple[str, ...], every_ms: int = 1500) -> None:
        self._world = world
        self._kinds = kinds
        self._every_ms = every_ms
        self._count = 0
        self.stopped = False
        self._soon()

    def _soon(self) -> None:
        delay_ms = self._world.clockwork.random.randint(self._every_ms // 3, self._every_ms)
        self._world.clockwork.after(delay_ms * 1000, self._strike)

    def _strike(self) -> None:
        if self.stopped:
            return
        random = self._world.clockwork.random
        kind, place = random.choice(self._kinds), random.randrange(len(self._world.nodes))
        self._count += 1
        strike(self._world, Strike(self._count, 0, kind, place, random.getrandbits(32)))
        self._soon()
