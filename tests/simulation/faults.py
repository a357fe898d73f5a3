"""Faults, one after the other, chosen by the seed.

Decides: which and how often. A power loss takes one member, or all of them at once.
Must not know: how members cope.
Read next: world.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from replog_node.model.features import FIRST_LEVEL

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

KINDS = (
    "kill", "power", "power-all", "kill-all", "pause", "partition", "one-way", "lossy", "slow-disk",
    "crash-write", "transfer", "transfer-to", "skew", "pace", "pair", "halves", "deaf", "break",
    "late", "stall", "heal", "heal", "retarget",
)  # fmt: skip


BUILDS = ("rollout", "downgrade", "downgrade")
"""Upgrades with mixed versions, beside KINDS."""

ROLL_US = 700_000
"""Between two members of a rollout, and between two who ask for the new level."""


class Faults:
    """Strikes again and again until stopped. kinds: which of KINDS."""

    def __init__(
        self, world: World, *, kinds: tuple[str, ...] = KINDS, every_ms: int = 1500
    ) -> None:
        self._world = world
        self._kinds = kinds
        self._every_us = every_ms * 1000
        self.stopped = False
        self._soon()

    def _soon(self) -> None:
        delay_us = self._world.clockwork.random.randint(self._every_us // 3, self._every_us)
        self._world.clockwork.after(delay_us, self._strike)

    def _strike(self) -> None:
        if self.stopped:
            return
        random = self._world.clockwork.random
        kind = random.choice(self._kinds)
        self._world.faults[kind] = self._world.faults.get(kind, 0) + 1
        self._world.clockwork.note("fault", kind)
        getattr(self, "_" + kind.replace("-", "_"))(random.choice(self._world.nodes))
        self._soon()

    def _back(self, node: SimNode) -> None:
        delay_us = self._world.clockwork.random.randint(100_000, 3_000_000)
        self._world.clockwork.after(delay_us, node.start)

    def _kill(self, node: SimNode) -> None:
        node.kill()
        self._back(node)

    def _power(self, node: SimNode) -> None:
        node.kill(power=True)
        self._back(node)

    def _power_all(self, _: SimNode) -> None:
        for node in self._world.nodes:
            self._power(node)

    def _kill_all(self, _: SimNode) -> None:
        for node in self._world.nodes:
            self._kill(node)

    def _pause(self, node: SimNode) -> None:
        node.pause(self._world.clockwork.random.randint(200_000, 10_000_000))

    def _partition(self, node: SimNode) -> None:
        for other in self._world.nodes:
            if other is not node:
                self._world.network.cut(node.member, other.member)

    def _one_way(self, node: SimNode) -> None:
        for other in self._world.nodes:
            if other is not node:
                self._world.network.cut(node.member, other.member, both_ways=False)

    def _deaf(self, node: SimNode) -> None:
        for other in self._world.nodes:
            if other is not node:
                self._world.network.cut(other.member, node.member, both_ways=False)

    def _pair(self, node: SimNode) -> None:
        """Two members don't hear each other, or one the other, while all else works."""
        random = self._world.clockwork.random
        other = random.choice([other for other in self._world.nodes if other is not node])
        self._world.network.cut(node.member, other.member, both_ways=random.random() < 0.5)

    def _halves(self, bridge: SimNode) -> None:
        """Two halves that only one member still connects, or none."""
        random = self._world.clockwork.random
        with_bridge = random.random() < 0.5
        left = {node.name for node in self._world.nodes if random.random() < 0.5}
        for one in self._world.nodes:
            for other in self._world.nodes:
                apart = one.name in left and other.name not in left
                if apart and not (with_bridge and bridge in (one, other)):
                    self._world.network.cut(one.member, other.member)

    def _break(self, node: SimNode) -> None:
        for other in self._world.nodes:
            if other is not node:
                self._world.network.break_between(node.member, other.member)

    def _late(self, _: SimNode) -> None:
        self._world.network.late = 0.02

    def _stall(self, node: SimNode) -> None:
        node.stall_us = self._world.clockwork.random.randint(500_000, 5_000_000)

    def _pace(self, node: SimNode) -> None:
        node.pace = self._world.clockwork.random.choice((0.7, 0.9, 1.0, 1.1, 1.4))

    def _lossy(self, _: SimNode) -> None:
        self._world.network.loss, self._world.network.double = 0.1, 0.1
        self._world.network.slow = 0.1

    def _slow_disk(self, _: SimNode) -> None:
        self._world.slow_disk = 0.2

    def _crash_write(self, node: SimNode) -> None:
        node.disk.crash_at = node.disk.operations + self._world.clockwork.random.randint(1, 12)

    def _transfer(self, _: SimNode) -> None:
        self._world.transfer(None)

    def _transfer_to(self, node: SimNode) -> None:
        self._world.transfer(node.member)

    def _skew(self, node: SimNode) -> None:
        random = self._world.clockwork.random
        reach_ms = random.choice((500, 5000, 600_000))
        node.skew_ms = random.randint(-reach_ms, reach_ms)

    def _rollout(self, _: SimNode) -> None:
        """One member after the other becomes a newer build, while somebody asks for its level."""
        newest = 1 + max(node.speaks for node in self._world.nodes)
        for place, node in enumerate(self._world.nodes):
            self._world.clockwork.after(place * ROLL_US, partial(node.change_build, newest))
        for count in range(3 * len(self._world.nodes)):
            self._world.clockwork.after(count * ROLL_US, self._world.raise_level)

    def _downgrade(self, node: SimNode) -> None:
        node.change_build(max(FIRST_LEVEL, node.speaks - 1))

    def _heal(self, _: SimNode) -> None:
        self._world.network.heal()
        self._world.slow_disk = 0.0

    def _retarget(self, _: SimNode) -> None:
        count = len(self._world.nodes)
        random = self._world.clockwork.random
        size = random.randint(1, count)
        self._world.retarget(sorted(random.sample(range(count), size)))
