"""A last look at what a run leaves: disks and flight recorders, by the tools that people use.

It costs about half as much as the run, so some seeds only get it; whole logs are compared by all.

Decides: what is looked at, and by which seeds. Must not know: what went on before.
Read next: swarm.py, replog_node/storage/verify.py, replog_node/driver/replay.py.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final

from replog_node.storage.errors import LogDamaged
from replog_node.storage.verify import check_directory
from tests.simulation.autopsy import all_of, autopsy
from tests.simulation.farewell import all_stop, ask_nonsense, garble, let_expire
from tests.simulation.oracles.oracle import Broken
from tests.simulation.probing import probe
from tests.simulation.recordings import damaged, replayed

if TYPE_CHECKING:
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

EVERY: Final = 8
"""One seed in so many."""

RARELY: Final = 120
"""One seed in so many waits for a session to expire: a minute in which nothing else happens, and
which costs as much as half a run. The first is seed 40, which `make coverage` runs, too."""

COPIES: Final = 6
"""Of one disk, that are damaged."""

ROT: Final = frozenset({"rot-flip", "rot-misdirected", "rot-stale"})


def look_back(world: World) -> None:
    """Raises Broken if a disk isn't sound, or a recorded core would say something else today."""
    for node in world.nodes:
        compared(node)
    if world.seed % EVERY:
        return
    random = Random(f"autopsy {world.seed}")
    rotten = ROT.intersection(world.effects)
    for node in world.nodes:
        if not rotten:
            verified(node)
        recording = replayed(node)
        if recording is not None:
            damaged(node, recording, random)
    autopsy(random.choice(world.nodes), random, COPIES)
    probe(world, Random(f"probing {world.seed}"))
    garble(world, random)
    ask_nonsense(world)
    if world.seed % RARELY == 5 * EVERY:
        let_expire(world)
    all_stop(world)


def compared(node: SimNode) -> None:
    """This member's whole log, as far as it is committed, is what the others' logs are."""
    if node.driver is None or node.storage is None:
        return
    store, world = node.storage.store, node.world
    first, applied = store.start.position.offset + 1, node.driver.applied.offset
    last = max(first - 1, min(applied, store.tail.position.offset))
    try:
        entries = [entry for entry in all_of(store) if entry.last <= last]
    except LogDamaged as problem:
        world.checks.met(node, problem)  # only on a disk that has rotted, unnoticed yet
        return
    world.checks.whole_log(node, entries, first=first, last=last)


def verified(node: SimNode) -> None:
    """`replog verify` finds nothing wrong on this disk."""
    wrong = [each for each in check_directory(node.disk) if not each.sound]
    if wrong:
        raise Broken(f"{node.name}'s disk isn't sound: {wrong}", oracle="verify")
