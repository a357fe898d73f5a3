"""Somebody who looks after the cluster: a member that can't be helped is replaced by an empty one.

That is what docs/codes.md says to do when all others have let go of what a member's disk lost
(UnfillableHole, LogUnreadable), or when it can't start. It is done only while no other disk is
rotten, since the member may hold what another one lacks.

Decides: when a member is past help. Must not know: why it is.
Read next: atlas.py, world.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

LOOK_US: Final = 1_000_000
PAST_HELP: Final = frozenset({"UnfillableHole", "LogUnreadable"})
LOOKS: Final = 4
"""A member is past help when it is found so, so many times in a row."""


class Replacing:
    """Looks again and again. replaced: how many members were."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: dict[str, int] = {}
        self.replaced = 0
        self._look()

    def _look(self) -> None:
        for node in self._world.nodes:
            helpless = node.driver is not None and any(
                wait.code in PAST_HELP for wait in node.driver.waits()
            )
            self._found[node.name] = self._found.get(node.name, 0) + 1 if helpless else 0
            if self._found[node.name] >= LOOKS and self._may_go(node):
                self._replace(node)
                break  # one at a time
        self._world.clockwork.after(LOOK_US, self._look)

    def _may_go(self, node: SimNode) -> bool:
        """Whether everybody else runs, has caught up and lacks nothing."""
        atlas = self._world.disk_faults.atlas
        others = [other for other in self._world.nodes if other is not node]
        return all(
            other.driver is not None
            and (atlas is None or not atlas.rotten(other))
            and not any(wait.code in PAST_HELP for wait in other.driver.waits())
            for other in others
        )

    def _replace(self, node: SimNode) -> None:
        self._world.clockwork.note(node.name, "replaced")
        self.replaced += 1
        self._found[node.name] = 0
        node.renew()
        self._world.retarget(list(range(len(self._world.nodes))))
