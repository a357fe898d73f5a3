"""Faults at the worst moment: armed, they wait for something to happen, and strike right then.

Chance alone hits the moment between a vote and its sync once in thousands of runs; a trigger
hits it each time. Which are armed, when and where, is drawn from the seed like every fault.

Decides: when an armed trigger goes off. Must not know: what the faults do (faults/moments.py).
Read next: faults/moments.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from replog_node.model.positions import MemberId
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

ARMED_MAX: Final = 16
"""Triggers that wait at once; one more takes the place of the oldest."""


@dataclass
class Moment:
    """What happened. to: whom a message is for."""

    node: SimNode
    to: SimNode | None = None


Act = Callable[[Moment], None]
When = Callable[[Moment], bool]


@dataclass
class Trigger:
    """Waits for an event ("sent VoteReply", "leads", "writes truncate") until it is over."""

    event: str
    when: When
    act: Act
    until_us: int


class Triggers:
    """Those that wait."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._armed: list[Trigger] = []
        self._events: frozenset[str] = frozenset()

    def arm(self, trigger: Trigger) -> None:
        """Let it wait."""
        self._armed = [*self._armed[1 - ARMED_MAX :], trigger]
        self._know()

    def clear(self) -> None:
        """Nothing waits any more."""
        self._armed = []
        self._know()

    def _know(self) -> None:
        self._events = frozenset(trigger.event for trigger in self._armed)

    def sent(self, node: SimNode, to: MemberId, kind: str) -> None:
        """A member is about to send a message."""
        if self._events and "sent " + kind in self._events:
            self._go("sent " + kind, Moment(node, self._world.network.nodes.get(to)))

    def happened(self, event: str, node: SimNode) -> None:
        """Something else happens at a member, right now."""
        if event in self._events:
            self._go(event, Moment(node))

    def _go(self, event: str, moment: Moment) -> None:
        now_us = self._world.clockwork.now_us
        self._armed = [trigger for trigger in self._armed if trigger.until_us > now_us]
        for trigger in self._armed:
            if trigger.event == event and trigger.when(moment):
                self._armed.remove(trigger)
                self._know()
                self._world.clockwork.note(moment.node.name, "moment", event)
                trigger.act(moment)
                return
        self._know()
