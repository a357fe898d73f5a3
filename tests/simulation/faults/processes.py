"""Faults of processes: killed, without power, paused, with a wrong clock, moved, empty, undead.

Decides: what each does to a process. Must not know: how members cope.
Read next: ../node.py.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from replog_node.model.features import FIRST_LEVEL
from tests.simulation.faults.registry import Blow, fault

if TYPE_CHECKING:
    from tests.simulation.node import SimNode


def back_soon(blow: Blow, node: SimNode, most_ms: int = 3000) -> None:
    """Start it again after a while."""
    blow.world.clockwork.after(blow.random.randint(100, most_ms) * 1000, node.start)


def down(blow: Blow, node: SimNode, *, power: bool) -> None:
    """End a process, or take its machine's power, for a while."""
    if node.driver is not None:
        blow.hit()
    node.kill(power=power)
    back_soon(blow, node)


@fault("kill")
def kill(blow: Blow) -> None:
    """As kill -9: the page cache survives."""
    down(blow, blow.node, power=False)


@fault("power")
def power(blow: Blow) -> None:
    """The machine stops: what was not synced is kept, lost or torn."""
    down(blow, blow.node, power=True)


@fault("kill-all")
def kill_all(blow: Blow) -> None:
    """Everybody is killed at once."""
    for node in blow.world.nodes:
        down(blow, node, power=False)


@fault("power-all")
def power_all(blow: Blow) -> None:
    """Power fails everywhere at once."""
    for node in blow.world.nodes:
        down(blow, node, power=True)


DRAINS_MS: Final = 2000
"""A member that was asked to stop is stopped for good by then."""


@fault("stop")
def stop(blow: Blow) -> None:
    """As SIGTERM: it hands over, lets calls end, answers who still waits, and comes back."""
    node, life = blow.node, blow.node.life
    if node.able() is None:
        return
    blow.hit()
    node.do(lambda driver: driver.begin_stop())

    def look(left_ms: int) -> None:
        if node.life != life or node.driver is None:
            return
        if left_ms > 0 and not node.driver.drained:
            blow.world.clockwork.after(50_000, lambda: look(left_ms - 50))
            return
        node.driver.close()
        node.kill()
        back_soon(blow, node, 500)

    look(DRAINS_MS)


@fault("roll")
def roll(blow: Blow) -> None:
    """Every member is stopped and comes back, one after the other."""
    for place, node in enumerate(blow.world.nodes):
        each = Blow(blow.world, blow.kind, node, blow.random)
        blow.later(place * ROLL_MS * 1000, partial(stop, each))


@fault("pause")
def pause(blow: Blow) -> None:
    """As SIGSTOP, from a moment to many election timeouts."""
    blow.node.pause(blow.random.choice((300, 1500, 6000)) * 1000, blow.hit)


@fault("skew")
def skew(blow: Blow) -> None:
    """The wall clock jumps, but not past the ten minutes after which a producer session that was
    never used expires: its client would be told so, rightly."""
    reach_ms = blow.random.choice((500, 5000, 250_000))
    blow.node.clock.jump(blow.random.randint(-reach_ms, reach_ms))
    blow.hit()


@fault("drift")
def drift(blow: Blow) -> None:
    """The wall clock runs fast or slow from now on."""
    blow.node.clock.drift(blow.random.choice((-0.05, -0.001, 0.001, 0.05)))
    blow.hit()


@fault("pace")
def pace(blow: Blow) -> None:
    """Ticks come faster or slower."""
    blow.node.pace = blow.random.choice((0.7, 0.9, 1.0, 1.1, 1.4))
    if blow.node.pace != 1.0:
        blow.hit()


@fault("crash-write")
def crash_write(blow: Blow) -> None:
    """The process, or its machine, dies in the middle of one of the next disk operations."""
    blow.node.crash_within(blow.random.randint(1, 12), blow.hit)


@fault("stall")
def stall(blow: Blow) -> None:
    """The next write takes seconds."""
    blow.node.stall(blow.random.randint(500_000, 5_000_000), blow.hit)


@fault("slow-disk")
def slow_disk(blow: Blow) -> None:
    """Everybody's disk is slow now and then."""
    blow.world.slow_disk = blow.random.choice((0.05, 0.2, 0.6))
    blow.hit()


LEVEL_MAX: Final = 4
"""The newest build that there is."""

ROLL_MS: Final = 700
"""Between two members of a rollout, and between two who ask for the new level."""


@fault("rollout")
def rollout(blow: Blow) -> None:
    """One member after the other becomes a newer build, while somebody asks for its level."""
    newest = 1 + max(node.speaks for node in blow.world.nodes)
    if newest > LEVEL_MAX:
        return
    for place, node in enumerate(blow.world.nodes):
        blow.later(place * ROLL_MS * 1000, partial(node.change_build, newest))
    for count in range(3 * len(blow.world.nodes)):
        blow.later(count * ROLL_MS * 1000, lambda: blow.world.operations.raise_level(blow.hit))


@fault("downgrade")
def downgrade(blow: Blow) -> None:
    """A member's build is replaced by an older one, which may not speak what is in force."""
    if blow.node.speaks > FIRST_LEVEL:
        blow.node.change_build(blow.node.speaks - 1)
        blow.hit()


@fault("move")
def move(blow: Blow) -> None:
    """A member comes back under another address. Only one ever moves, and one that knows the
    others: they find it again because it calls them; two that have moved would need a seed."""
    me = blow.node.member
    knows = any(me == m.id for c in blow.node.known_configurations() for m in c.members)
    if knows and blow.world.moved in (None, blow.node):
        blow.world.moved = blow.node
        blow.node.kill()
        blow.node.move()
        back_soon(blow, blow.node)
        blow.hit()
