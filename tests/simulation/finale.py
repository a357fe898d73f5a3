"""A last look at what a run leaves: disks and flight recorders, by the tools that people use.

It costs about as much as a quarter of the run, so some seeds only get it.

Decides: what is looked at, and by which seeds. Must not know: what went on before.
Read next: swarm.py, replog_node/storage/verify.py, replog_node/driver/replay.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replog_node.driver.flight import unpack
from replog_node.driver.replay import replay
from replog_node.model.positions import Offset
from replog_node.raft.render import render_effect, render_event
from replog_node.storage.errors import LogDamaged
from replog_node.storage.verify import check_directory
from tests.simulation.oracles.oracle import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replog_node.model.entries import Entry
    from replog_node.storage.store import Store
    from tests.simulation.node import SimNode
    from tests.simulation.world import World

EVERY: Final = 8
"""One seed in so many."""

PAGE_BYTES: Final = 64 * 1024

ROT: Final = frozenset({"rot-flip", "rot-misdirected", "rot-stale"})


def look_back(world: World) -> None:
    """Raises Broken if a disk isn't sound, or a recorded core would say something else today."""
    for node in world.nodes:
        compared(node)
    if world.seed % EVERY:
        return
    rotten = ROT.intersection(world.effects)
    for node in world.nodes:
        if not rotten:
            verified(node)
        replayed(node)


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


def all_of(store: Store) -> Iterator[Entry]:
    """Every entry of a log from its start on, read from the disk."""
    at = Offset(store.start.position.offset + 1)
    while found := store.read(at, PAGE_BYTES):
        yield from found
        at = Offset(found[-1].last + 1)


def verified(node: SimNode) -> None:
    """`replog verify` finds nothing wrong on this disk."""
    wrong = [each for each in check_directory(node.disk) if not each.sound]
    if wrong:
        raise Broken(f"{node.name}'s disk isn't sound: {wrong}", oracle="verify")


def replayed(node: SimNode) -> None:
    """`replog debug replay` finds that a core does the same again; each step can be shown."""
    if node.driver is None:
        return
    recording = unpack(node.driver.recording(build="", why="the end of a run"))
    if not recording.generations:
        return
    for outcome in replay(recording):
        if outcome.difference is not None:
            where = f"{node.name}, step {outcome.number}"
            raise Broken(f"the replay differs: {where}: {outcome.difference}", oracle="replay")
        lines = [render_event(outcome.member, outcome.step.event)]
        lines += [render_effect(outcome.member, effect) for effect in outcome.effects]
        if not all(lines):
            raise Broken(f"{node.name}, step {outcome.number}, can't be shown", oracle="replay")
