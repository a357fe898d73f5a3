"""Scripted runs: a fixed shape and a fixed mix of faults, for tests that need just those.

Decides: the course of such a run. Must not know: what is checked (checks.py).
Read next: swarm.py (what a seed draws by itself), faults/.
"""

from tests.simulation.faults import Faults
from tests.simulation.world import World

FIXED = (
    "kill", "power", "power-all", "kill-all", "pause", "partition", "one-way", "lossy", "slow-disk",
    "crash-write", "transfer", "transfer-to", "skew", "pace", "pair", "halves", "deaf", "break",
    "late", "stall", "heal", "heal",
)  # fmt: skip
"""Faults that leave the membership as it is."""


def simulate(
    seed: int,
    *,
    members: int,
    kinds: tuple[str, ...] = FIXED,
    seconds: float = 20,
    every_ms: int = 1500,
    busy: bool = False,
    askers: bool = True,
) -> World:
    """Run it; raises Broken.

    seconds: of faults, one every every_ms at the latest; busy: with many more clients;
    askers: with those of askers.py.
    """
    world = World(seed, members=members, voters=3)
    world.run(3)
    if busy:
        world.add_clients(plain=6, sessions=8, readers=4)
    else:
        world.add_clients()
    if askers:
        world.add_askers()
    faults = Faults(world, kinds=kinds, every_ms=every_ms)
    world.run(seconds)
    faults.stopped = True
    world.heal()
    world.run(5)
    world.stop_clients()
    world.settle()
    world.finish()
    return world
